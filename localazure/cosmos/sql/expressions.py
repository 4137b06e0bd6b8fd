"""Expressions compiled to functions of a scope: compiled once a text, run once a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.aggregates import aggregated
from localazure.cosmos.sql.functions import AGGREGATES, CLOCK, FUNCTIONS
from localazure.cosmos.sql.like import like_pattern
from localazure.cosmos.sql.operators import calculate
from localazure.cosmos.sql.values import UNDEFINED, compare

_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})


@dataclass(frozen=True)
class Bindings:
    """What a query is given from outside: its parameters, and the time in seconds since the Unix epoch.

    `literals` are the values, by number, of a query that was compiled to take them from here.
    """

    parameters: Mapping[str, Any]
    now: float
    literals: Sequence[Any] = ()


@dataclass
class Scope:
    """What names stand for; `group` holds the scopes that an aggregate runs over."""

    names: Mapping[str, Any]
    given: Bindings
    group: list[Scope] | None = field(default=None)


Compiled = Callable[[Scope], Any]
Subquery = Callable[[s.Query], Callable[[Scope], list[Any]]]


class Compiler:
    """Compiles trees in which the binder has found nothing wrong. `subquery` compiles a SELECT inside an expression.

    `literals` are numbers by places: a value or a property's name that stands there is taken from what the query is
    given. `open` are the numbers of those that were found.
    """

    def __init__(self, subquery: Subquery, literals: Mapping[int, int] | None = None) -> None:
        self._subquery = subquery
        self._literals = literals or {}
        self.open: set[int] = set()
        self._by_kind: dict[type[s.Node], Callable[[Any], Compiled]] = {
            s.Constant: self._constant,
            s.Parameter: self._parameter,
            s.Name: self._name,
            s.Member: self._member,
            s.Unary: self._unary,
            s.Chain: self._chain,
            s.In: self._in,
            s.Like: self._like,
            s.Between: self._between,
            s.Ternary: self._ternary,
            s.Coalesce: self._coalesce,
            s.Array: self._array,
            s.Object: self._object,
            s.Call: self._call,
            s.Subquery: self._query,
        }

    def compile(self, node: s.Expression) -> Compiled:
        return self._by_kind[type(node)](node)

    def _all(self, nodes: Sequence[s.Expression]) -> list[Compiled]:
        return [self.compile(node) for node in nodes]

    def _constant(self, node: s.Constant) -> Compiled:
        value, number = node.value, self._opened(node.place)
        if number is not None:
            return lambda scope: scope.given.literals[number]
        return lambda scope: value

    def _opened(self, place: s.Place) -> int | None:
        """The number of the literal that stands there, if it is to be given."""
        number = self._literals.get(place[0])
        if number is not None:
            self.open.add(number)
        return number

    def _parameter(self, node: s.Parameter) -> Compiled:
        name = node.name

        def parameter(scope: Scope) -> Any:
            if name not in scope.given.parameters:
                raise QueryError(f"the query refers to {name}, which was not given")
            return scope.given.parameters[name]

        return parameter

    def _name(self, node: s.Name) -> Compiled:
        name = node.name
        return lambda scope: scope.names[name]

    def _member(self, node: s.Member) -> Compiled:
        of, keys = self.compile(node.of), tuple(step.key for step in node.steps)
        numbers = [self._opened(step.place) for step in node.steps]
        if any(number is not None for number in numbers):
            return lambda scope: follow(of(scope), _keys(scope.given.literals, keys, numbers))
        if len(keys) == 1 and isinstance(keys[0], str):
            key = keys[0]

            def member(scope: Scope) -> Any:
                value = of(scope)
                return value.get(key, UNDEFINED) if isinstance(value, dict) else UNDEFINED

            return member
        return lambda scope: follow(of(scope), keys)

    def _unary(self, node: s.Unary) -> Compiled:
        inner, operator = self.compile(node.operand), node.operator

        def negated(scope: Scope) -> Any:
            value = inner(scope)
            return not value if isinstance(value, bool) else UNDEFINED

        if operator == "NOT":
            return negated
        if operator == "~":
            return lambda scope: calculate("^", -1, inner(scope))
        return lambda scope: calculate(operator, 0, inner(scope))

    def _chain(self, node: s.Chain) -> Compiled:
        operator, operands = node.rest[0][0], [node.first, *(operand for _, operand in node.rest)]
        if operator in ("AND", "OR"):
            return _logical(self._all(operands), operator == "OR")
        first, rest = self.compile(node.first), [(each, self.compile(operand)) for each, operand in node.rest]
        of = compare if operator in _COMPARISONS else calculate
        if len(rest) == 1:
            second = rest[0][1]
            return lambda scope: of(operator, first(scope), second(scope))

        def folded(scope: Scope) -> Any:
            value = first(scope)
            for each, operand in rest:
                value = of(each, value, operand(scope))
            return value

        return folded

    def _in(self, node: s.In) -> Compiled:
        wanted, choices, negative = self.compile(node.wanted), self._all(node.choices), node.negated

        def among(scope: Scope) -> Any:
            value = wanted(scope)
            if value is UNDEFINED:
                return UNDEFINED
            return any(compare("=", value, choice(scope)) is True for choice in choices) is not negative

        return among

    def _between(self, node: s.Between) -> Compiled:
        value, low, high = self._all((node.wanted, node.low, node.high))
        negative = node.negated

        def between(scope: Scope) -> Any:
            at = value(scope)
            above, below = compare(">=", at, low(scope)), compare("<=", at, high(scope))
            if above is UNDEFINED or below is UNDEFINED:
                return UNDEFINED
            return (above and below) is not negative

        return between

    def _like(self, node: s.Like) -> Compiled:
        value, pattern = self._all((node.wanted, node.pattern))
        negative, escape = node.negated, node.escape or ""

        def like(scope: Scope) -> Any:
            text, wanted = value(scope), pattern(scope)
            if not isinstance(text, str) or not isinstance(wanted, str):
                return UNDEFINED
            return (like_pattern(wanted, escape).fullmatch(text) is not None) is not negative

        return like

    def _ternary(self, node: s.Ternary) -> Compiled:
        condition, then, otherwise = self._all((node.condition, node.then, node.otherwise))
        return lambda scope: then(scope) if condition(scope) is True else otherwise(scope)

    def _coalesce(self, node: s.Coalesce) -> Compiled:
        first, second = self._all((node.first, node.second))

        def coalesce(scope: Scope) -> Any:
            value = first(scope)
            return second(scope) if value is UNDEFINED else value

        return coalesce

    def _array(self, node: s.Array) -> Compiled:
        # a literal `undefined` is left out; what turns out to be undefined keeps its place
        items = self._all([item for item in node.items if item != s.Constant(UNDEFINED)])
        return lambda scope: [None if (value := item(scope)) is UNDEFINED else value for item in items]

    def _object(self, node: s.Object) -> Compiled:
        made = [(pair.name, self.compile(pair.value)) for pair in node.pairs]
        return lambda scope: {name: value for name, part in made if (value := part(scope)) is not UNDEFINED}

    def _query(self, node: s.Subquery) -> Compiled:
        query = node.query
        if node.kind == "ALL":
            condition = query.where if query.where is not None else s.Constant(True)
            run = self._subquery(s.replaced(query, where=s.Unary("NOT", condition)))
            return lambda scope: not run(scope)
        run = self._subquery(query)
        if node.kind == "ARRAY":
            return run
        if node.kind == "EXISTS":
            return lambda scope: len(run(scope)) > 0
        place = -1 if node.kind == "LAST" else 0

        def scalar(scope: Scope) -> Any:
            found = run(scope)
            return found[place] if found else UNDEFINED

        return scalar

    def _call(self, node: s.Call) -> Compiled:
        parts = self._all(node.arguments)
        if node.function in AGGREGATES:
            part, name = parts[0], node.function
            if (
                name == "COUNT"
                and isinstance(node.arguments[0], s.Constant)
                and node.arguments[0].value is not UNDEFINED
            ):
                return lambda scope: len(scope.group or ())
            return lambda scope: aggregated(name, [part(member) for member in scope.group or ()])
        clock = CLOCK.get(node.function)
        if clock is not None:
            timed = clock.call
            return lambda scope: timed(scope.given.now, *[part(scope) for part in parts])
        function = FUNCTIONS.get(node.function)
        if function is None:
            raise QueryError(f"the function {node.name} is not supported by the local server", "", *node.place)
        call = function.call
        if len(parts) == 1:
            only = parts[0]
            return lambda scope: call(only(scope))
        if len(parts) == 2:
            first, second = parts
            return lambda scope: call(first(scope), second(scope))
        return lambda scope: call(*[part(scope) for part in parts])


def _logical(terms: Sequence[Compiled], decisive: bool) -> Compiled:
    """AND, which one false decides, or OR, which one true does; undefined where a term is neither."""

    other = not decisive

    def decided(scope: Scope) -> Any:
        known = True
        for term in terms:
            value = term(scope)
            if value is decisive:
                return decisive
            if value is not other:
                known = False
        return other if known else UNDEFINED

    return decided


def _keys(literals: Sequence[Any], keys: Sequence[Any], numbers: Sequence[int | None]) -> list[Any]:
    """The keys of a path, of which those with a number are given."""
    return [key if number is None else literals[number] for key, number in zip(keys, numbers, strict=True)]


def follow(value: Any, keys: Sequence[str | int | float]) -> Any:
    """What is at the end of a path; undefined if it ends before."""
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key, UNDEFINED)
        elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
            value = value[key]
        else:
            return UNDEFINED
    return value
