"""A whole query: parsed, bound and compiled once a text, then run over documents.

The steps are those of the language: FROM and JOIN make rows, WHERE keeps some, GROUP BY or an aggregate folds them,
ORDER BY sorts, SELECT shapes, DISTINCT drops repeats, OFFSET, LIMIT and TOP cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.binder import bound
from localazure.cosmos.sql.expressions import Bindings, Compiled, Compiler, Scope
from localazure.cosmos.sql.grouping import is_aggregated, part_of
from localazure.cosmos.sql.pushdown import candidates, leaves_anything, pinned
from localazure.cosmos.sql.sources import DOCUMENT, WHOLE_ROW, Rows, document_name, is_document, rows
from localazure.cosmos.sql.values import UNDEFINED, identity, order_key

_COUNTS = {
    "TOP": ("SC2060", "The count value provided for a TOP clause must be an integer."),
    "OFFSET": ("SC2062", "The OFFSET count value exceeds the maximum allowed value."),
    "LIMIT": ("SC2061", "The LIMIT count value exceeds the maximum allowed value."),
}


@dataclass(frozen=True)
class Query:
    """A compiled query. `reads` says whether it has a FROM, `document` what scopes call a document."""

    tree: s.Query
    reads: bool
    document: str
    rows: Rows
    where: Compiled | None
    group: tuple[Compiled, ...]
    sort: tuple[tuple[Compiled, bool], ...]
    shape: Compiled
    aggregates: bool

    @property
    def distinct(self) -> bool:
        return self.tree.distinct

    @cached_property
    def distinct_is_sorted(self) -> bool:
        """Whether ORDER BY sorts by what is selected, or by parts of it, and so equal results have equal places."""
        selected = [item.value for item in self.tree.select.items]
        return self.tree.select.kind == "*" or all(part_of(sort.value, selected) for sort in self.tree.order)

    @cached_property
    def descends(self) -> bool:
        """Whether anything is sorted downwards: then equal rows come with the latest document first."""
        return any(descending for _, descending in self.sort)

    @cached_property
    def gives_documents(self) -> bool:
        """Whether each result is a document as it is."""
        select = self.tree.select
        if self.group or self.aggregates or self.distinct or len(self.tree.sources) != 1 or not self.document:
            return False
        return select.kind == "*" or (select.kind == "VALUE" and select.items[0].value == s.Name(self.document))

    @cached_property
    def _left_at(self) -> dict[tuple[str, ...], tuple[bool, str | None]]:
        """Whether WHERE leaves any value possible at a path, and a parameter whose value alone it leaves, of the paths
        that were asked for."""
        return {}

    def candidates(self, path: tuple[str, ...], parameters: Mapping[str, Any]) -> list[Any] | None:
        """The values at the path (property names) that WHERE leaves possible, or `None` for any."""
        left = self._left_at.get(path)
        if left is None:
            left = self._left_at[path] = leaves_anything(self.tree, path), pinned(self.tree, path)
        anything, parameter = left
        if anything:
            return None
        if parameter is not None and parameter in parameters:
            return [parameters[parameter]]
        return candidates(self.tree, path, parameters)

    @property
    def streams(self) -> bool:
        """Whether results can be given while documents are read, in their order."""
        return not (self.sort or self.distinct or self.group or self.aggregates)

    def scope(self, document: Any, given: Bindings) -> Scope:
        """What a document is to the query's FROM."""
        return Scope({self.document: document}, given)

    def rows_of(self, document: Any, given: Bindings) -> Iterable[Scope]:
        """The rows that one document becomes and that WHERE keeps."""
        scope = self.scope(document, given)
        if not self._document_is_row:
            return self.matching([scope])
        return (scope,) if self.where is None or self.where(scope) is True else ()

    @cached_property
    def _document_is_row(self) -> bool:
        sources = self.tree.sources
        return len(sources) == 1 and is_document(sources[0])

    def run(self, documents: Iterable[Any], given: Bindings) -> list[Any]:
        """The results, in order. Raises QueryError."""
        scopes = (self.scope(document, given) for document in documents) if self.reads else [Scope({}, given)]
        return self.results(scopes, Scope({}, given))

    def results(self, scopes: Iterable[Scope], outer: Scope) -> list[Any]:
        """As `run`, over scopes that the caller made."""
        found: Iterable[Scope] = self.matching(scopes)
        if self.group or self.aggregates:
            found = self._folded(found, outer)
        if self.sort:
            found = list(found)
            for expression, descending in reversed(self.sort):
                found.sort(key=lambda row: order_key(expression(row)), reverse=descending)
        values = [value for row in found if (value := self.shape(row)) is not UNDEFINED]
        if self.distinct:
            values = list({identity(value): value for value in reversed(values)}.values())[::-1]
        skip, take = self.bounds(outer.given.parameters)
        return values[skip:] if take is None else values[skip : skip + take]

    def matching(self, scopes: Iterable[Scope]) -> Iterator[Scope]:
        """The rows that FROM and JOIN make of the scopes and that WHERE keeps."""
        found = self.rows(scopes)
        if self.where is None:
            return found
        condition = self.where
        return (row for row in found if condition(row) is True)

    def bounds(self, parameters: Mapping[str, Any]) -> tuple[int, int | None]:
        """How many results to leave out, and how many to give at most. Raises QueryError."""
        tree = self.tree
        if tree.offset is not None and tree.limit is not None:
            return count(tree.offset, "OFFSET", parameters), count(tree.limit, "LIMIT", parameters)
        return 0, None if tree.top is None else count(tree.top, "TOP", parameters)

    def _folded(self, found: Iterable[Scope], outer: Scope) -> list[Scope]:
        groups: dict[tuple[str, ...], list[Scope]] = {} if self.group else {(): []}
        for row in found:
            groups.setdefault(self.group_of(row), []).append(row)
        return [folded(members, outer) for members in groups.values()]

    def group_of(self, row: Scope) -> tuple[str, ...]:
        """The same for all rows of one group."""
        return tuple(identity(expression(row)) for expression in self.group)


