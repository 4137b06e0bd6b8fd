"""The syntax tree of an expression. `at` is the offset of the node in its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Literal:
    at: int
    type: str
    value: Any


@dataclass(frozen=True)
class Interpolated:
    """`$"…"`: texts, and holes as (expression, width, format)."""

    at: int
    parts: tuple[str | tuple[Node, int, str], ...]


@dataclass(frozen=True)
class Name:
    at: int
    name: str


@dataclass(frozen=True)
class TypeName:
    """A type where only its static members can follow, such as `string` or `List<int>`."""

    at: int
    type: str


@dataclass(frozen=True)
class Member:
    """`target.name`; `safe` where it was written `target?.name`."""

    at: int
    target: Node
    name: str
    safe: bool = False


@dataclass(frozen=True)
class Call:
    """`target.name<types>(arguments)`; a named argument has its name. Without a target, `name` is a variable."""

    at: int
    target: Node | None
    name: str
    types: tuple[str, ...]
    arguments: tuple[tuple[str, Node], ...]
    safe: bool = False


@dataclass(frozen=True)
class Index:
    at: int
    target: Node
    index: Node
    safe: bool = False


@dataclass(frozen=True)
class Chain:
    """A chain of members with a `?.` in it: where that meets null, all of it is null."""

    at: int
    node: Node


@dataclass(frozen=True)
class New:
    """`new type(arguments) { items }`; an item is a value, `name = value`, `[key] = value` or `{ key, value }`."""

    at: int
    type: str
    arguments: tuple[tuple[str, Node], ...]
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Item:
    """One element of an initialiser: a name or keys, and the value."""

    at: int
    name: str
    keys: tuple[Node, ...]
    value: Node


@dataclass(frozen=True)
class NewArray:
    at: int
    type: str
    size: Node | None
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Anonymous:
    """`new { name = value }`."""

    at: int
    fields: tuple[tuple[str, Node], ...]


@dataclass(frozen=True)
class Cast:
    at: int
    type: str
    operand: Node


@dataclass(frozen=True)
class Is:
    """`operand is type name`, `operand is null`; `negated` for `is not`."""

    at: int
    operand: Node
    type: str
    name: str
    negated: bool


@dataclass(frozen=True)
class As:
    at: int
    operand: Node
    type: str


@dataclass(frozen=True)
class Default:
    at: int
    type: str


@dataclass(frozen=True)
class Unary:
    at: int
    operator: str
    operand: Node


@dataclass(frozen=True)
class Binary:
    at: int
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Conditional:
    at: int
    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True)
class Lambda:
    """`parameters => body`; a type is empty where it was left out."""

    at: int
    parameters: tuple[tuple[str, str], ...]
    body: Node | Block


@dataclass(frozen=True)
class Assign:
    """`target operator= value`; the operator is empty for a plain assignment."""

    at: int
    target: Node
    operator: str
    value: Node


@dataclass(frozen=True)
class Increment:
    """`++target` or `target++`: `amount` is added, `prefix` says which value it gives."""

    at: int
    target: Node
    amount: int
    prefix: bool


@dataclass(frozen=True)
class Out:
    """`out var name`, `out type name` or, without a type, `out name`."""

    at: int
    type: str
    name: str


@dataclass(frozen=True)
class Raise:
    """`throw value` as an expression or a statement; without a value, within a catch."""

    at: int
    value: Node | None


Node: TypeAlias = (
    "Literal | Interpolated | Name | TypeName | Member | Call | Index | Chain | New | NewArray | Anonymous | Cast | Is"
    " | As | Default | Unary | Binary | Conditional | Lambda | Assign | Increment | Out | Raise"
)


@dataclass(frozen=True)
class Block:
    at: int
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Declare:
    """`var name = value, …;`, or with a type instead of `var`."""

    at: int
    type: str
    variables: tuple[tuple[str, Node | None], ...]


@dataclass(frozen=True)
class Do:
    at: int
    value: Node


@dataclass(frozen=True)
class If:
    at: int
    condition: Node
    yes: Block
    no: Block


@dataclass(frozen=True)
class ForEach:
    at: int
    type: str
    name: str
    items: Node
    body: Block


@dataclass(frozen=True)
class Loop:
    """`for`, `while`, and `do` with `first`: the body runs before the condition is asked."""

    at: int
    start: tuple[Statement, ...]
    condition: Node | None
    step: tuple[Node, ...]
    body: Block
    first: bool = False


@dataclass(frozen=True)
class Switch:
    """Sections are the labels, `None` for `default`, each with its guard, and the statements."""

    at: int
    subject: Node
    sections: tuple[tuple[tuple[tuple[Node | None, Node | None], ...], Block], ...]


@dataclass(frozen=True)
class Jump:
    """`break` or `continue`."""

    at: int
    kind: str


@dataclass(frozen=True)
class Return:
    at: int
    value: Node | None


@dataclass(frozen=True)
class Catch:
    at: int
    type: str
    name: str
    guard: Node | None
    body: Block


@dataclass(frozen=True)
class Try:
    at: int
    body: Block
    catches: tuple[Catch, ...]
    last: Block | None


@dataclass(frozen=True)
class Function:
    """A local function."""

    at: int
    type: str
    name: str
    parameters: tuple[tuple[str, str], ...]
    body: Block


Statement: TypeAlias = "Block | Declare | Do | If | ForEach | Loop | Switch | Jump | Return | Raise | Try | Function"
