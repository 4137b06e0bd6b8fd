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


class IndexingPolicy:
    """Which values of a document are indexed, by the container's policy."""

    def __init__(self, policy: dict[str, Any] | None) -> None:
        policy = policy or {"includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": '/"_etag"/?'}]}
        self._off = policy.get("indexingMode") == "none"
        self._included = [_pattern(entry["path"]) for entry in policy.get("includedPaths", [])]
        self._excluded = [_pattern(entry["path"]) for entry in policy.get("excludedPaths", [])]
        self._is_indexed = lru_cache(maxsize=4096)(self._decided)

    def count(self, document: dict[str, Any]) -> int:
        """How many of the document's values are indexed."""
        return 0 if self._off else sum(1 for path in _leaves(document, ()) if self._is_indexed(path))

    def _decided(self, path: tuple[str, ...]) -> bool:
        return self._depth(self._included, path) > self._depth(self._excluded, path)

    def _depth(self, patterns: list[tuple[tuple[str, ...], bool]], path: tuple[str, ...]) -> int:
        """How precisely any pattern fits: the longest one decides, and an exact one before a wildcard."""
        fits = [
            2 * len(steps) + (not wildcard)
            for steps, wildcard in patterns
            if (path[: len(steps)] == steps if wildcard else path == steps)
        ]
        return max(fits, default=-1)


def _pattern(path: str) -> tuple[tuple[str, ...], bool]:
    steps = paths.steps(path)
    return tuple(step for step in steps if step not in ("*", "?")), steps[-1] == "*"


def _leaves(value: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if isinstance(value, dict):
        return [
            leaf for name, inner in value.items() if not name.startswith("_") for leaf in _leaves(inner, (*path, name))
        ]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner, (*path, "[]"))]
    return [path]


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
