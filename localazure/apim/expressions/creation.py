"""`new`, initialisers, and what is assigned to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import nodes
from localazure.apim.expressions.binding import Bound, resolve
from localazure.apim.expressions.casting import zero
from localazure.apim.expressions.checker import Checker, Function, Locals, Typed, indexer, is_constant, rule, setter
from localazure.apim.expressions.failures import bounded, not_null, throw
from localazure.apim.expressions.operators import combined, common, joined, operation
from localazure.apim.expressions.table import is_declared, overloads
from localazure.apim.expressions.types import NUMBERS, filled, is_known, parts
from localazure.apim.expressions.values import Record, text


@rule(nodes.New)
def _new(checker: Checker, node: nodes.New) -> Typed:
    name, _ = parts(node.type)
    found = [overload for overload in overloads(name, "new", True) if overload.parameters is not None]
    if not found:
        reason = (
            "is not supported" if is_known(name) or is_declared(name) else "is not among the types that may be used"
        )
        raise ExpressionError(f"new {node.type} is not supported: {name} {reason}", node.at)
    generic = parts(node.type)[1]
    bound = resolve(checker, found, node.type, node.arguments, generic, node.at, f"new {name}")
    call, runs = bound.overload.call, bound.runs
    made: Function = lambda variables: call(*[run(variables) for run in runs])  # noqa: E731
    if not node.items:
        return Typed(node.type, made)
    return Typed(node.type, _initialised(checker, node, made, bound))


def _initialised(checker: Checker, node: nodes.New, made: Function, _: Bound) -> Function:
    steps = [_item(checker, node.type, item) for item in node.items]

    def run(variables: Locals) -> Any:
        value = made(variables)
        for step in steps:
            step(value, variables)
        return value

    return run


def _item(checker: Checker, type_: str, item: nodes.Item) -> Callable[[Any, Locals], None]:
    """One element of an initialiser: `[key] = value`, `name = value`, `{ key, value }` or a value."""
    if item.name:
        found = setter(type_, item.name)
        if found is None:
            raise ExpressionError(f"{type_}.{item.name} cannot be assigned to", item.at)
        value = checker.of(item.value, found[0]).run
        return lambda held, variables: found[1](held, value(variables))
    values = [checker.expression(key) for key in (*item.keys, item.value)]
    if len(values) == 2:
        result, _, write, convert = indexer(checker, type_, values[0].type, item.at)
        if write is None:
            raise ExpressionError(f"an element of {type_} cannot be assigned to", item.at)
        key, content = values[0].run, checker.converted(values[1], result, item.at)
        return lambda held, variables: write(held, convert(key(variables)), content(variables))
    arguments = (("", item.value),)
    found_ = [overload for overload in overloads(type_, "Add", False) if overload.parameters is not None]
    bound = resolve(checker, found_, type_, arguments, (), item.at, f"{type_}.Add")
    call, one = bound.overload.call, bound.runs[0]
    return lambda held, variables: call(held, one(variables))


@rule(nodes.NewArray)
def _new_array(checker: Checker, node: nodes.NewArray) -> Typed:
    items = [checker.expression(item) for item in node.items]
    element = node.type
    for item in items:
        if not node.type:
            found = common(element, item.type) if element else item.type
            if found is None:
                raise ExpressionError(f"{element} is needed here, but this is {item.type}", node.at)
            element = found
    if not element or element == "null":
        raise ExpressionError("an empty array needs a type", node.at)
    if node.size is not None and not items:
        return Typed(f"{element}[]", _sized(checker.of(node.size, "int").run, element))
    pairs = zip(node.items, items, strict=True)
    runs = [
        typed.run if is_constant(item, element) else checker.converted(typed, element, node.at) for item, typed in pairs
    ]
    if element == "byte":
        return Typed("byte[]", lambda variables: bytearray(run(variables) for run in runs))
    return Typed(f"{element}[]", lambda variables: [run(variables) for run in runs])


def _sized(size: Function, element: str) -> Function:
    first = zero(element)

    def run(variables: Locals) -> Any:
        count = bounded(size(variables))
        if count < 0:
            throw("OverflowException", "Arithmetic operation resulted in an overflow.")
        return bytearray(count) if element == "byte" else [first] * count

    return run


@rule(nodes.Anonymous)
def _anonymous(checker: Checker, node: nodes.Anonymous) -> Typed:
    fields = [(name, checker.expression(value)) for name, value in node.fields]
    type_ = f"anonymous<{','.join(f'{name}:{typed.type}' for name, typed in fields)}>"
    runs = [(name, typed.run) for name, typed in fields]
    return Typed(type_, lambda variables: Record((name, run(variables)) for name, run in runs))


# assignment


Store = Callable[[Locals, Any], None]


def target_of(checker: Checker, node: nodes.Node) -> tuple[str, Function, Store]:
    """The type of what is assigned to, how it is read and how it is set."""
    if isinstance(node, nodes.Name):
        name = node.name
        type_ = checker.variable(node.at, name)
        if name == "context":
            raise ExpressionError("context cannot be assigned to", node.at)
        return type_, lambda variables: variables[name], lambda variables, value: variables.__setitem__(name, value)
    if isinstance(node, nodes.Index):
        held, index = checker.expression(node.target), checker.expression(node.index)
        type_, read, write, convert = indexer(checker, held.type, index.type, node.at)
        if write is None:
            raise ExpressionError(f"an element of {held.type} cannot be assigned to", node.at)
        target, position, at = held.run, index.run, node.at

        def store(variables: Locals, value: Any) -> None:
            write(not_null(target(variables), at), convert(position(variables)), value)

        return type_, lambda variables: read(not_null(target(variables), at), convert(position(variables))), store
    if isinstance(node, nodes.Member):
        held = checker.expression(node.target)
        found = setter(held.type, node.name)
        if found is None:
            raise ExpressionError(f"{held.type}.{node.name} cannot be assigned to", node.at)
        owner, at, change = held.run, node.at, found[1]
        return (
            found[0],
            checker.expression(node).run,
            lambda variables, value: change(not_null(owner(variables), at), value),
        )
    raise ExpressionError("only a variable, a property or an index can be assigned to", node.at)


@rule(nodes.Assign)
def _assign(checker: Checker, node: nodes.Assign) -> Typed:
    type_, read, store = target_of(checker, node.target)
    value = checker.expression(node.value)
    if node.operator == "??":
        other = checker.converted(value, type_, node.at)
        run = _if_null(read, other)
    elif node.operator == "+" and type_ == "string":
        run = _appended(read, value.run)
    elif node.operator:
        sum_ = combined(checker, node.operator, Typed(type_, read), value, node.at)
        if type_ in NUMBERS and sum_.type in NUMBERS:
            from localazure.apim.expressions.casting import narrowed

            inner = sum_.run
            run = lambda variables: narrowed(inner(variables), type_)  # noqa: E731
        else:
            run = checker.converted(sum_, type_, node.at)
    else:
        run = checker.converted(value, type_, node.at)

    def assign(variables: Locals) -> Any:
        given = run(variables)
        store(variables, given)
        return given

    return Typed(type_, assign)


def _if_null(read: Function, other: Function) -> Function:
    return lambda variables: other(variables) if (held := read(variables)) is None else held


def _appended(read: Function, value: Function) -> Function:
    return lambda variables: joined((read(variables) or "") + text(value(variables)))


@rule(nodes.Increment)
def _increment(checker: Checker, node: nodes.Increment) -> Typed:
    type_, read, store = target_of(checker, node.target)
    if type_ not in NUMBERS:
        raise ExpressionError(f"{type_} cannot be counted up or down", node.at)
    add, amount, prefix = operation("+", max(type_, "int", key=NUMBERS.__getitem__), node.at), node.amount, node.prefix

    def run(variables: Locals) -> Any:
        before = read(variables)
        behind = add(before, amount)
        store(variables, behind)
        return behind if prefix else before

    return Typed(type_, run)


__all__ = ["filled", "target_of"]
