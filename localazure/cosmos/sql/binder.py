"""What can be said of a query from its tree alone: names, functions and their arguments, aggregates, subqueries.

Numbers and words are those of Microsoft's planner; so is the order of what is wrong: FROM, WHERE, GROUP BY, ORDER BY,
SELECT, and within an expression from inside outwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.functions import AGGREGATES, REFUSED, arity
from localazure.cosmos.sql.grouping import check_grouped, is_aggregated
from localazure.cosmos.sql.parser import parsed
from localazure.cosmos.sql.paths import sorts_by_path

MAX_JOINS = 10
"""Source: `maxJoinsPerSqlQuery` of the service's account document."""
_UNMAPPED = "Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path."
_NESTED = "Cannot perform an aggregate function on an expression containing an aggregate or a subquery."
_GROUPED = "Cannot use an aggregate or a subquery in an expression used for the group by list of a GROUP BY clause."

Names = frozenset[str]


@lru_cache(maxsize=512)
def bound(text: str) -> s.Query:
    """The tree of a query in which nothing is wrong. Raises QueryError."""
    query = parsed(text)
    binder = _Binder()
    binder.query(query, None, frozenset())
    if binder.joins > MAX_JOINS:
        message = f"The SQL query exceeded the maximum number of joins. The allowed limit is {MAX_JOINS}."
        binder.wrong(message, "SC3002", query.place)
    folds = is_aggregated(query) and not query.group
    if not binder.errors and query.sources and not folds and not sorts_by_path(query):
        unmapped = QueryError(_UNMAPPED)
        unmapped.errors = [{"severity": "Error", "code": 2206, "message": _UNMAPPED}]
        binder.errors.append(unmapped)
    if binder.errors:
        raise QueryError.of(binder.errors)
    return query


