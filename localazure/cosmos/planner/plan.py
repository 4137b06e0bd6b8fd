"""A query's plan, in the form in which the service's gateway gives it.

Source: Microsoft's own query planner, as the .NET client ships it; published answers of the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localazure.cosmos.errors import QueryError
from localazure.cosmos.planner.rewriting import aggregate_type, rewritten, sorts
from localazure.cosmos.planner.spans import NOTHING, Spans, spans
from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.binder import aggregates, bound
from localazure.cosmos.sql.folding import folded
from localazure.cosmos.sql.grouping import is_aggregated
from localazure.cosmos.sql.pushdown import is_undefined
from localazure.cosmos.sql.query import count
from localazure.cosmos.sql.text import expression_text, query_text

COMPOSED = "Compositions of aggregates and other expressions are not allowed."


@dataclass(frozen=True)
class Layout:
    """How a container is partitioned: the paths of the key, and the version of its hash."""

    paths: Sequence[tuple[str, ...]]
    version: int


def plan(text: str, parameters: Mapping[str, Any], layout: Layout, counts_distinct: bool = True) -> dict[str, Any]:
    """The plan, as JSON, for a client that can count distinct results or cannot.

    Raises QueryError for a query that cannot be run, or merged.
    """
    query = _numbered(bound(text), parameters)
    if not query.sources:
        return _answer(_info(query.select.kind == "VALUE"), NOTHING)
    inner = _counted(query) if counts_distinct else None
    found = spans(query if inner is None else inner, layout.paths, layout.version, parameters)
    if inner is not None:
        info = _distinct_count(query, inner)
    elif query.offset is not None and query.limit is not None and _is_alone(query, found):
        info = _query_info(s.replaced(query, offset=None, limit=None), parameters)
        if info["rewrittenQuery"]:
            info["rewrittenQuery"] += f"\nOFFSET {query.offset.value} LIMIT {query.limit.value}"
    else:
        info = _query_info(query, parameters)
    if found is NOTHING or _is_empty(query, parameters):
        return _answer(_info(query.select.kind == "VALUE"), NOTHING)
    return _answer(info, found)


def _is_alone(query: s.Query, found: Spans) -> bool:
    """Whether one partition has all results, and so leaves out and cuts off by itself."""
    return len(found) == 1 and found[0]["min"] == found[0]["max"] and not query.distinct and not is_aggregated(query)


def _answer(info: dict[str, Any], found: Spans) -> dict[str, Any]:
    return {"partitionedQueryExecutionInfoVersion": 2, "queryInfo": info, "queryRanges": found}


def _info(has_value: bool, **told: Any) -> dict[str, Any]:
    return {
        "distinctType": "None",
        "top": None,
        "offset": None,
        "limit": None,
        "orderBy": [],
        "orderByExpressions": [],
        "groupByExpressions": [],
        "groupByAliases": [],
        "aggregates": [],
        "groupByAliasToAggregateType": {},
        "rewrittenQuery": "",
        "hasSelectValue": has_value,
        "dCountInfo": None,
        "hasNonStreamingOrderBy": False,
        **told,
    }


def _numbered(query: s.Query, parameters: Mapping[str, Any]) -> s.Query:
    """The query with numbers for the parameters of OFFSET and LIMIT, which are added up. Raises QueryError."""
    changes: dict[str, Any] = {}
    for clause in ("offset", "limit"):
        given = getattr(query, clause)
        if given is not None:
            changes[clause] = s.Count(count(given, clause.upper(), parameters), given.place)
    return s.replaced(query, **changes) if changes else query


def _query_info(query: s.Query, parameters: Mapping[str, Any]) -> dict[str, Any]:
    has_value, items = query.select.kind == "VALUE", query.select.items
    for item in items:
        if aggregate_type(item.value) is None and aggregates(item.value):
            raise QueryError(COMPOSED)
    other = rewritten(query)
    told: dict[str, Any] = {
        "distinctType": _distinct_type(query),
        "top": None if query.top is None else count(query.top, "TOP", parameters),
        "offset": None if query.offset is None else query.offset.value,
        "limit": None if query.limit is None else query.limit.value,
        "groupByExpressions": [expression_text(node) for node in query.group],
        "rewrittenQuery": "" if other is None else query_text(other),
        "hasNonStreamingOrderBy": any(not isinstance(folded(sort.value), s.Name | s.Member) for sort in query.order),
    }
    if sorts(query):
        told["orderBy"] = ["Descending" if sort.descends else "Ascending" for sort in query.order]
        told["orderByExpressions"] = [expression_text(sort.value) for sort in query.order]
    types = [aggregate_type(item.value) for item in items]
    if has_value:
        told["aggregates"] = [found for found in types if found is not None]
    elif is_aggregated(query):
        names = s.column_names(query.select)
        told["groupByAliases"] = names
        told["groupByAliasToAggregateType"] = dict(zip(names, types, strict=True))
    return _info(has_value, **told)


def _distinct_type(query: s.Query) -> str:
    if not query.distinct:
        return "None"
    values = [item.value for item in query.select.items]
    sorted_by = [sort.value for sort in query.order]
    return "Ordered" if query.select.kind == "VALUE" and values == sorted_by else "Unordered"


def _counted(query: s.Query) -> s.Query | None:
    """The inner query of one that counts distinct results, which the client counts; `None` for any other."""
    inner = query.sources[0].collection
    if len(query.sources) > 1 or not isinstance(inner, s.Query) or not inner.distinct or query.sources[0].iterates:
        return None
    if query.where is not None or query.group or query.order or len(query.select.items) != 1:
        return None
    value = query.select.items[0].value
    counts = isinstance(value, s.Call) and value.function == "COUNT" and isinstance(value.arguments[0], s.Constant)
    return inner if counts and not is_aggregated(inner) else None


def _distinct_count(query: s.Query, inner: s.Query) -> dict[str, Any]:
    has_value = query.select.kind == "VALUE"
    alias = "" if has_value else s.column_names(query.select)[0]
    return _info(
        has_value,
        distinctType="Unordered",
        rewrittenQuery=query_text(inner),
        dCountInfo={"dCountAlias": alias},
    )


def _is_empty(query: s.Query, parameters: Mapping[str, Any]) -> bool:
    """Whether nothing can be selected, whatever the documents."""
    if query.select.kind != "VALUE" or query.group:
        return False
    value = query.select.items[0].value
    if isinstance(value, s.Call) and aggregate_type(value):
        value = value.arguments[0]
    return is_undefined(value, parameters)
