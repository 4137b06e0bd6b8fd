"""A query as a tree: what the parser makes, and the binder, the planner and the compiler read.

Trees are equal if they mean the same: places in the text, and how a name was quoted, do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

Place = tuple[int, int]
"""Where in the text: the first character, and the one after the last."""
NOWHERE: Place = (0, 0)


@dataclass(frozen=True, slots=True)
class Node:
    """Base of what an expression is made of."""

    place: Place = field(default=NOWHERE, compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Constant(Node):
    value: Any

    def __eq__(self, other: object) -> bool:
        # 1 and true are equal to Python
        return isinstance(other, Constant) and self._known() == other._known()

    def __hash__(self) -> int:
        return hash(self._known())

    def _known(self) -> tuple[bool, Any]:
        return isinstance(self.value, bool), self.value


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """`name` begins with `@`."""

    name: str


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a property, or a place in an array. `dotted`: written as `.name`."""

    key: str | int | float
    dotted: bool = field(default=False, compare=False)
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`of` is no Member itself: the steps of a path are all here."""

    of: Expression
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    operator: Literal["NOT", "-", "+", "~"]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """Operators of one rank, from left to right: `first op operand op operand …`. It may be thousands long."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class In(Node):
    wanted: Expression
    choices: tuple[Expression, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Like(Node):
    wanted: Expression
    pattern: Expression
    escape: str | None
    negated: bool
    escape_place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Between(Node):
    wanted: Expression
    low: Expression
    high: Expression
    negated: bool


@dataclass(frozen=True, slots=True)
class Ternary(Node):
    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Coalesce(Node):
    first: Expression
    second: Expression


@dataclass(frozen=True, slots=True)
class Array(Node):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    name: str
    value: Expression
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Object(Node):
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`function` is the name in capitals; of a user-defined function, the name as it is."""

    function: str
    arguments: tuple[Expression, ...]
    user: bool = False
    name: str = field(default="", compare=False)
    """As it was written."""


@dataclass(frozen=True, slots=True)
class Subquery(Node):
    """`kind` is the keyword before the parentheses, `SCALAR` for none."""

    kind: Literal["SCALAR", "EXISTS", "ARRAY", "ALL", "FIRST", "LAST"]
    query: Query


Expression = (
    Constant
    | Parameter
    | Name
    | Member
    | Unary
    | Chain
    | In
    | Like
    | Between
    | Ternary
    | Coalesce
    | Array
    | Object
    | Call
    | Subquery
)


@dataclass(frozen=True, slots=True)
class Item:
    """One column of a SELECT list."""

    value: Expression
    alias: str | None
    alias_place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Select:
    kind: Literal["*", "VALUE", "list"]
    items: tuple[Item, ...]
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class PathSource:
    root: str
    steps: tuple[Step, ...]
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """A collection of FROM or JOIN: `name IN collection` iterates over arrays, `collection AS name` does not."""

    collection: PathSource | Query
    name: str | None
    iterates: bool
    name_place: Place = field(default=NOWHERE, compare=False)

    @property
    def alias(self) -> str | None:
        """The name by which the rest of the query knows it."""
        if self.name is not None or not isinstance(self.collection, PathSource):
            return self.name
        if not self.collection.steps:
            return self.collection.root
        last = self.collection.steps[-1].key
        return last if isinstance(last, str) else None


@dataclass(frozen=True, slots=True)
class Sort:
    value: Expression
    direction: Literal["", "ASC", "DESC"]

    @property
    def descends(self) -> bool:
        return self.direction == "DESC"


@dataclass(frozen=True, slots=True)
class Count:
    """The number of TOP, OFFSET or LIMIT, or the parameter that has it."""

    value: int | float | str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Query:
    select: Select
    distinct: bool = False
    top: Count | None = None
    top_place: Place = field(default=NOWHERE, compare=False)
    sources: tuple[Source, ...] = ()
    where: Expression | None = None
    group: tuple[Expression, ...] = ()
    order: tuple[Sort, ...] = ()
    order_place: Place = field(default=NOWHERE, compare=False)
    offset: Count | None = None
    limit: Count | None = None
    offset_place: Place = field(default=NOWHERE, compare=False)
    place: Place = field(default=NOWHERE, compare=False)


def children(node: Expression) -> Iterator[Expression]:
    """The expressions that an expression is made of; a subquery's are not among them."""
    for part in fields(node):
        if part.compare:
            yield from _expressions(getattr(node, part.name))


def _expressions(value: Any) -> Iterator[Expression]:
    if isinstance(value, Node):
        yield value  # type: ignore[misc]  # every Node is one of the union
    elif isinstance(value, Pair):
        yield value.value
    elif isinstance(value, tuple):
        for inner in value:
            yield from _expressions(inner)


def default_name(expression: Expression) -> str | None:
    """What a column without an alias is called: its last property; `None`: it is numbered."""
    if isinstance(expression, Name):
        return expression.name
    if isinstance(expression, Member):
        last = expression.steps[-1].key
        return last if isinstance(last, str) else None
    return None


def column_names(select: Select) -> list[str]:
    """The names of a SELECT list, in order: columns without a name are `$1`, `$2` …"""
    names: list[str] = []
    unnamed = 0
    for item in select.items:
        name = item.alias if item.alias is not None else default_name(item.value)
        if name is None:
            unnamed += 1
            while f"${unnamed}" in names:
                unnamed += 1
            name = f"${unnamed}"
        names.append(name)
    return names


def replaced(query: Query, **changes: Any) -> Query:
    """The query with other clauses."""
    return replace(query, **changes)
