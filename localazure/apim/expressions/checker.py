"""The static types of expressions, and what they do: every node gets both when the gateway starts.

A member that a type does not have, or an argument of the wrong type, is refused then, as the C# compiler would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import nodes
from localazure.apim.expressions.allowed import ALLOWED
from localazure.apim.expressions.failures import null_reference
from localazure.apim.expressions.table import INDEXES, SETTERS, Overload, is_declared, names, overloads
from localazure.apim.expressions.types import (
    ALIASES,
    implicit,
    is_known,
    is_value,
    lineage,
    parts,
    same,
    upcast,
)

Locals = dict[str, Any]
Function = Callable[[Locals], Any]
NAMESPACES = {"Newtonsoft", "System"}
_NARROW = {"byte": (0, 0xFF), "short": (-0x8000, 0x7FFF)}


@dataclass(frozen=True)
class Typed:
    type: str
    run: Function


class ShortCircuit(Exception):
    """A `?.` met null."""


Rule = Callable[["Checker", Any], Typed]
RULES: dict[type, Rule] = {}


def rule(kind: type) -> Callable[[Rule], Rule]:
    """Enter how one kind of node is checked."""

    def enter(check: Rule) -> Rule:
        RULES[kind] = check
        return check

    return enter


class Checker:
    """Expressions within a scope: the names that are known, each with its type."""

    def __init__(self, scope: dict[str, str] | None = None, declared: list[str] | None = None) -> None:
        self.scope = {"context": "Context"} if scope is None else scope
        self.declared: list[str] = [] if declared is None else declared
        """Every name that the function around declares, inner scopes included."""
        self.results: list[str] | None = None
        """Types of the values that the function around returns; `None` where nothing can return."""

    def expression(self, node: nodes.Node) -> Typed:
        return RULES[type(node)](self, node)

    def inner(self) -> Checker:
        """A scope within this one."""
        made = Checker(dict(self.scope), self.declared)
        made.results = self.results
        return made

    def declare(self, name: str, type_: str, at: int) -> None:
        if name in self.scope:
            raise ExpressionError(f"{name!r} is already declared", at)
        self.scope[name] = type_
        self.declared.append(name)

    def of(self, node: nodes.Node, wanted: str) -> Typed:
        """The expression as a value of that type."""
        typed = self.expression(node)
        if is_constant(node, wanted):
            return Typed(wanted, typed.run)
        return Typed(wanted, self.converted(typed, wanted, node.at))

    def converted(self, typed: Typed, wanted: str, at: int) -> Function:
        """What gives the value as one of that type. Raises ExpressionError where a cast is needed."""
        convert = implicit(typed.type, wanted)
        if convert is None and typed.type != "never":
            raise ExpressionError(f"{wanted} is needed here, but this is {typed.type}; a cast may help", at)
        return typed.run if convert in {same, None} else after(typed.run, convert)

    def variable(self, at: int, name: str) -> str:
        if name in self.scope:
            return self.scope[name]
        self._unknown_type(name, at)
        raise ExpressionError(f"{name!r} does not exist; there are {', '.join(sorted(self.scope))}", at)

    @staticmethod
    def _unknown_type(name: str, at: int) -> None:
        if name in ALLOWED or is_known(name):
            raise ExpressionError(f"the type {name} is not supported", at)
        if name[:1].isupper():
            raise ExpressionError(f"{name} is not among the types that policy expressions may use", at)

    def static_type(self, node: nodes.Node | None) -> str | None:
        """The type that a node names, with or without its namespace."""
        if isinstance(node, nodes.TypeName):
            return node.type
        if isinstance(node, nodes.Name) and node.name not in self.scope:
            name = ALIASES.get(node.name, node.name)
            return name if is_declared(name) else None
        if isinstance(node, nodes.Member):
            root: nodes.Node = node
            while isinstance(root, nodes.Member):
                root = root.target
                if isinstance(root, nodes.Member) and is_declared(root.name):
                    return None
            name = ALIASES.get(node.name, node.name)
            if isinstance(root, nodes.Name) and root.name in NAMESPACES and root.name not in self.scope:
                if is_declared(name):
                    return name
                self._unknown_type(name, node.at)
        return None

    def overloads(self, type_: str, name: str, at: int, static: bool = False) -> tuple[Overload, ...]:
        found = overloads(type_, name, static)
        if not found:
            known = ", ".join(names(type_, static)) or "nothing"
            raise ExpressionError(f"{type_}.{name} is not supported; {type_} has {known}", at)
        return found


def is_constant(node: nodes.Node, wanted: str) -> bool:
    """Whether a whole number is written out that fits a narrower type: it needs no cast."""
    low, high = _NARROW.get(wanted, (1, 0))
    return isinstance(node, nodes.Literal) and node.type == "int" and low <= node.value <= high


def after(run: Function, convert: Callable[[Any], Any] | None) -> Function:
    assert convert is not None
    return lambda variables: convert(run(variables))


@rule(nodes.Literal)
def _literal(_: Checker, node: nodes.Literal) -> Typed:
    value = node.value
    return Typed(node.type, lambda _: value)


@rule(nodes.Name)
def _name(checker: Checker, node: nodes.Name) -> Typed:
    name = node.name
    return Typed(checker.variable(node.at, name), lambda variables: variables[name])


@rule(nodes.TypeName)
def _type_name(_: Checker, node: nodes.TypeName) -> Typed:
    raise ExpressionError(f"{node.type} is a type; only its members have a value", node.at)


@rule(nodes.Out)
def _out(_: Checker, node: nodes.Out) -> Typed:
    raise ExpressionError("'out' belongs to an argument", node.at)


@rule(nodes.Chain)
def _chain(checker: Checker, node: nodes.Chain) -> Typed:
    inner = checker.expression(node.node)
    run = inner.run

    def whole(variables: Locals) -> Any:
        try:
            return run(variables)
        except ShortCircuit:
            return None

    return Typed(nullable(inner.type), whole)


def nullable(type_: str) -> str:
    """The type with null among its values."""
    return f"{type_}?" if is_value(type_) and not type_.endswith("?") else type_


@rule(nodes.Member)
def _member(checker: Checker, node: nodes.Member) -> Typed:
    static = checker.static_type(node.target)
    if static:
        overload = _property_of(checker.overloads(static, node.name, node.at, static=True), node)
        get = overload.call
        return Typed(overload.result, lambda _: get())
    target = checker.expression(node.target)
    if target.type.endswith("?") and node.name == "HasValue":
        return Typed("bool", lambda variables: target.run(variables) is not None)
    if target.type.startswith("anonymous<"):
        return _field(target, node)
    overload = _property_of(checker.overloads(target.type, node.name, node.at), node)
    bound, convert = receiver(target.type, overload)
    from localazure.apim.expressions.types import filled

    return Typed(filled(overload.result, bound), accessed(target.run, overload.call, convert, node.safe, node.at))


def _field(target: Typed, node: nodes.Member) -> Typed:
    fields = dict(field.split(":", 1) for field in parts(target.type)[1])
    if node.name not in fields:
        raise ExpressionError(f"the anonymous type has no {node.name}; it has {', '.join(fields)}", node.at)
    name = node.name
    return Typed(fields[name], accessed(target.run, lambda held: held[name], same, node.safe, node.at))


def receiver(type_: str, overload: Overload) -> tuple[dict[str, str], Callable[[Any], Any]]:
    """The type parameters of what has a member, and how the value becomes one of it."""
    owner, parameters = parts(overload.owner)
    found = upcast(type_, owner)
    if found is None:
        return {}, same
    return dict(zip(parameters, parts(found[0])[1], strict=False)), found[1]


def accessed(held: Function, get: Callable[[Any], Any], convert: Callable[[Any], Any], safe: bool, at: int) -> Function:
    if convert is not same:
        inner = get

        def get(value: Any) -> Any:
            return inner(convert(value))

    def run(variables: Locals) -> Any:
        value = held(variables)
        if value is None:
            raise ShortCircuit if safe else null_reference(at)
        return get(value)

    return run


def _property_of(found: tuple[Overload, ...], node: nodes.Member) -> Overload:
    for overload in found:
        if overload.parameters is None:
            return overload
    raise ExpressionError(f"{node.name} is a method; call it with ()", node.at)


@rule(nodes.Index)
def _index(checker: Checker, node: nodes.Index) -> Typed:
    held, position = checker.expression(node.target), checker.expression(node.index)
    result, read, _, convert = indexer(checker, held.type, position.type, node.at)
    target, index, safe, at = held.run, position.run, node.safe, node.at
    if convert is not same:
        index = after(index, convert)

    def run(variables: Locals) -> Any:
        value = target(variables)
        if value is None:
            raise ShortCircuit if safe else null_reference(at)
        return read(value, index(variables))

    return Typed(result, run)


def indexer(checker: Checker, held: str, given: str, at: int) -> tuple[str, Any, Any, Callable[[Any], Any]]:
    """What an index gives: its type, how it is read and set, and the conversion of the index."""
    from localazure.apim.expressions.types import filled

    for type_ in lineage(held):
        name, arguments = parts(type_)
        for wanted, result, read, write in INDEXES.get(name, ()):
            bound = dict(zip("TKV" if name not in {"Dictionary", "IDictionary"} else "KV", arguments, strict=False))
            if name in {"IReadOnlyDictionary"}:
                bound = dict(zip("KV", arguments, strict=False))
            convert = implicit(given, filled(wanted, bound))
            if convert is not None:
                return filled(result, bound), read, write, convert
    raise ExpressionError(f"{held} cannot be indexed by {given}", at)


def setter(held: str, name: str) -> tuple[str, Any] | None:
    """The type of a property that can be assigned to, and how."""
    return next((SETTERS[type_, name] for type_ in lineage(held) if (type_, name) in SETTERS), None)
