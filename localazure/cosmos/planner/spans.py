"""Where in the space of partition keys a query's results can lie: a plan's `queryRanges`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from localazure.cosmos.items import NONE_KEY, canonical
from localazure.cosmos.ranges import MULTI_HASH, effective, prefix
from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.pushdown import candidates

Spans = list[dict[str, Any]]

ALL: Spans = [{"min": "", "max": "FF", "isMinInclusive": True, "isMaxInclusive": False}]
NOTHING: Spans = [{"min": "", "max": "", "isMinInclusive": True, "isMaxInclusive": True}]
"""What a query that no document can answer is sent to: one range, for an empty answer."""
_MAX_KEYS = 1000
"""Combinations of a hierarchical key's values that are told apart."""


def spans(query: s.Query, paths: Sequence[tuple[str, ...]], version: int, parameters: Mapping[str, Any]) -> Spans:
    """The ranges, in their order. `paths` lead to the partition key, `version` is that of its hash."""
    keys = _keys(query, paths, parameters)
    if keys is None:
        return ALL
    found = {str(span["min"]): span for key in keys for span in [_span(key, len(paths), version)]}
    return [found[least] for least in sorted(found)] or NOTHING


def _keys(query: s.Query, paths: Sequence[tuple[str, ...]], parameters: Mapping[str, Any]) -> list[list[Any]] | None:
    """The partition keys, or how they begin, that WHERE leaves possible; `None` for any."""
    if isinstance(query.where, s.Chain) and query.where.rest[0][0] == "OR" and len(paths) > 1:
        found: list[list[Any]] = []
        for term in (query.where.first, *(term for _, term in query.where.rest)):
            keys = _keys(s.replaced(query, where=term), paths, parameters)
            if keys is None:
                return None
            found += keys
        return found
    values: list[list[Any]] = []
    for path in paths:
        possible = candidates(query, path, parameters)
        if possible is None:
            break
        values.append(possible)
    combinations = 1
    for possible in values:
        combinations *= len(possible)
    return [list(key) for key in product(*values)] if values and combinations <= _MAX_KEYS else None


def _span(key: list[Any], length: int, version: int) -> dict[str, Any]:
    text = canonical(key) if not any(isinstance(value, list | dict) for value in key) else NONE_KEY
    if len(key) < length:
        begun = prefix(text)
        return {"min": begun.least, "max": begun.most, "isMinInclusive": True, "isMaxInclusive": False}
    point = effective(text, MULTI_HASH if length > 1 else version)
    return {"min": point, "max": point, "isMinInclusive": True, "isMaxInclusive": True}
