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
class Name:
    at: int
    name: str


@dataclass(frozen=True)
class Member:
    """`target.name`; `safe` where it was written `target?.name`."""

    at: int
    target: Node
    name: str
    safe: bool = False


@dataclass(frozen=True)
class Call:
    """`target.name<types>(arguments)`; a named argument has its name."""

    at: int
    target: Node
    name: str
    types: tuple[str, ...]
    arguments: tuple[tuple[str, Node], ...]
    safe: bool = False


@dataclass(frozen=True)
class Index:
    at: int
    target: Node
    index: Node


@dataclass(frozen=True)
class New:
    at: int
    type: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class NewArray:
    at: int
    type: str
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Cast:
    at: int
    type: str
    operand: Node


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
    at: int
    parameter: str
    body: Node


Node: TypeAlias = (
    "Literal | Name | Member | Call | Index | New | NewArray | Cast | Unary | Binary | Conditional | Lambda"
)


@dataclass(frozen=True)
class Declare:
    """`var name = value;`, or with a type instead of `var`."""

    at: int
    type: str
    name: str
    value: Node


@dataclass(frozen=True)
class Assign:
    """`target = value;` where the target is a name or an index."""

    at: int
    target: Node
    value: Node


@dataclass(frozen=True)
class Do:
    at: int
    value: Node


@dataclass(frozen=True)
class If:
    at: int
    condition: Node
    yes: tuple[Statement, ...]
    no: tuple[Statement, ...]


@dataclass(frozen=True)
class ForEach:
    at: int
    name: str
    items: Node
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Return:
    at: int
    value: Node


Statement: TypeAlias = "Declare | Assign | Do | If | ForEach | Return"
