"""FROM and JOIN: how the rows that the rest of a query sees are made of documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.expressions import Scope, follow
from localazure.cosmos.sql.values import UNDEFINED

Rows = Callable[[Iterable[Scope]], Iterator[Scope]]
Subquery = Callable[[s.Query, bool], Callable[[Scope], Iterable[Any]]]
"""Compiles a query that a row is given to; the flag says whether it reads the container."""

DOCUMENT = ""
"""The name of the container's document in the scope of a whole query: none that a query can say."""


WHOLE_ROW = "*"
"""The name of what a source without an alias has for a row: only SELECT * asks for it."""


def document_name(sources: tuple[s.Source, ...]) -> str:
    """What a whole query's scope calls the document: the name that FROM gives it, where it gives it no other value."""
    return sources[0].alias or DOCUMENT if sources and is_document(sources[0]) else DOCUMENT


def is_document(source: s.Source) -> bool:
    """Whether a source at the head of FROM gives each document as it is."""
    return isinstance(source.collection, s.PathSource) and not source.collection.steps and not source.iterates


def rows(sources: tuple[s.Source, ...], whole: bool, subquery: Subquery) -> Rows:
    """How rows are made. `whole`: the first source is the container's, and no name of a query around."""
    numbered = enumerate(sources)
    if whole and sources and is_document(sources[0]):
        next(numbered)  # each document is a row as it is
    steps = [_step(source, whole and number == 0, subquery) for number, source in numbered]

    def made(scopes: Iterable[Scope]) -> Iterator[Scope]:
        for step in steps:
            scopes = step(scopes)
        return iter(scopes)

    return made


def _step(source: s.Source, whole: bool, subquery: Subquery) -> Rows:
    find = _found(source, whole, subquery)
    name = source.alias or WHOLE_ROW

    def step(scopes: Iterable[Scope]) -> Iterator[Scope]:
        for scope in scopes:
            for value in find(scope):
                yield Scope({**scope.names, name: value}, scope.given)

    return step


def _found(source: s.Source, whole: bool, subquery: Subquery) -> Callable[[Scope], Iterable[Any]]:
    """The values that the source has for a row."""
    if isinstance(source.collection, s.Query):
        run = subquery(source.collection, whole)
        if not source.iterates:
            return run
        return lambda scope: [item for value in run(scope) if isinstance(value, list) for item in value]
    root = DOCUMENT if whole else source.collection.root
    keys = tuple(step.key for step in source.collection.steps)
    iterates = source.iterates

    def found(scope: Scope) -> Iterable[Any]:
        value = follow(scope.names[root], keys)
        if iterates:
            return value if isinstance(value, list) else ()
        return () if value is UNDEFINED else (value,)

    return found
