"""Microsoft's own query planner, where it is there: an oracle for plans and for the language.

It is the library that the .NET client ships (`libQueryPlanInterop.so`, in the package Microsoft.Azure.Cosmos, MIT), at
the path that the environment variable COSMOS_PLANNER has. `python -m tests.conformance.cosmos.planner` asks it again
for everything that `planner.json` has recorded.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import re
from pathlib import Path
from typing import Any

from tests.conformance.cosmos.app_queries import app_queries

RECORDED = Path(__file__).with_name("planner.json")
LIBRARY = os.environ.get("COSMOS_PLANNER", "")
ORIGIN = "libQueryPlanInterop.so of Microsoft.Azure.Cosmos 3.64.0 (MIT), asked without Azure"

_ENGINE = {
    "allowNewKeywords": True,
    "maxJoinsPerSqlQuery": 10,
    "maxSqlQueryInputLength": 524288,
    "maxUdfRefPerSqlQuery": 10,
    "queryEnableFullText": True,
    "sqlAllowAggregateFunctions": True,
    "sqlAllowGroupByClause": True,
    "sqlAllowLike": True,
    "sqlAllowNonFiniteNumbers": False,
    "sqlAllowScalarSubQuery": True,
    "sqlAllowSubQuery": True,
    "sqlAllowTop": True,
}
_OPTIONS = (
    "require_formattable_order_by",
    "continuous",
    "allow_non_value_aggregates",
    "has_logical_partition_key",
    "allow_distinct_count",
    "use_system_prefix",
    "partition_kind",
    "geospatial",
    "hybrid_search",
    "reserved",
)


_TOLD = frozenset(
    "distinctType top offset limit orderBy orderByExpressions groupByExpressions groupByAliases aggregates "
    "groupByAliasToAggregateType rewrittenQuery hasSelectValue dCountInfo hasNonStreamingOrderBy".split()
)


class _Options(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in _OPTIONS),
        *((f"more_{number}", ctypes.c_int64) for number in range(3)),
    ]


@functools.cache
def _planner() -> tuple[ctypes.CDLL, ctypes.c_void_p]:
    library = ctypes.CDLL(LIBRARY)
    library.CreateServiceProvider.restype = ctypes.c_uint32
    library.GetPartitionKeyRangesFromQuery4.restype = ctypes.c_uint32
    provider = ctypes.c_void_p()
    if library.CreateServiceProvider(json.dumps(_ENGINE).encode() + b"\0", ctypes.byref(provider)):
        raise OSError("the planner does not start")
    return library, provider


def _wide(text: str) -> bytes:
    return (text + "\0").encode("utf-32-le")


def ask(text: str, parameters: dict[str, Any] | None = None, paths: tuple[str, ...] = ("pk",)) -> dict[str, Any]:
    """`{"plan": …, "ranges": …}` or `{"errors": [code, …]}`; a code is None for what is said in words alone."""
    library, provider = _planner()
    held = [ctypes.create_string_buffer(step, len(step)) for step in map(_wide, paths)]
    steps = (ctypes.c_void_p * len(held))(*(ctypes.addressof(buffer) for buffer in held))
    lengths = (ctypes.c_uint32 * len(paths))(*([1] * len(paths)))
    options = _Options(1, 0, 1, 0, 1, 0, 2 if len(paths) > 1 else 0, 0, 1, 0, 0, 0, 0)
    given = [{"name": name, "value": value} for name, value in (parameters or {}).items()]
    size = 1 << 20
    answer, used = ctypes.create_string_buffer(size), ctypes.c_uint32()
    code = library.GetPartitionKeyRangesFromQuery4(
        provider,
        _wide(json.dumps({"query": text, "parameters": given}, ensure_ascii=False)),
        options,
        steps,
        lengths,
        len(paths),
        None,
        0,
        ctypes.cast(answer, ctypes.c_void_p),
        size,
        ctypes.byref(used),
    )
    found = json.loads(answer.raw[: used.value].decode().rstrip("\0"))
    if code == 0:
        return {"plan": told(found.get("queryInfo", {})), "ranges": _ranges(found["queryRanges"])}
    errors = found.get("errors") or found.get("Errors")
    return {"errors": [error["code"] if isinstance(error, dict) else None for error in errors]}


def told(info: dict[str, Any]) -> dict[str, Any]:
    """What a plan says, without what it only says for completeness; booleans as such."""
    found = {name: value for name, value in info.items() if value not in (None, [], {}, "", "None") and name in _TOLD}
    for name in ("hasSelectValue", "hasNonStreamingOrderBy"):
        if found.pop(name, False):
            found[name] = True
    types = found.get("groupByAliasToAggregateType")
    if types:
        found["groupByAliasToAggregateType"] = {name: types[name] or None for name in sorted(types)}
    return found


def _ranges(ranges: list[dict[str, Any]]) -> Any:
    """Values of the partition key; `all` and `none` for the whole and for nothing."""
    if any(each["max"] == "Infinity" for each in ranges):
        return "all"
    return "none" if ranges[0]["max"] == [] else sorted((each["min"] for each in ranges), key=json.dumps)


def _parameters(query: str) -> dict[str, Any]:
    """A value for each parameter: a text, or a list of one where it is looked through."""
    lists = set(re.findall(r"ARRAY_CONTAINS\((@\w+)", query))
    return {name: ["x"] if name in lists else "x" for name in re.findall(r"@\w+", query)}


def record() -> None:
    """Ask the planner again for everything that is recorded, and for the app's queries."""
    recorded = json.loads(RECORDED.read_text())
    known = {row["query"] for row in recorded["queries"]}
    recorded["queries"] += [
        {"query": query, "parameters": _parameters(query)} for query in app_queries() if query not in known
    ]
    recorded["origin"] = ORIGIN
    for row in recorded["queries"]:
        for name in ("plan", "ranges", "errors"):
            row.pop(name, None)
        row.update(ask(row["query"], row.get("parameters"), tuple(row.get("paths", ["pk"]))))
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in recorded["queries"])
    RECORDED.write_text(f'{{"origin": {json.dumps(ORIGIN)},\n"queries": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    record()
