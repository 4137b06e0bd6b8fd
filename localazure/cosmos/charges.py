"""What an operation costs in request units: a model of the published rules, not a measurement.

- A point read of 1 KB is 1 RU; each further KB adds 0.4 (100 KB are published as 10 RU, and so read here as less
  than linear; the model is on the safe side below that).
- Creating an item of 1 KB with no indexed path is 5 RU, and 4 RU for each further KB; each indexed value adds 0.3.
- Replacing and upserting an existing item is double a create; deleting costs like creating.
- A patch is a replace without the read a client would have needed: a replace less the point read.
- A page of a query is 2.8 RU, plus 0.05 for each item the page looked at, plus a point read's tenth for each KB it
  returns. Pages together look at no item twice; what is sorted or grouped is looked at where it is returned, and what
  WHERE rejects then on the first page, as `sql/paging.py` says.
- Reading the change feed costs a point read for each KB it returns, at least 1 RU.
- A batch costs the sum of its operations. What fails on a condition or a conflict has cost a point read and a create.

Source: "Request Units in Azure Cosmos DB", "Partial document update" (patch), "Plan and manage costs".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from localazure.cosmos import paths

FAILED_WRITE = 1.0
PLAN = 0.0
"""What a query plan costs: no item is looked at."""


def _kilobytes(size: int) -> float:
    return max(1.0, size / 1024)


def point_read(size: int) -> float:
    return round(1.0 + 0.4 * (_kilobytes(size) - 1), 2)


def create(size: int, indexed: int) -> float:
    return round(5.0 + 4.0 * (_kilobytes(size) - 1) + 0.3 * indexed, 2)


def replace(size: int, indexed: int) -> float:
    return round(2 * create(size, indexed), 2)


def patch(size: int, indexed: int) -> float:
    return round(replace(size, indexed) - point_read(size), 2)


def query(looked_at: int, returned: int) -> float:
    return round(2.8 + 0.05 * looked_at + 0.1 * returned / 1024, 2)


def feed(returned: int) -> float:
    return round(max(1.0, returned / 1024), 2)


Path = tuple[str, ...]
Pattern = tuple[Path, bool]
"""A path of an indexing policy, and whether it stands for all that lies below."""
_ANY = ""
"""A step that stands for every name with which no pattern goes on."""


class IndexingPolicy:
    """Which values of a document are indexed, by the container's policy."""

    def __init__(self, policy: dict[str, Any] | None) -> None:
        policy = policy or {"includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": '/"_etag"/?'}]}
        self._off = policy.get("indexingMode") == "none"
        self._included = _patterns(policy.get("includedPaths", []))
        self._excluded = _patterns(policy.get("excludedPaths", []))
        self._is_indexed = lru_cache(maxsize=4096)(self._decided)
        self._is_uniform = lru_cache(maxsize=4096)(self._decides_all)

    def count(self, document: dict[str, Any]) -> int:
        """How many of the document's values are indexed."""
        return 0 if self._off else self._counted(document, ())

    def _counted(self, value: Any, path: Path) -> int:
        if not isinstance(value, dict | list):
            return int(self._is_indexed(path))
        if self._is_uniform(path):
            return _values(value) if self._is_indexed((*path, _ANY)) else 0
        if isinstance(value, list):
            return sum(self._counted(inner, (*path, "[]")) for inner in value)
        return sum(self._counted(inner, (*path, name)) for name, inner in value.items() if not _is_own(name))

    def _decides_all(self, path: Path) -> bool:
        """Whether everything below the path is indexed, or nothing: no pattern goes on from there."""
        depth = len(path)
        return not any(len(steps) > depth and steps[:depth] == path for steps, _ in (*self._included, *self._excluded))

    def _decided(self, path: Path) -> bool:
        return self._depth(self._included, path) > self._depth(self._excluded, path)

    def _depth(self, patterns: list[Pattern], path: Path) -> int:
        """How precisely any pattern fits: the longest one decides, and an exact one before a wildcard."""
        fits = [
            2 * len(steps) + (not wildcard)
            for steps, wildcard in patterns
            if (path[: len(steps)] == steps if wildcard else path == steps)
        ]
        return max(fits, default=-1)


def _patterns(entries: Iterable[Mapping[str, Any]]) -> list[Pattern]:
    """Those of them that are about something that counts."""
    found = [paths.steps(entry["path"]) for entry in entries]
    named = [(tuple(step for step in steps if step not in ("*", "?")), steps[-1] == "*") for steps in found]
    return [(steps, wildcard) for steps, wildcard in named if not any(map(_is_own, steps))]


def _is_own(name: str) -> bool:
    """Whether the property is the service's own: those do not count."""
    return name.startswith("_")


def _values(value: Any) -> int:
    """How many values there are, at all depths."""
    if isinstance(value, dict):
        return sum(_values(inner) for name, inner in value.items() if not _is_own(name))
    if isinstance(value, list):
        return sum(map(_values, value))
    return 1


class Ledger:
    """Charges since the last reset, by database, container and operation."""

    def __init__(self) -> None:
        self._units: Counter[tuple[str, str, str]] = Counter()
        self._count: Counter[tuple[str, str, str]] = Counter()

    def add(self, database: str, container: str, operation: str, units: float) -> None:
        key = (database, container, operation)
        self._units[key] += units  # type: ignore[assignment]  # a Counter of floats counts as well
        self._count[key] += 1

    def reset(self) -> None:
        self._units.clear()
        self._count.clear()

    def report(self) -> dict[str, Any]:
        rows = [
            {
                "database": d,
                "container": c,
                "operation": o,
                "operations": self._count[d, c, o],
                "request_units": round(u, 2),
            }
            for (d, c, o), u in sorted(self._units.items())
        ]
        return {"request_units": round(sum(self._units.values()), 2), "operations": rows}
