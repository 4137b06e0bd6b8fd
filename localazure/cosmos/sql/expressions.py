"""Expressions compiled to functions of a scope: parsed once a text, run once a document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lark import Token, Tree

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql.checks import fault
from localazure.cosmos.sql.functions import AGGREGATES, CLOCK, FUNCTIONS
from localazure.cosmos.sql.like import like_pattern
from localazure.cosmos.sql.values import UNDEFINED, compare, is_number, order_key


@dataclass(frozen=True)
class Given:
    """What a query is given from outside: its parameters, and the time in seconds since the Unix epoch."""

    parameters: Mapping[str, Any]
    now: float


@dataclass
class Scope:
    """What names stand for; `group` holds the scopes that an aggregate runs over."""

    names: Mapping[str, Any]
    given: Given
    group: list[Scope] | None = field(default=None)


Expression = Callable[[Scope], Any]
Subquery = Callable[[Tree[Token], frozenset[str]], Callable[[Scope], list[Any]]]


class Compiler:
    """Compiles syntax trees. `subquery` compiles a SELECT inside an expression; `names` are those that exist."""

    def __init__(self, subquery: Subquery, names: frozenset[str]) -> None:
        self._subquery = subquery
        self._names = names
        self.aggregates = False
        """Whether anything compiled so far aggregates."""

    def compile(self, tree: Tree[Token]) -> Expression:
        """Raises QueryError for what is not supported, by name."""
        method: Callable[[Tree[Token]], Expression] | None = getattr(self, f"_{tree.data.rstrip('_')}", None)
        if method is None:
            raise QueryError(f"the query uses {tree.data}, which the local server does not support")
        return method(tree)

    def _children(self, tree: Tree[Token]) -> list[Expression]:
        return [self.compile(child) for child in tree.children if isinstance(child, Tree)]

    def _number(self, tree: Tree[Token]) -> Expression:
        text = str(tree.children[0])
        value = int(text) if text.isdigit() else float(text)
        return lambda scope: value

    def _string(self, tree: Tree[Token]) -> Expression:
        value = unquote(str(tree.children[0]))
        return lambda scope: value

    def _parameter(self, tree: Tree[Token]) -> Expression:
        name = str(tree.children[0])

        def parameter(scope: Scope) -> Any:
            if name not in scope.given.parameters:
                raise QueryError(f"the query refers to {name}, which was not given")
            return scope.given.parameters[name]

        return parameter

    def _true(self, tree: Tree[Token]) -> Expression:
        return lambda scope: True

    def _false(self, tree: Tree[Token]) -> Expression:
        return lambda scope: False

    def _null(self, tree: Tree[Token]) -> Expression:
        return lambda scope: None

    def _undefined(self, tree: Tree[Token]) -> Expression:
        return lambda scope: UNDEFINED

    def _name(self, tree: Tree[Token]) -> Expression:
        name = str(tree.children[0])

        if name not in self._names:
            raise fault(f"Identifier '{name}' could not be resolved.", tree, "SC2001")
        return lambda scope: scope.names[name]

    def _member(self, tree: Tree[Token]) -> Expression:
        of, name = self._children(tree)[0], str(tree.children[1])

        def member(scope: Scope) -> Any:
            value = of(scope)
            return value.get(name, UNDEFINED) if isinstance(value, dict) else UNDEFINED

        return member

    def _index(self, tree: Tree[Token]) -> Expression:
        of, at = self._children(tree)

        def index(scope: Scope) -> Any:
            value, place = of(scope), at(scope)
            if isinstance(value, dict) and isinstance(place, str):
                return value.get(place, UNDEFINED)
            if isinstance(value, list) and type(place) is int and 0 <= place < len(value):
                return value[place]
            return UNDEFINED

        return index

    def _compare(self, tree: Tree[Token]) -> Expression:
        left, right = self._children(tree)
        operator = str(tree.children[1])
        return lambda scope: compare(operator, left(scope), right(scope))

    def _and(self, tree: Tree[Token]) -> Expression:
        left, right = self._children(tree)

        def both(scope: Scope) -> Any:
            first = left(scope)
            if first is False:
                return False
            second = right(scope)
            if second is False:
                return False
            return True if first is True and second is True else UNDEFINED

        return both

    def _or(self, tree: Tree[Token]) -> Expression:
        terms = [self.compile(term) for term in _flat(tree, "or_")]

        def either(scope: Scope) -> Any:
            known = True
            for term in terms:
                value = term(scope)
                if value is True:
                    return True
                known = known and value is False
            return False if known else UNDEFINED

        return either

    def _not(self, tree: Tree[Token]) -> Expression:
        inner = self._children(tree)[0]

        def negated(scope: Scope) -> Any:
            value = inner(scope)
            return not value if isinstance(value, bool) else UNDEFINED

        return negated

    def _in(self, tree: Tree[Token]) -> Expression:
        wanted, *choices = self._children(tree)
        negative = _negated(tree)

        def among(scope: Scope) -> Any:
            value = wanted(scope)
            if value is UNDEFINED:
                return UNDEFINED
            return any(compare("=", value, choice(scope)) is True for choice in choices) is not negative

        return among

    def _between(self, tree: Tree[Token]) -> Expression:
        value, low, high = self._children(tree)
        negative = _negated(tree)

        def between(scope: Scope) -> Any:
            at = value(scope)
            above, below = compare(">=", at, low(scope)), compare("<=", at, high(scope))
            if above is UNDEFINED or below is UNDEFINED:
                return UNDEFINED
            return (above and below) is not negative

        return between

    def _like(self, tree: Tree[Token]) -> Expression:
        value, pattern = self._children(tree)
        negative = _negated(tree)
        escape = unquote(str(tree.children[-1])) if isinstance(tree.children[-1], Token) else ""

        def like(scope: Scope) -> Any:
            text, wanted = value(scope), pattern(scope)
            if not isinstance(text, str) or not isinstance(wanted, str):
                return UNDEFINED
            return (like_pattern(wanted, escape).fullmatch(text) is not None) is not negative

        return like

    def _arithmetic(self, tree: Tree[Token]) -> Expression:
        left, right = self._children(tree)
        operator = str(tree.children[1])
        return lambda scope: _calculate(operator, left(scope), right(scope))

    def _negative(self, tree: Tree[Token]) -> Expression:
        inner = self._children(tree)[0]
        return lambda scope: _calculate("-", 0, inner(scope))

    def _positive(self, tree: Tree[Token]) -> Expression:
        inner = self._children(tree)[0]
        return lambda scope: _calculate("+", 0, inner(scope))

    def _complement(self, tree: Tree[Token]) -> Expression:
        inner = self._children(tree)[0]
        return lambda scope: _calculate("^", -1, inner(scope))

    def _ternary(self, tree: Tree[Token]) -> Expression:
        condition, then, otherwise = self._children(tree)
        return lambda scope: then(scope) if condition(scope) is True else otherwise(scope)

    def _coalesce(self, tree: Tree[Token]) -> Expression:
        first, second = self._children(tree)

        def coalesce(scope: Scope) -> Any:
            value = first(scope)
            return second(scope) if value is UNDEFINED else value

        return coalesce

    def _array(self, tree: Tree[Token]) -> Expression:
        items = self._children(tree)
        return lambda scope: [value for item in items if (value := item(scope)) is not UNDEFINED]

    def _object(self, tree: Tree[Token]) -> Expression:
        pairs = [child for child in tree.children if isinstance(child, Tree)]
        made = [(_key(pair.children[0]), self._children(pair)[0]) for pair in pairs]
        return lambda scope: {name: value for name, part in made if (value := part(scope)) is not UNDEFINED}

    def _exists(self, tree: Tree[Token]) -> Expression:
        run = self._subquery(_only(tree), self._names)
        return lambda scope: len(run(scope)) > 0

    def _array_query(self, tree: Tree[Token]) -> Expression:
        return self._subquery(_only(tree), self._names)

    def _scalar(self, tree: Tree[Token]) -> Expression:
        run = self._subquery(_only(tree), self._names)

        def scalar(scope: Scope) -> Any:
            found = run(scope)
            return found[0] if found else UNDEFINED

        return scalar

    def _udf(self, tree: Tree[Token]) -> Expression:
        raise QueryError(
            f"user-defined functions are not supported by the local server: {'.'.join(map(str, tree.children[:2]))}"
        )

    def _call(self, tree: Tree[Token]) -> Expression:
        name = str(tree.children[0]).upper()
        given = tree.children[1]
        arguments = [child for child in given.children if isinstance(child, Tree)] if isinstance(given, Tree) else []
        if name in AGGREGATES:
            return self._aggregate(name, arguments)
        function = FUNCTIONS.get(name) or CLOCK.get(name)
        if function is None:
            message = f"'{name}' is not a recognized built-in function name, or the local server does not have it."
            raise fault(message, tree, "SC2005")
        call, least, most = function
        if len(arguments) < least or (most is not None and len(arguments) > most):
            some = str(least) if most == least else f"at least {least}" if most is None else f"{least} to {most}"
            raise fault(f"The {name} function requires {some} argument(s).", tree, "SC2050")
        parts = [self.compile(_only(argument)) for argument in arguments]
        if name in CLOCK:
            return lambda scope: call(scope.given.now, *(part(scope) for part in parts))
        return lambda scope: call(*(part(scope) for part in parts))

    def _aggregate(self, name: str, arguments: list[Tree[Token]]) -> Expression:
        if len(arguments) != 1:
            raise QueryError(f"{name} takes one argument")
        self.aggregates = True
        if arguments[0].data == "star_argument":
            return lambda scope: len(scope.group or ())
        part = self.compile(_only(arguments[0]))

        def aggregate(scope: Scope) -> Any:
            values = [value for member in scope.group or () if (value := part(member)) is not UNDEFINED]
            return _aggregated(name, values)

        return aggregate


def unquote(text: str) -> str:
    """A string literal's value; both quotes, JSON's escapes."""
    inner = text[1:-1].replace("\\'", "'")
    if text[0] == "'":
        inner = re.sub(r'(?<!\\)"', r"\"", inner)
    try:
        value: str = json.loads(f'"{inner}"')
    except ValueError as exc:
        raise QueryError(f"the string literal {text} has an escape or a character that JSON does not allow") from exc
    return value


def _aggregated(name: str, values: list[Any]) -> Any:
    if name == "COUNT":
        return len(values)
    if name in ("SUM", "AVG"):
        if not all(is_number(value) for value in values):
            return UNDEFINED
        if name == "SUM":
            return sum(values)
        return sum(values) / len(values) if values else UNDEFINED
    if not values:
        return UNDEFINED
    return (min if name == "MIN" else max)(values, key=order_key)


def _calculate(operator: str, left: Any, right: Any) -> Any:
    if operator == "||":
        return left + right if isinstance(left, str) and isinstance(right, str) else UNDEFINED
    if not is_number(left) or not is_number(right):
        return UNDEFINED
    try:
        result = _ARITHMETIC[operator](left, right)
    except (ZeroDivisionError, OverflowError, ValueError):
        return UNDEFINED
    return int(result) if isinstance(result, float) and result.is_integer() and abs(result) < 2**53 else result


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": lambda left, right: left - right * int(left / right),
    "&": lambda left, right: int(left) & int(right),
    "|": lambda left, right: int(left) | int(right),
    "^": lambda left, right: int(left) ^ int(right),
    "<<": lambda left, right: int(left) << int(right),
    ">>": lambda left, right: int(left) >> int(right),
    ">>>": lambda left, right: (int(left) & 0xFFFFFFFF) >> int(right),
}


def _flat(tree: Tree[Token], kind: str) -> list[Tree[Token]]:
    """The operands of a chain of the same operator, without recursion: generated queries have hundreds."""
    terms: list[Tree[Token]] = []
    while tree.data == kind:
        left, right = (child for child in tree.children if isinstance(child, Tree))
        terms.append(right)
        tree = left
    return [tree, *reversed(terms)]


def _negated(tree: Tree[Token]) -> bool:
    return any(isinstance(child, Token) and child.type == "NOT" for child in tree.children)


def _key(token: Any) -> str:
    return unquote(str(token)) if token.type == "STRING" else str(token)


def _only(tree: Tree[Token]) -> Tree[Token]:
    child = tree.children[0]
    assert isinstance(child, Tree), "the grammar has a tree here"
    return child
