"""What a query that folds rows may still say of a single one: nothing but what GROUP BY names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.functions import AGGREGATES
from localazure.cosmos.sql.text import expression_text

_REASON = "because it is not contained in either an aggregate function or the GROUP BY clause."


def is_aggregated(query: s.Query) -> bool:
    """Whether rows are folded: by GROUP BY, or by an aggregate of what is selected or sorted by."""
    if query.group:
        return True
    selected = [item.value for item in query.select.items]
    return any(_aggregates(node) for node in (*selected, *(sort.value for sort in query.order)))


def _aggregates(node: s.Expression) -> bool:
    if isinstance(node, s.Call) and not node.user and node.function in AGGREGATES:
        return True
    return any(map(_aggregates, s.children(node)))


def check_grouped(query: s.Query, names: frozenset[str]) -> list[QueryError]:
    """An error for each property (of one of the query's `names`) that a group has many values of."""
    found = []
    paths = all(isinstance(sort.value, s.Name | s.Member) for sort in query.order)
    if query.group or not paths:
        for sort in query.order:
            found += [_wrong(node, "ORDER BY clause", "SC2103") for node in _loose(sort.value, query.group, names)]
    for item in query.select.items:
        found += [_wrong(node, "select list", "SC2102") for node in _loose(item.value, query.group, names)]
    return found


def _wrong(node: s.Expression, clause: str, code: str) -> QueryError:
    message = f"Property reference '{expression_text(node)}' is invalid in the {clause} {_REASON}"
    return QueryError(message, code, *node.place)


def _loose(node: s.Expression, grouped: tuple[s.Expression, ...], names: frozenset[str]) -> Iterator[s.Name | s.Member]:
    """The property references outside aggregates that are no part of what is grouped by."""
    if part_of(node, grouped) or (isinstance(node, s.Call) and node.function in AGGREGATES):
        return
    if isinstance(node, s.Name) and node.name in names:
        yield node
    elif isinstance(node, s.Member) and isinstance(node.of, s.Name):
        if node.of.name in names:
            yield _property(node)
    elif isinstance(node, s.Subquery):
        yield from _loose_in_query(node.query, grouped, names)
    elif isinstance(node, s.Chain):
        begun = [end for end in range(1, len(node.rest)) if s.Chain(node.first, node.rest[:end]) in grouped]
        rest = [operand for _, operand in node.rest]
        for operand in rest[begun[-1] :] if begun else [node.first, *rest]:
            yield from _loose(operand, grouped, names)
    else:
        for child in s.children(node):
            yield from _loose(child, grouped, names)


def part_of(node: s.Expression, wholes: Sequence[s.Expression]) -> bool:
    """Whether the expression is one of these, or a path that begins with one."""
    if node in wholes:
        return True
    if not isinstance(node, s.Member):
        return False
    prefixes: list[s.Expression] = [s.Member(node.of, node.steps[:end]) for end in range(1, len(node.steps))]
    return any(prefix in wholes for prefix in (*prefixes, node.of))


def _loose_in_query(
    query: s.Query, grouped: tuple[s.Expression, ...], names: frozenset[str]
) -> Iterator[s.Name | s.Member]:
    for source in query.sources:
        if isinstance(source.collection, s.Query):
            yield from _loose_in_query(source.collection, grouped, names)
            continue
        path = source.collection
        end = path.steps[-1].place[1] if path.steps else path.place[1]
        root = s.Name(path.root, place=path.place)
        node = s.Member(root, path.steps, place=(path.place[0], end)) if path.steps else root
        yield from _loose(node, grouped, names)
    inner = [item.value for item in query.select.items]
    for part in (*inner, *query.group, *([] if query.where is None else [query.where])):
        yield from _loose(part, grouped, names)


def _property(node: s.Member) -> s.Name | s.Member:
    """The path up to the last property: an array's place at its end is no part of a property."""
    steps = node.steps
    while steps and not isinstance(steps[-1].key, str):
        steps = steps[:-1]
    assert isinstance(node.of, s.Name), "the path of a name"
    return s.Member(node.of, steps, place=(node.place[0], steps[-1].place[1])) if steps else node.of
