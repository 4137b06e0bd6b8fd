"""What can be said of an expression before any document is looked at: constants, and what constants choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.expressions import Bindings, Compiled, Compiler, Scope
from localazure.cosmos.sql.functions import AGGREGATES, CLOCK
from localazure.cosmos.sql.values import UNDEFINED

_RANDOM = frozenset({"RAND"})


class _Open:
    """Stands for a value that differs from row to row."""


OPEN: Final = _Open()


@dataclass(frozen=True)
class Closed:
    """An expression that is about no row and gives the same each time, and the parameters it needs."""

    evaluate: Compiled
    parameters: frozenset[str]


@lru_cache(maxsize=512)
def closed(node: s.Expression) -> Closed | None:
    """`None` for an expression that is about a row, or about the moment."""
    return Closed(Compiler(_no_subquery).compile(node), frozenset(_parameters(node))) if is_closed(node) else None


def is_closed(node: s.Expression) -> bool:
    if isinstance(node, s.Name | s.Subquery):
        return False
    if isinstance(node, s.Call) and (node.function in AGGREGATES or node.function in CLOCK or node.function in _RANDOM):
        return False
    return all(map(is_closed, s.children(node)))


def constant(node: s.Expression) -> Any:
    """The value of an expression that needs neither a row nor parameters; `OPEN` for any other."""
    if isinstance(node, s.Constant):
        return node.value
    if isinstance(node, s.Unary) and node.operator == "NOT" and isinstance(value := constant(node.operand), bool):
        return not value
    if isinstance(node, s.Chain):
        operator = node.rest[0][0]
        decisive = operator == "OR" if operator in ("AND", "OR") else UNDEFINED
        if any(constant(operand) is decisive for operand in (node.first, *(operand for _, operand in node.rest))):
            return decisive
    found = closed(node)
    return OPEN if found is None or found.parameters else found.evaluate(Scope({}, Bindings({}, 0.0)))


def folded(node: s.Expression) -> s.Expression:
    """What is left of the expression where constants choose, and of a constructed value of which a part is taken."""
    match node:
        case s.Ternary():
            return _chosen(node, node.condition, node.then, node.otherwise)
        case s.Call(function="IIF", arguments=(condition, then, otherwise), user=False):
            return _chosen(node, condition, then, otherwise)
        case s.Call(function="CHOOSE", arguments=(first, *choices), user=False):
            place = constant(first)
            return folded(choices[place - 1]) if type(place) is int and 1 <= place <= len(choices) else node
        case s.Coalesce():
            return _coalesced(node)
        case s.Member():
            return _member(node)
        case s.Subquery(kind="SCALAR", query=query) if query == s.Query(query.select):
            return folded(_result(query.select))
    return node


def _chosen(node: s.Expression, condition: s.Expression, then: s.Expression, otherwise: s.Expression) -> s.Expression:
    value = constant(condition)
    return node if value is OPEN else folded(then if value is True else otherwise)


def _coalesced(node: s.Coalesce) -> s.Expression:
    first = constant(node.first)
    if first is UNDEFINED:
        return folded(node.second)
    return folded(node.first) if first is not OPEN or constant(node.second) is UNDEFINED else node


def _member(node: s.Member) -> s.Expression:
    of, steps = folded(node.of), node.steps
    if of is node.of and not isinstance(of, s.Object | s.Array):
        return node
    while steps and isinstance(of, s.Object | s.Array):
        part = _part(of, steps[0].key)
        if part is None:
            return node
        of, steps = folded(part), steps[1:]
    if not steps:
        return of
    return s.Member(of.of, (*of.steps, *steps)) if isinstance(of, s.Member) else s.Member(of, steps)


def _part(of: s.Object | s.Array, key: str | int | float) -> s.Expression | None:
    if isinstance(of, s.Object):
        return next((pair.value for pair in of.pairs if pair.name == key), None)
    items = [item for item in of.items if item != s.Constant(UNDEFINED)]
    return items[key] if isinstance(key, int) and 0 <= key < len(items) else None


def _result(select: s.Select) -> s.Expression:
    """What a SELECT without a FROM gives."""
    if select.kind == "VALUE":
        return select.items[0].value
    names = s.column_names(select)
    return s.Object(tuple(s.Pair(name, item.value) for name, item in zip(names, select.items, strict=True)))


def _parameters(node: s.Expression) -> Iterator[str]:
    if isinstance(node, s.Parameter):
        yield node.name
    for child in s.children(node):
        yield from _parameters(child)


def _no_subquery(query: s.Query) -> Callable[[Scope], list[Any]]:
    raise AssertionError("a closed expression has none")
