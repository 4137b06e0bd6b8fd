"""Calls: which overload takes the arguments, what its type parameters are, and the function that calls it.

Source: C# language specification, section "Overload resolution": the overload whose parameters need the least
conversion wins; where two are equal, the one that is declared first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import nodes
from localazure.apim.expressions.checker import (
    Checker,
    Function,
    Locals,
    ShortCircuit,
    Typed,
    after,
    receiver,
    rule,
)
from localazure.apim.expressions.failures import count, null_reference
from localazure.apim.expressions.table import Overload, Parameter
from localazure.apim.expressions.types import NUMBERS, filled, implicit, open_variables, parts, same, unify

_DELEGATES = {"Func", "Action", "Predicate", "Comparison", "MatchEvaluator"}


@dataclass
class Bound:
    """An overload with its arguments."""

    overload: Overload
    runs: list[Function]
    types: dict[str, str]
    outs: list[tuple[str, str]] = field(default_factory=list)
    cost: int = 0

    @property
    def result(self) -> str:
        return filled(self.overload.result, self.types)


Arguments = tuple[tuple[str, nodes.Node], ...]


@rule(nodes.Call)
def _call(checker: Checker, node: nodes.Call) -> Typed:
    if node.target is None:
        return _invocation(checker, node)
    static = checker.static_type(node.target)
    target = None if static else checker.expression(node.target)
    type_ = static or (target.type if target else "")
    found = [
        overload
        for overload in checker.overloads(type_, node.name, node.at, static=bool(static))
        if overload.parameters is not None
    ]
    bound = resolve(checker, found, type_, node.arguments, node.types, node.at, f"{type_}.{node.name}")
    return invoke(checker, node, target, bound)


def resolve(
    checker: Checker,
    found: list[Overload],
    type_: str,
    arguments: Arguments,
    types: tuple[str, ...],
    at: int,
    label: str,
) -> Bound:
    """The overload that takes the arguments. Raises ExpressionError where none does."""
    given = [
        None if isinstance(argument, nodes.Lambda | nodes.Out) else checker.expression(argument)
        for _, argument in arguments
    ]
    candidates: list[Bound] = []
    wrong: ExpressionError | None = None
    for overload in found:
        try:
            bound = _bind(checker, overload, type_, arguments, given, types)
        except ExpressionError as exc:
            wrong = wrong or exc
            continue
        if bound is not None:
            candidates.append(bound)
    if not candidates:
        if wrong is not None:
            raise wrong
        shown = ", ".join(typed.type if typed else "…" for typed in given)
        raise ExpressionError(f"{label} does not take these arguments: ({shown})", at)
    best = min(candidates, key=lambda bound: (open_variables(bound.result), bound.cost))
    if open_variables(best.result):
        raise ExpressionError(f"{best.overload.name} needs a type, as in {best.overload.name}<string>(…)", at)
    return best


def _bind(
    checker: Checker,
    overload: Overload,
    type_: str,
    arguments: Arguments,
    given: list[Typed | None],
    types: tuple[str, ...],
) -> Bound | None:
    if types and len(types) != len(overload.generic):
        return None
    bound = Bound(overload, [], receiver(type_, overload)[0] if not overload.static else {})
    bound.types.update(zip(overload.generic, types, strict=False))
    assert overload.parameters is not None
    placed = _placed(overload.parameters, arguments)
    if placed is None:
        return None
    order, bound.cost = placed
    for parameter, positions in order:
        if positions is None:
            bound.runs.append(_constant(parameter.default))
            continue
        spread = _spread(parameter, positions, given)
        wanted = parts(parameter.type)[1][0] if spread else parameter.type
        runs = []
        for position in positions:
            run = _argument(checker, bound, parameter, wanted, arguments[position][1], given[position])
            if run is None:
                return None
            if not parameter.out:
                runs.append(run)
        bound.cost += 3 * spread
        bound.runs += [_gathered(runs)] if spread else runs
    return bound


def _spread(parameter: Parameter, positions: list[int], given: list[Typed | None]) -> bool:
    """Whether the arguments are the elements of a `params` array, not the array."""
    if not parameter.many:
        return False
    only = given[positions[0]] if len(positions) == 1 else None
    return only is None or not unify(parameter.type, only.type, {}) or only.type == "null"


def _placed(
    parameters: tuple[Parameter, ...], arguments: Arguments
) -> tuple[list[tuple[Parameter, list[int] | None]], int] | None:
    """Which arguments go to which parameter; `None` positions stand for the default."""
    labels = {label: position for position, (label, _) in enumerate(arguments) if label}
    if not labels.keys() <= {parameter.name for parameter in parameters}:
        return None
    plain = [position for position, (label, _) in enumerate(arguments) if not label]
    order: list[tuple[Parameter, list[int] | None]] = []
    cost = 0
    for parameter in parameters:
        if parameter.many:
            order.append((parameter, plain))
            plain = []
        elif plain:
            order.append((parameter, [plain.pop(0)]))
        elif parameter.name in labels:
            order.append((parameter, [labels[parameter.name]]))
        elif parameter.optional:
            order.append((parameter, None))
            cost += 1
        else:
            return None
    return None if plain else (order, cost)


def _argument(
    checker: Checker, bound: Bound, parameter: Parameter, wanted: str, node: nodes.Node, typed: Typed | None
) -> Function | None:
    if isinstance(node, nodes.Out) or parameter.out:
        if not (isinstance(node, nodes.Out) and parameter.out):
            return None
        bound.outs.append((node.name, ""))
        return _declared(checker, bound, node, parameter)
    if isinstance(node, nodes.Lambda):
        return _lambda_argument(checker, bound, wanted, node)
    assert typed is not None
    if not unify(wanted, typed.type, bound.types):
        return None
    target = filled(wanted, bound.types)
    if typed.type != target:
        bound.cost += 5 if target == "object" else 1 + NUMBERS.get(target, 0)
    convert = implicit(typed.type, target)
    return typed.run if convert in {same, None} else after(typed.run, convert)


def _declared(checker: Checker, bound: Bound, node: nodes.Out, parameter: Parameter) -> Function:
    type_ = filled(parameter.type, bound.types)
    bound.outs[-1] = (node.name, type_)
    if node.type and node.type not in {"var", type_}:
        raise ExpressionError(f"{node.name!r} must be {type_}", node.at)
    if not node.type and checker.variable(node.at, node.name) != type_:
        raise ExpressionError(f"{node.name!r} must be {type_}", node.at)
    return _constant(None)


def _lambda_argument(checker: Checker, bound: Bound, wanted: str, node: nodes.Lambda) -> Function | None:
    name, inner = parts(wanted)
    if name not in _DELEGATES:
        return None
    if name == "MatchEvaluator":
        inner = ("Match", "string")
    elif name == "Predicate":
        inner = (inner[0], "bool")
    elif name == "Comparison":
        inner = (inner[0], inner[0], "int")
    taken = inner if name == "Action" else inner[:-1]
    if len(taken) != len(node.parameters):
        return None
    types = [given or filled(type_, bound.types) for type_, (given, _) in zip(taken, node.parameters, strict=True)]
    run, result = function(checker, node, types)
    if name != "Action":
        pattern = inner[-1]
        if not unify(pattern, result, bound.types):
            raise ExpressionError(f"the lambda gives {result}, but {filled(pattern, bound.types)} is needed", node.at)
    return run


def function(checker: Checker, node: nodes.Lambda, types: list[str]) -> tuple[Function, str]:
    """A lambda as what makes the callable, and the type of what it gives."""
    inner = checker.inner()
    inner.results = []
    for type_, (_, name) in zip(types, node.parameters, strict=True):
        inner.declare(name, type_, node.at)
    names = tuple(name for _, name in node.parameters)
    if isinstance(node.body, nodes.Block):
        from localazure.apim.expressions.blocks import body

        run, result = body(inner, node.body, "")
    else:
        typed = inner.expression(node.body)
        run, result = typed.run, typed.type
    return _callable(names, run), result


def _callable(names: tuple[str, ...], run: Function) -> Function:
    def make(variables: Locals) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            count(variables)
            variables.update(zip(names, arguments, strict=True))
            return run(variables)

        return call

    return make


@rule(nodes.Lambda)
def _bare_lambda(_: Checker, node: nodes.Lambda) -> Typed:
    raise ExpressionError("a lambda may only be an argument, or the value of a variable whose type is written", node.at)


def _invocation(checker: Checker, node: nodes.Call) -> Typed:
    """A local function or a variable that holds a lambda."""
    type_ = checker.variable(node.at, node.name)
    name, inner = parts(type_)
    if name not in _DELEGATES:
        raise ExpressionError(f"{node.name!r} is {type_} and cannot be called", node.at)
    taken, result = (inner, "void") if name == "Action" else (inner[:-1], inner[-1])
    if len(taken) != len(node.arguments):
        raise ExpressionError(f"{node.name!r} takes {len(taken)} arguments", node.at)
    runs = [checker.of(value, wanted).run for wanted, (_, value) in zip(taken, node.arguments, strict=True)]
    held = node.name
    return Typed(result, lambda variables: variables[held](*[run(variables) for run in runs]))


def invoke(checker: Checker, node: nodes.Call, target: Typed | None, bound: Bound) -> Typed:
    """The call as a function."""
    overload, result = bound.overload, bound.result
    for item, (_, argument) in zip(bound.outs, _outs(node.arguments), strict=True):
        if isinstance(argument, nodes.Out) and argument.type:
            checker.declare(item[0], item[1], argument.at)
    call = overload.call
    if overload.takes_type:
        wanted = bound.types[overload.generic[0]] if overload.generic else result
        call = _typed_call(call, wanted, target is not None)
    if target is None:
        made = _static_call(call, bound.runs)
    else:
        convert = receiver(target.type, overload)[1]
        made = _method_call(target.run, call, convert, bound.runs, node.safe, node.at)
    return Typed(result, _with_outs(made, tuple(name for name, _ in bound.outs)) if bound.outs else made)


def _outs(arguments: Arguments) -> list[tuple[str, nodes.Node]]:
    return [pair for pair in arguments if isinstance(pair[1], nodes.Out)]


def _typed_call(call: Callable[..., Any], wanted: str, instance: bool) -> Callable[..., Any]:
    if instance:
        return lambda held, *arguments: call(held, wanted, *arguments)
    return lambda *arguments: call(wanted, *arguments)


def _with_outs(call: Function, names: tuple[str, ...]) -> Function:
    def run(variables: Locals) -> Any:
        result, *given = call(variables)
        variables.update(zip(names, given, strict=True))
        return result

    return run


def _static_call(call: Callable[..., Any], runs: list[Function]) -> Function:
    match runs:
        case []:
            return lambda _: call()
        case [one]:
            return lambda variables: call(one(variables))
        case [one, two]:
            return lambda variables: call(one(variables), two(variables))
    return lambda variables: call(*[run(variables) for run in runs])


def _method_call(
    held: Function,
    call: Callable[..., Any],
    convert: Callable[[Any], Any],
    runs: list[Function],
    safe: bool,
    at: int,
) -> Function:
    target = held if convert is same else _converted(held, convert)
    if len(runs) == 1:
        return _called_with_one(target, call, runs[0], safe, at)

    def run(variables: Locals) -> Any:
        value = target(variables)
        if value is None:
            raise ShortCircuit if safe else null_reference(at)
        return call(value, *[run(variables) for run in runs])

    return run


def _called_with_one(held: Function, call: Callable[..., Any], argument: Function, safe: bool, at: int) -> Function:
    def run(variables: Locals) -> Any:
        value = held(variables)
        if value is None:
            raise ShortCircuit if safe else null_reference(at)
        return call(value, argument(variables))

    return run


def _converted(held: Function, convert: Callable[[Any], Any]) -> Function:
    def run(variables: Locals) -> Any:
        value = held(variables)
        return None if value is None else convert(value)

    return run


def _constant(value: Any) -> Function:
    return lambda _: value


def _gathered(runs: list[Function]) -> Function:
    return lambda variables: [run(variables) for run in runs]
