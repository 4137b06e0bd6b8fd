"""Which path of the documents an expression is: what an index could be asked for."""

from __future__ import annotations

from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.folding import folded

Path = tuple[str | int | float, ...]
ELEMENT = -1
"""In a path: any element of an array."""


def sorts_by_path(query: s.Query) -> bool:
    """Whether everything that the query sorts by is a path of its documents."""
    return all(document_path(sort.value, query) is not None for sort in query.order)


def document_path(node: s.Expression, query: s.Query) -> Path | None:
    """The path of the container's documents that the expression of the query stands for; `None`: it is computed."""
    if isinstance(node, s.Name):
        return _named(node.name, (), query.sources)
    if isinstance(node, s.Member) and isinstance(node.of, s.Name):
        return _named(node.of.name, tuple(step.key for step in node.steps), query.sources)
    left = folded(node)
    return None if left is node else document_path(left, query)


def compared(node: s.Expression, query: s.Query) -> set[Path]:
    """The paths of the documents that the expression of the query is about."""
    path = document_path(node, query)
    if path is not None:
        return {path} if path else set()
    return {found for child in s.children(node) for found in compared(child, query)}


def _named(name: str, steps: Path, sources: tuple[s.Source, ...]) -> Path | None:
    """A path that begins at one of FROM's names."""
    for number, source in enumerate(sources):
        if source.alias != name:
            continue
        inner = (ELEMENT, *steps) if source.iterates else steps
        if isinstance(source.collection, s.Query):
            return _selected(source.collection, inner, sources[:number])
        keys = tuple(step.key for step in source.collection.steps)
        if number == 0:
            return (*keys, *inner)
        return _named(source.collection.root, (*keys, *inner), sources[:number])
    return steps if not sources else None


def _selected(query: s.Query, steps: Path, around: tuple[s.Source, ...]) -> Path | None:
    """A path of a subquery's results."""
    sources = (*around, *query.sources)
    if query.group:
        return None
    if query.select.kind == "*":
        alias = query.sources[0].alias if query.sources else None
        return None if alias is None else _named(alias, steps, sources)
    if query.select.kind == "list":
        columns = dict(zip(s.column_names(query.select), query.select.items, strict=True))
        if not steps or steps[0] not in columns:
            return None
        item, steps = columns[str(steps[0])], steps[1:]
    else:
        item = query.select.items[0]
    value = folded(s.Member(item.value, tuple(map(s.Step, steps))) if steps else item.value)
    if isinstance(value, s.Name):
        return _named(value.name, (), sources)
    if isinstance(value, s.Member) and isinstance(value.of, s.Name):
        return _named(value.of.name, tuple(step.key for step in value.steps), sources)
    return None
