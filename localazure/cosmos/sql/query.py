"""A whole query: parsed and compiled once a text, then run over documents.

The steps are those of the language: FROM and JOIN make rows, WHERE keeps some, GROUP BY or an aggregate folds them,
ORDER BY sorts, SELECT shapes, DISTINCT drops repeats, OFFSET, LIMIT and TOP cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import LarkError, UnexpectedInput

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql.checks import check_aggregates, check_compositions, check_folded, fault, sorts_selected
from localazure.cosmos.sql.expressions import Compiler, Expression, Given, Scope, unquote
from localazure.cosmos.sql.values import UNDEFINED, identity, order_key

_PARSER = Lark(
    (Path(__file__).parent / "grammar.lark").read_text(),
    parser="lalr",
    maybe_placeholders=True,
    start=["start", "expr"],
)

Rows = Callable[[Iterable[Scope]], Iterator[Scope]]


@dataclass(frozen=True)
class Query:
    """A compiled query. `root` is the name the documents go by; `""` for a query without FROM."""

    root: str
    rows: Rows
    where: Expression | None
    group: tuple[Expression, ...]
    sort: tuple[tuple[Expression, bool], ...]
    shape: Expression
    distinct: bool
    distinct_is_sorted: bool
    aggregates: bool
    top: Expression | None
    offset: Expression | None
    limit: Expression | None
    tree: Tree[Token]

    @property
    def streams(self) -> bool:
        """Whether results can be given while documents are read, in their order."""
        return not (self.sort or self.distinct or self.group or self.aggregates)

    def run(self, documents: Iterable[Any], parameters: Mapping[str, Any], now: float) -> list[Any]:
        """The results, in order. Raises QueryError."""
        given = Given(parameters, now)
        scopes = (Scope({self.root: document}, given) for document in documents) if self.root else [Scope({}, given)]
        return self.results(scopes, Scope({}, given))

    def results(self, scopes: Iterable[Scope], outer: Scope) -> list[Any]:
        """As `run`, over scopes that the caller made."""
        rows: Iterable[Scope] = self.matching(scopes)
        if self.group or self.aggregates:
            rows = self._folded(rows, outer)
        if self.sort:
            rows = list(rows)
            for expression, descending in reversed(self.sort):
                rows.sort(key=lambda row: order_key(expression(row)), reverse=descending)
        found = [value for row in rows if (value := self.shape(row)) is not UNDEFINED]
        if self.distinct:
            found = list({identity(value): value for value in reversed(found)}.values())[::-1]
        skip, take = self.bounds(outer)
        return found[skip:] if take is None else found[skip : skip + take]

    def matching(self, scopes: Iterable[Scope]) -> Iterator[Scope]:
        """The rows that FROM and JOIN make of the scopes and that WHERE keeps."""
        rows = self.rows(scopes)
        if self.where is None:
            return rows
        condition = self.where
        return (row for row in rows if condition(row) is True)

    def bounds(self, outer: Scope) -> tuple[int, int | None]:
        """How many results to leave out, and how many to give at most. Raises QueryError."""
        skip, most = 0, []
        if self.top is not None:
            most.append(_count(self.top(outer), "TOP"))
        if self.offset is not None and self.limit is not None:
            skip = _count(self.offset(outer), "OFFSET")
            most.append(_count(self.limit(outer), "LIMIT"))
        return skip, min(most, default=None)

    def _folded(self, rows: Iterable[Scope], outer: Scope) -> list[Scope]:
        groups: dict[tuple[str, ...], list[Scope]] = {} if self.group else {(): []}
        for row in rows:
            groups.setdefault(self.group_of(row), []).append(row)
        return [folded(members, outer) for members in groups.values()]

    def group_of(self, row: Scope) -> tuple[str, ...]:
        """The same for all rows of one group."""
        return tuple(identity(expression(row)) for expression in self.group)


def folded(members: list[Scope], outer: Scope) -> Scope:
    """One row for a group of rows, or for none."""
    return Scope(members[0].names if members else outer.names, outer.given, members)


@lru_cache(maxsize=512)
def parse(text: str) -> Query:
    """Raises QueryError with the place of the error."""
    return _compile(_parsed(text, "start"))


def _parsed(text: str, start: str) -> Tree[Token]:
    try:
        return _PARSER.parse(text, start=start)
    except UnexpectedInput as exc:
        near = getattr(exc, "token", None)
        begin = len(text) if near is not None and near.type == "$END" else int(exc.pos_in_stream or 0)
        near = text[begin : begin + 1] if near is None else str(near)
        place = f"line {text.count(chr(10), 0, begin) + 1}, column {begin - text.rfind(chr(10), 0, begin)}"
        message = f"Syntax error, incorrect syntax near '{near}' ({place})."
        raise QueryError(message, "SC1001", begin, begin + max(1, len(near))) from exc
    except LarkError as exc:
        raise QueryError(f"Syntax error: {str(exc).splitlines()[0]}", "SC1001") from exc


def _compile(tree: Tree[Token], outer: frozenset[str] | None = None) -> Query:
    """`outer` are the names that a subquery is given; `None` for a whole query."""
    distinct, top, selection, source, where, group, order, page = tree.children
    selection = _tree(selection)
    clauses = [None if clause is None else _tree(clause) for clause in (where, group, order)]
    check_aggregates(selection, *clauses)
    root, first, own, rows = _source(source, outer)
    if selection.data == "select_all" and len(own) != 1:
        raise fault("'SELECT *' is only valid with a single input set.", tree)
    compiler = Compiler(_subquery, own if outer is None else own | outer)
    shape = _shape(selection, compiler, first)
    if compiler.aggregates or group is not None:
        check_folded(selection, clauses[1], own)
    if compiler.aggregates and outer is None and root:
        check_compositions(selection)
    return Query(
        root=root,
        rows=rows,
        where=None if where is None else compiler.compile(_tree(_tree(where).children[0])),
        group=() if group is None else tuple(compiler.compile(_tree(item)) for item in _tree(group).children),
        sort=() if order is None else tuple(_sort(_tree(item), compiler) for item in _tree(order).children),
        shape=shape,
        distinct=distinct is not None,
        distinct_is_sorted=order is None or sorts_selected(selection, _tree(order)),
        aggregates=compiler.aggregates,
        top=None if top is None else compiler.compile(_tree(_tree(top).children[0])),
        offset=None if page is None else compiler.compile(_tree(_tree(page).children[0])),
        limit=None if page is None else compiler.compile(_tree(_tree(page).children[1])),
        tree=tree,
    )


def _subquery(tree: Tree[Token], names: frozenset[str]) -> Callable[[Scope], list[Any]]:
    query = _compile(tree, names)

    def run(scope: Scope) -> list[Any]:
        return query.results([scope], scope)

    return run


def _shape(tree: Tree[Token], compiler: Compiler, first: str) -> Expression:
    if tree.data == "select_all":
        return lambda scope: scope.names[first]
    if tree.data == "select_value":
        return compiler.compile(_tree(tree.children[0]))
    parts: list[tuple[str, Expression]] = []
    for number, item in enumerate(map(_tree, tree.children), start=1):
        expression, alias = item.children
        name = str(alias) if alias is not None else _default_name(_tree(expression), number)
        parts.append((name, compiler.compile(_tree(expression))))

    def shaped(scope: Scope) -> Any:
        return {name: value for name, part in parts if (value := part(scope)) is not UNDEFINED}

    return shaped


def _default_name(expression: Tree[Token], number: int) -> str:
    if expression.data in ("member", "name"):
        return str(expression.children[-1])
    if expression.data == "index" and isinstance(expression.children[1], Tree):
        inner = expression.children[1]
        if inner.data == "string":
            return unquote(str(inner.children[0]))
    return f"${number}"


def _sort(tree: Tree[Token], compiler: Compiler) -> tuple[Expression, bool]:
    expression, direction = tree.children
    return compiler.compile(_tree(expression)), direction is not None and str(direction).lower() == "desc"


def _source(tree: Any, outer: frozenset[str] | None) -> tuple[str, str, frozenset[str], Rows]:
    """FROM and JOIN: the documents' name, the first name for a row, all names, and how to make rows.

    Raises QueryError for a path that begins with an unknown name.
    """
    if tree is None:
        return "", "", frozenset(), iter
    source, *joins = tree.children
    steps: list[Callable[[Iterable[Scope]], Iterator[Scope]]] = []
    path = _path(source.children[-1] if source.data == "from_in" else source.children[0])
    root = path[0]
    if outer is not None and root not in outer:
        raise _unresolved(root, source)
    first = root
    if source.data == "from_in":
        first = str(source.children[0])
        steps.append(_join(first, path))
    elif len(path) > 1:
        alias = source.children[1]
        first = str(path[-1] if alias is None else alias.children[0])
        steps.append(_descend(first, path))
    elif source.children[1] is not None:
        first = str(source.children[1].children[0])
        if outer is None:
            root = first
        else:
            steps.append(_descend(first, path))
    names = {first}
    for join in joins:
        path = _path(join.children[1])
        if path[0] not in names | (outer or frozenset()):
            raise _unresolved(path[0], join.children[1])
        names.add(str(join.children[0]))
        steps.append(_join(str(join.children[0]), path))

    def rows(scopes: Iterable[Scope]) -> Iterator[Scope]:
        for step in steps:
            scopes = step(scopes)
        return iter(scopes)

    return root, first, frozenset(names), rows


def _unresolved(name: str, tree: Tree[Token]) -> QueryError:
    return fault(f"Identifier '{name}' could not be resolved.", tree, "SC2001")


def _join(name: str, path: list[Any]) -> Callable[[Iterable[Scope]], Iterator[Scope]]:
    def step(scopes: Iterable[Scope]) -> Iterator[Scope]:
        for scope in scopes:
            found = _follow(scope, path)
            for item in found if isinstance(found, list) else ():
                yield Scope({**scope.names, name: item}, scope.given)

    return step


def _descend(name: str, path: list[Any]) -> Callable[[Iterable[Scope]], Iterator[Scope]]:
    def step(scopes: Iterable[Scope]) -> Iterator[Scope]:
        for scope in scopes:
            found = _follow(scope, path)
            if found is not UNDEFINED:
                yield Scope({**scope.names, name: found}, scope.given)

    return step


def _follow(scope: Scope, path: list[Any]) -> Any:
    value: Any = scope.names.get(path[0], UNDEFINED)
    for part in path[1:]:
        if isinstance(value, dict):
            value = value.get(part, UNDEFINED)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return UNDEFINED
    return value


def _path(tree: Tree[Token]) -> list[Any]:
    parts: list[Any] = []
    for token in tree.children:
        assert isinstance(token, Token), "a path is made of tokens"
        if token.type == "STRING":
            parts.append(unquote(str(token)))
        else:
            parts.append(int(token) if token.type == "INT" else str(token))
    return parts


def _count(value: Any, clause: str) -> int:
    if type(value) is not int or value < 0:
        raise QueryError(f"{clause} must be a non-negative integer")
    return value


def _tree(value: Any) -> Tree[Token]:
    assert isinstance(value, Tree), "the grammar has a tree here"
    return value