def folded(members: list[Scope], outer: Scope) -> Scope:
    """One row for a group of rows, or for none."""
    return Scope(members[0].names if members else _Nothing(outer.names), outer.given, members)


class _Nothing(dict[str, Any]):
    """The names of no row at all: undefined, but for those around."""

    def __missing__(self, name: str) -> Any:
        return UNDEFINED


def count(given: s.Count, clause: str, parameters: Mapping[str, Any]) -> int:
    """The number of TOP, OFFSET or LIMIT. Raises QueryError."""
    value = parameters.get(given.value) if isinstance(given.value, str) else given.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or value < 0:
        code, message = _COUNTS[clause]
        raise QueryError(message, code, *given.place)
    return value


@lru_cache(maxsize=512)
def parse(text: str) -> Query:
    """Raises QueryError with the place of the error."""
    return _compiled(bound(text), True, Compiler(_subquery))


def parse_open(text: str, literals: Mapping[int, int]) -> tuple[Query, frozenset[int]]:
    """As `parse`, but literals of WHERE are taken from what the query is given; and the numbers of those that are.

    `literals` are their numbers by the places at which they begin.
    """
    compiler = Compiler(_subquery, literals)
    query = _compiled(bound(text), True, compiler)
    return query, frozenset(compiler.open)


def _compiled(tree: s.Query, whole: bool, for_where: Compiler) -> Query:
    """`whole`: its FROM reads the container."""
    compiler = Compiler(_subquery)
    return Query(
        tree=tree,
        reads=bool(tree.sources),
        document=document_name(tree.sources) if whole else DOCUMENT,
        rows=rows(tree.sources, whole, _source_query),
        where=None if tree.where is None else for_where.compile(tree.where),
        group=tuple(compiler.compile(node) for node in tree.group),
        sort=tuple((compiler.compile(sort.value), sort.descends) for sort in tree.order),
        shape=_shape(tree, compiler),
        aggregates=is_aggregated(tree),
    )


def _subquery(tree: s.Query) -> Callable[[Scope], list[Any]]:
    return _source_query(tree, False)


def _source_query(tree: s.Query, whole: bool) -> Callable[[Scope], list[Any]]:
    query = _compiled(tree, whole, Compiler(_subquery))

    def run(scope: Scope) -> list[Any]:
        own = query.scope(scope.names[DOCUMENT], scope.given) if whole else scope
        return query.results([own], own)

    return run


def _shape(tree: s.Query, compiler: Compiler) -> Compiled:
    if tree.select.kind == "*":
        name = tree.sources[0].alias or WHOLE_ROW if tree.sources else None
        return lambda scope: UNDEFINED if name is None else scope.names[name]
    if tree.select.kind == "VALUE":
        return compiler.compile(tree.select.items[0].value)
    values = [compiler.compile(item.value) for item in tree.select.items]
    parts = list(zip(s.column_names(tree.select), values, strict=True))

    def shaped(scope: Scope) -> Any:
        return {name: value for name, part in parts if (value := part(scope)) is not UNDEFINED}

    return shaped
