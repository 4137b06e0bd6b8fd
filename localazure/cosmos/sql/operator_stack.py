"""The operands and waiting operators of an expression that is being read."""

from __future__ import annotations

from dataclasses import dataclass, field

from localazure.cosmos.sql.cursor import Cursor
from localazure.cosmos.sql.syntax import Between, Chain, Coalesce, Expression, Like, Ternary, Unary

DEEPEST = 128
"""Levels that nest in the tree: Microsoft's parser stops at 249 to 996, by the kind; Python's own stack holds these."""
_MAX_OPEN = 996
"""Operators and parentheses that wait for what follows, as in Microsoft's parser."""

TERNARY, COALESCE, BETWEEN, OR, AND, TEST, COMPARISON, UNARY, WHOLE = 1, 2, 3, 4, 5, 6, 7, 13, 14
BINARY = {
    "OR": OR,
    "AND": AND,
    **dict.fromkeys(("=", "!=", "<>", "<", "<=", ">", ">="), COMPARISON),
    **dict.fromkeys(("<<", ">>", ">>>"), 8),
    "||": 9,
    **dict.fromkeys(("&", "|", "^"), 10),
    **dict.fromkeys(("+", "-"), 11),
    **dict.fromkeys(("*", "/", "%"), 12),
}
OPEN = frozenset({"(", "?", "BETWEEN"})
"""What waits for `)`, `:` or AND, and not for an operand alone."""


@dataclass(frozen=True, slots=True)
class Operand:
    """`rank` is that of the operator that made it, `depth` the levels of its tree."""

    node: Expression
    rank: int
    depth: int = 1


@dataclass(slots=True)
class Waiting:
    """An operator whose right side is not read yet. `links` are those of its chain that are."""

    kind: str
    rank: int
    operands: tuple[Operand, ...] = ()
    negated: bool = False
    links: list[tuple[str, Operand]] = field(default_factory=list)


class OperatorStack:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.operands: list[Operand] = []
        self.waiting: list[Waiting] = []

    @property
    def top(self) -> str:
        return self.waiting[-1].kind if self.waiting else ""

    def push(self, waiting: Waiting) -> None:
        self.waiting.append(waiting)
        if len(self.waiting) > _MAX_OPEN:
            raise self._cursor.too_complex()

    def binary(self, operator: str, rank: int) -> None:
        """An operator of a chain: it goes on with the one that waits, if that is of its rank."""
        self.reduce(rank + 1)
        if self.waiting and self.waiting[-1].rank == rank and self.waiting[-1].operands:
            chain = self.waiting[-1]
            chain.links.append((chain.kind, self.operands.pop()))
            chain.kind = operator
        else:
            self.push(Waiting(operator, rank, (self.operands.pop(),)))

    def add(self, node: Expression, rank: int, depth: int) -> None:
        if depth > DEEPEST:
            raise self._cursor.too_complex()
        self.operands.append(Operand(node, rank, depth))

    def reduce(self, rank: int) -> None:
        """Carry out the waiting operators of this rank and tighter ones."""
        while self.waiting and self.waiting[-1].rank >= rank and self.waiting[-1].kind not in OPEN:
            self._carry_out(self.waiting.pop())

    def _carry_out(self, done: Waiting) -> None:
        last = self.operands.pop()
        parts = (*done.operands, last)
        nodes = [part.node for part in parts]
        place = (nodes[0].place[0], self._cursor.last().end)
        depth = max(part.depth for part in parts) + 1
        if done.rank == UNARY:
            self.add(Unary(done.kind, last.node, place=place), UNARY, depth)  # type: ignore[arg-type]  # a prefix
        elif done.kind == "??":
            self.add(Coalesce(nodes[0], nodes[1], place=place), COALESCE, depth)
        elif done.kind == ":":
            self.add(Ternary(nodes[0], nodes[1], nodes[2], place=place), TERNARY, depth)
        elif done.kind == "high":
            self.add(Between(nodes[0], nodes[1], nodes[2], done.negated, place=place), BETWEEN, depth)
        elif done.kind == "LIKE":
            self.add(Like(nodes[0], nodes[1], None, done.negated, place=place), TEST, depth)
        else:
            self._chained(done.operands[0], [*done.links, (done.kind, last)], done.rank, place)

    def _chained(self, first: Operand, links: list[tuple[str, Operand]], rank: int, place: tuple[int, int]) -> None:
        """A chain; one whose first operand is a chain of the same rank is one with it, so its tree gets no deeper."""
        rest = tuple(("!=" if operator == "<>" else operator, operand.node) for operator, operand in links)
        depth = max(operand.depth for _, operand in links) + 1
        if isinstance(first.node, Chain) and BINARY[first.node.rest[0][0]] == rank:
            node = Chain(first.node.first, (*first.node.rest, *rest), place=place)
            self.add(node, rank, max(first.depth, depth))
        else:
            self.add(Chain(first.node, rest, place=place), rank, max(first.depth + 1, depth))