class _Binder:
    def __init__(self) -> None:
        self.errors: list[QueryError] = []
        self.joins = 0

    def wrong(self, message: str, code: str, place: s.Place) -> None:
        self.errors.append(QueryError(message, code, *place))

    def query(self, query: s.Query, outer: Names | None, used: Names) -> None:
        """`outer`: the names around it (`None`: it may read the container); `used`: those that FROM may not repeat."""
        self._bounds(query)
        names, used = self._sources(query.sources, outer, used)
        if query.where is not None:
            for call in aggregates(query.where):
                self.wrong("Aggregates are not allowed in the WHERE clause.", "SC2104", call.place)
            self._expression(query.where, names, used)
        for grouped in query.group:
            self._grouped(grouped, names, used)
        for sort in query.order:
            self._expression(sort.value, names, used)
        for item in query.select.items:
            self._expression(item.value, names, used)
        self._columns(query)
        if is_aggregated(query):
            self.errors += check_grouped(query, frozenset(filter(None, (source.alias for source in query.sources))))

    def _sources(self, sources: Iterable[s.Source], outer: Names | None, used: Names) -> tuple[Names, Names]:
        names, first = outer or frozenset(), outer is None
        for number, source in enumerate(sources):
            self.joins += number > 0
            alias = source.alias
            if isinstance(source.collection, s.Query):
                self.query(source.collection, None if first else names, used)
                self._inner_clauses(source.collection)
            elif not first and source.collection.root not in names:
                self._unresolved(source.collection.root, source.collection.place)
            first = False
            if alias is None or (source.name is None and alias in names and _is_bare(source)):
                continue
            if alias in used:
                message = f"The input set name or alias '{alias}' is specified more than once in the FROM clause."
                self.wrong(message, "SC2021", source.name_place)
            names, used = names | {alias}, used | {alias}
        return names, used

    def _unresolved(self, name: str, place: s.Place) -> None:
        self.wrong(f"Identifier '{name}' could not be resolved.", "SC2001", place)

    def _grouped(self, node: s.Expression, names: Names, used: Names) -> None:
        self._expression(node, names, used)
        if any(isinstance(part, s.Subquery) or is_aggregate(part) for part in walk(node)):
            self.wrong(_GROUPED, "SC2111", node.place)
        if not any(isinstance(part, s.Name) and part.name in names for part in walk(node)):
            self.wrong("Each GROUP BY expression must contain at least one property reference.", "SC2110", node.place)

    def _columns(self, query: s.Query) -> None:
        if query.select.kind == "*":
            if query.group:
                self.wrong("'SELECT *' is not allowed with GROUP BY.", "SC2041", query.select.place)
            elif (
                sum(not _is_repeated(source, query.sources[:number]) for number, source in enumerate(query.sources)) > 1
            ):
                self.wrong("'SELECT *' is only valid with a single input set.", "SC2042", query.select.place)
        if query.select.kind == "list":
            seen: set[str] = set()
            for name, item in zip(s.column_names(query.select), query.select.items, strict=True):
                self._repeated(name, seen, _name_place(item))

    def _repeated(self, name: str, seen: set[str], place: s.Place) -> None:
        if name in seen:
            message = f"Object creation error, property name '{name}' specified more than once."
            self.wrong(message, "SC2022", place)
        seen.add(name)

    def _bounds(self, query: s.Query) -> None:
        if query.top is not None and query.offset is not None:
            message = "A TOP cannot be used in the same query or subquery as an OFFSET."
            self.wrong(message, "SC2205", query.place)
        if query.top is not None and _is_no_count(query.top.value):
            message = "The count value provided for a TOP clause must be an integer."
            self.wrong(message, "SC2060", query.top.place)

    def _expression(self, node: s.Expression, names: Names, used: Names) -> None:
        for child in s.children(node):
            self._expression(child, names, used)
        match node:
            case s.Name() if node.name not in names:
                self._unresolved(node.name, node.place)
            case s.Object():
                seen: set[str] = set()
                for pair in node.pairs:
                    self._repeated(pair.name, seen, pair.place)
            case s.Like() if node.escape is not None and len(node.escape) != 1:
                message = f"The invalid escape character '{node.escape}' was specified in a LIKE predicate."
                self.wrong(message, "SC2207", node.escape_place)
            case s.Call():
                self._call(node)
            case s.Subquery():
                self._subquery(node, names, used)

    def _call(self, node: s.Call) -> None:
        if node.user:
            message = f"user-defined functions are not supported by the local server: udf.{node.name}"
            self.wrong(message, "", node.place)
            return
        known = arity(node.function)
        if known is None:
            place = (node.place[0], node.place[0] + len(node.name))
            self.wrong(f"'{node.name}' is not a recognized built-in function name.", "SC2005", place)
            return
        least, most = known
        if len(node.arguments) < least or (most is not None and len(node.arguments) > most):
            some = str(least) if most == least else f"at least {least}" if most is None else f"{least} to {most}"
            self.wrong(f"The {node.name} function requires {some} argument(s).", "SC2050", node.place)
        elif node.function in REFUSED:
            message = f"'{node.function}' is not a recognized built-in function name of the local server."
            self.wrong(message, "SC2005", node.place)
        elif node.function in AGGREGATES and any(is_aggregate(part) for one in node.arguments for part in walk(one)):
            self.wrong(_NESTED, "SC2101", node.place)

    def _subquery(self, node: s.Subquery, names: Names, used: Names) -> None:
        inner = node.query
        self.query(inner, names, used)
        self._inner_clauses(inner)
        if node.kind == "SCALAR" and not _is_single(inner):
            message = "The cardinality of a scalar subquery result set cannot be greater than one."
            self.wrong(message, "SC2201", inner.place)

    def _inner_clauses(self, query: s.Query) -> None:
        if query.order:
            self.wrong("'ORDER BY' is not supported in subqueries.", "SC2202", query.order_place)
        if query.top is not None:
            self.wrong("'TOP' is not supported in subqueries.", "SC2203", query.top_place)
        if query.offset is not None:
            self.wrong("'OFFSET LIMIT' clause is not supported in subqueries.", "SC2204", query.offset_place)


def walk(node: s.Expression) -> Iterable[s.Expression]:
    """The expression and all that it is made of; what is in a subquery is not among them."""
    yield node
    for child in s.children(node):
        yield from walk(child)


def is_aggregate(node: s.Expression) -> bool:
    return isinstance(node, s.Call) and not node.user and node.function in AGGREGATES


def aggregates(node: s.Expression) -> list[s.Call]:
    """The aggregate calls of an expression, outermost first."""
    return [part for part in walk(node) if isinstance(part, s.Call) and is_aggregate(part)]


def _is_no_count(value: int | float | str) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and value >= 2**32)


def _is_repeated(source: s.Source, before: Sequence[s.Source]) -> bool:
    """Whether the source is a name that is there already, and so no other input set."""
    return source.name is None and _is_bare(source) and source.alias in [other.alias for other in before]


def _is_bare(source: s.Source) -> bool:
    return isinstance(source.collection, s.PathSource) and not source.collection.steps


def _is_single(query: s.Query) -> bool:
    """Whether the query has one result at most."""
    if is_aggregated(query):
        return not query.group
    return all(
        not source.iterates and (isinstance(source.collection, s.PathSource) or _is_single(source.collection))
        for source in query.sources
    )


def _name_place(item: s.Item) -> s.Place:
    """Where the text says what a column is called."""
    if item.alias is not None:
        return item.alias_place
    if isinstance(item.value, s.Member):
        return item.value.steps[-1].place
    return item.value.place
