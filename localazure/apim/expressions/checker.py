"""The static types of expressions, and what they do: every node gets both when the gateway starts.

A member that a type does not have, or an argument of the wrong type, is refused then, as the C# compiler would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import nodes
from localazure.apim.expressions.members import (
    CLASSES,
    INDEXES,
    JSON,
    LAMBDA,
    MEMBERS,
    NULL,
    STATICS,
    Overload,
    text,
)

Locals = dict[str, Any]
Function = Callable[[Locals], Any]
VALUES = {"int", "double", "bool", "char", "Guid"}
"""Types that null is no value of."""
NAMESPACES = {"Newtonsoft": {"Json"}, "System": {"Linq", "Text"}}


@dataclass(frozen=True)
class Typed:
    type: str
    run: Function


def assignable(given: str, wanted: str) -> bool:
    """Whether a value of one type may stand where the other is asked for, without a cast."""
    if given == wanted or wanted == "object":
        return True
    if given == "null":
        return wanted not in VALUES
    if wanted == "double":
        return given == "int"
    if wanted == "JToken":
        return given in JSON | {"string", "int", "double", "bool"}
    return element_of(given) is not None and element_of(given) == element_of(wanted)


def element_of(type_: str) -> str | None:
    """The type of what `foreach` finds in it, or `None` where nothing can be enumerated."""
    if type_.endswith("[]"):
        return type_[:-2]
    if type_.startswith(("IEnumerable<", "List<")):
        return type_[type_.index("<") + 1 : -1]
    return "JToken" if type_ in {"JArray", "JToken"} else None


class Checker:
    """Expressions within a scope: the names that are known, each with its type."""

    def __init__(self, scope: dict[str, str] | None = None) -> None:
        self.scope = scope or {"context": "Context"}

    def expression(self, node: nodes.Node) -> Typed:
        match node:
            case nodes.Literal():
                value = node.value
                return Typed(node.type, lambda _: value)
            case nodes.Name():
                name = node.name
                return Typed(self.variable(node.at, name), lambda variables: variables[name])
            case nodes.Member():
                return self._member(node)
            case nodes.Call():
                return self._call(node)
            case nodes.Index():
                return self._index(node)
            case nodes.New():
                return self._new(node)
            case nodes.NewArray():
                return self._new_array(node)
            case nodes.Cast():
                return self._cast(node)
            case nodes.Unary():
                return self._unary(node)
            case nodes.Binary():
                return self._binary(node)
            case nodes.Conditional():
                return self._conditional(node)
            case nodes.Lambda():
                raise ExpressionError("a lambda may only be an argument", node.at)

    def inner(self, **more: str) -> Checker:
        """The same scope with more names in it."""
        return Checker({**self.scope, **more})

    def of(self, node: nodes.Node, wanted: str) -> Typed:
        typed = self.expression(node)
        self.check(typed.type, wanted, node.at)
        return typed

    def check(self, given: str, wanted: str, at: int) -> None:
        if not assignable(given, wanted):
            raise ExpressionError(f"{wanted} is needed here, but this is {given}; a cast may help", at)

    def variable(self, at: int, name: str) -> str:
        if name not in self.scope:
            raise ExpressionError(f"{name!r} does not exist; there are {', '.join(sorted(self.scope))}", at)
        return self.scope[name]

    def _static_type(self, node: nodes.Node) -> str | None:
        """The name of a type, with or without its namespace."""
        if isinstance(node, nodes.Name) and node.name not in self.scope and node.name in STATICS:
            return node.name
        if isinstance(node, nodes.Member) and node.name in STATICS:
            inner = node.target
            while isinstance(inner, nodes.Member):
                inner = inner.target
            if isinstance(inner, nodes.Name) and inner.name in NAMESPACES:
                return node.name
        return None

    def _overloads(self, type_: str, name: str, at: int, static: bool = False) -> list[Overload]:
        table = STATICS if static else MEMBERS
        found = list(table.get(type_, {}).get(name, ()))
        if not static and element_of(type_) is not None:
            found += MEMBERS["enumerable"].get(name, ())
        if not found:
            known = sorted({*table.get(type_, {}), *(MEMBERS["enumerable"] if element_of(type_) else ())})
            raise ExpressionError(f"{type_}.{name} is not supported; {type_} has {', '.join(known) or 'nothing'}", at)
        return found

    def _member(self, node: nodes.Member) -> Typed:
        static = self._static_type(node.target)
        if static:
            overload = _property_of(self._overloads(static, node.name, node.at, static=True), node)
            return Typed(overload.result, lambda _: overload.call())
        target = self.expression(node.target)
        overload = _property_of(self._overloads(target.type, node.name, node.at), node)
        get, safe, at = overload.call, node.safe, node.at

        def run(variables: Locals) -> Any:
            held = target.run(variables)
            if held is None:
                if safe:
                    return None
                raise _null_reference(at)
            return get(held)

        return Typed(overload.result, run)

    def _call(self, node: nodes.Call) -> Typed:
        static = self._static_type(node.target)
        target = None if static else self.expression(node.target)
        type_ = static or (target.type if target else "")
        overloads = self._overloads(type_, node.name, node.at, static=bool(static))
        element = element_of(type_) or "object"
        for overload in overloads:
            bound = self._bind(overload, node, element)
            if bound is not None:
                return self._invoke(node, target, overload, *bound)
        raise ExpressionError(f"{type_}.{node.name} does not take these arguments", node.at)

    def _bind(self, overload: Overload, node: nodes.Call, element: str) -> tuple[list[Function], str] | None:
        """The arguments as functions and the type of the result, or `None` where they do not fit."""
        if overload.parameters is None or len(overload.parameters) != len(node.arguments):
            return None
        generic = node.types[0] if node.types else ""
        runs: list[Function] = []
        given = ""
        for position, (parameter, (label, argument)) in enumerate(
            zip(overload.parameters, node.arguments, strict=True)
        ):
            if label and label not in overload.named[position : position + 1]:
                return None
            if isinstance(argument, nodes.Lambda) != (parameter == LAMBDA):
                return None
            if isinstance(argument, nodes.Lambda):
                inner = self.inner(**{argument.parameter: element}).expression(argument.body)
                runs.append(_lambda(argument.parameter, inner.run))
                given = inner.type
                continue
            typed = self.expression(argument)
            if parameter == "T" and not generic:
                generic = typed.type
            wanted = {"T": generic, "element": element, "element[]": f"{element}[]"}.get(parameter, parameter)
            if not assignable(typed.type, wanted):
                return None
            runs.append(typed.run)
        if overload.result == "T":
            if not generic:
                raise ExpressionError(f"{node.name} needs a type, as in {node.name}<string>(…)", node.at)
            return runs, generic
        results = {"element": element, "element[]": f"{element}[]", "lambda[]": f"{given}[]"}
        return runs, results.get(overload.result, overload.result)

    def _invoke(
        self, node: nodes.Call, target: Typed | None, overload: Overload, runs: list[Function], result: str
    ) -> Typed:
        call, safe, at = overload.call, node.safe, node.at
        if target is None:
            return Typed(result, lambda variables: call(*(run(variables) for run in runs)))
        typed = target
        leading: tuple[Any, ...] = (result,) if typed.type == "Body" else ()

        def run(variables: Locals) -> Any:
            held = typed.run(variables)
            if held is None:
                if safe:
                    return None
                raise _null_reference(at)
            return call(held, *leading, *(run(variables) for run in runs))

        if typed.type == "Variables" and result not in {"bool", "object"}:
            return Typed(result, _casting(run, result, at))
        return Typed(result, run)

    def _index(self, node: nodes.Index) -> Typed:
        held, index = self.expression(node.target), self.expression(node.index)
        forms = INDEXES.get(held.type, ())
        element = element_of(held.type)
        if not forms and element is not None:
            forms = (("int", element, INDEXES["JArray"][0][2]),)
        for wanted, result, read in forms:
            if assignable(index.type, wanted):
                return Typed(result, _reading(held.run, index.run, read, node.at))
        raise ExpressionError(f"{held.type} cannot be indexed by {index.type}", node.at)

    def _new(self, node: nodes.New) -> Typed:
        arguments = [self.expression(argument) for argument in node.arguments]
        runs = [argument.run for argument in arguments]
        match node.type:
            case "JProperty":
                if len(arguments) != 2:
                    raise ExpressionError("JProperty takes a name and a value", node.at)
                self.check(arguments[0].type, "string", node.at)
                self.check(arguments[1].type, "JToken", node.at)
                return Typed("JProperty", lambda variables: tuple(run(variables) for run in runs))
            case "JObject":
                for argument in arguments:
                    self.check(argument.type, "JProperty", node.at)
                return Typed("JObject", lambda variables: dict(run(variables) for run in runs))
            case "JArray":
                for argument in arguments:
                    self.check(argument.type, "JToken", node.at)
                return Typed("JArray", lambda variables: [run(variables) for run in runs])
        raise ExpressionError(f"new {node.type} is not supported; JObject, JArray and JProperty are", node.at)

    def _new_array(self, node: nodes.NewArray) -> Typed:
        items = [self.expression(item) for item in node.items]
        element = node.type or (items[0].type if items else "")
        if not element:
            raise ExpressionError("an empty array needs a type", node.at)
        for item in items:
            self.check(item.type, element, node.at)
        return Typed(f"{element}[]", lambda variables: [item.run(variables) for item in items])

    def _cast(self, node: nodes.Cast) -> Typed:
        operand = self.expression(node.operand)
        possible = operand.type == "object" or operand.type in JSON or assignable(operand.type, node.type)
        if not possible and (operand.type, node.type) != ("double", "int"):
            raise ExpressionError(f"{operand.type} cannot be cast to {node.type}", node.at)
        if node.type not in CLASSES:
            raise ExpressionError(f"a cast to {node.type} is not supported", node.at)
        return Typed(node.type, _casting(operand.run, node.type, node.at, json=operand.type in JSON))

    def _unary(self, node: nodes.Unary) -> Typed:
        if node.operator == "!":
            condition = self.of(node.operand, "bool")
            return Typed("bool", lambda variables: not condition.run(variables))
        number = self.of(node.operand, "double")
        return Typed(number.type, lambda variables: -number.run(variables))

    def _conditional(self, node: nodes.Conditional) -> Typed:
        condition, yes, no = self.of(node.condition, "bool"), self.expression(node.yes), self.expression(node.no)
        if assignable(no.type, yes.type):
            type_ = yes.type
        else:
            self.check(yes.type, no.type, node.at)
            type_ = no.type
        return Typed(type_, lambda variables: (yes if condition.run(variables) else no).run(variables))

    def _binary(self, node: nodes.Binary) -> Typed:
        left, right = self.expression(node.left), self.expression(node.right)
        match node.operator:
            case "&&" | "||":
                self.check(left.type, "bool", node.at)
                self.check(right.type, "bool", node.at)
                if node.operator == "&&":
                    return Typed("bool", lambda v: left.run(v) and right.run(v))
                return Typed("bool", lambda v: left.run(v) or right.run(v))
            case "==" | "!=":
                if not (assignable(left.type, right.type) or assignable(right.type, left.type)):
                    raise ExpressionError(f"{left.type} cannot be compared with {right.type}", node.at)
                if node.operator == "==":
                    return Typed("bool", lambda v: left.run(v) == right.run(v))
                return Typed("bool", lambda v: left.run(v) != right.run(v))
            case "??":
                self.check(right.type, left.type, node.at)
                return Typed(left.type, lambda v: right.run(v) if (given := left.run(v)) is None else given)
            case "+" if "string" in (left.type, right.type):
                for side in (left, right):
                    if element_of(side.type) is not None and side.type not in JSON:
                        raise ExpressionError(f"a {side.type} does not make a text; use string.Join", node.at)
                return Typed("string", lambda v: text(left.run(v)) + text(right.run(v)))
        return self._arithmetic(node, left, right)

    def _arithmetic(self, node: nodes.Binary, left: Typed, right: Typed) -> Typed:
        self.check(left.type, "double", node.at)
        self.check(right.type, "double", node.at)
        result = "int" if left.type == right.type == "int" else "double"
        operate = _NUMBERS[node.operator]
        if node.operator in {"<", ">", "<=", ">="}:
            result = "bool"
        elif node.operator == "/" and result == "int":
            operate = _whole_division
        return Typed(result, lambda variables: operate(left.run(variables), right.run(variables)))


_NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": lambda a, b: a - b * int(a / b),
}


def _whole_division(a: int, b: int) -> int:
    return int(a / b)


def _property_of(overloads: list[Overload], node: nodes.Member) -> Overload:
    for overload in overloads:
        if overload.parameters is None:
            return overload
    raise ExpressionError(f"{node.name} is a method; call it with ()", node.at)


def _lambda(parameter: str, body: Function) -> Function:
    return lambda variables: lambda item: body({**variables, parameter: item})


def _reading(held: Function, index: Function, read: Callable[[Any, Any], Any], at: int) -> Function:
    return lambda variables: read(not_null(held(variables), at), index(variables))


def not_null(value: Any, at: int) -> Any:
    if value is None:
        raise _null_reference(at)
    return value


def _null_reference(at: int) -> ExpressionError:
    return ExpressionError("Object reference not set to an instance of an object", at)


def _casting(run: Function, type_: str, at: int, json: bool = False) -> Function:
    wanted = CLASSES.get(type_, object)

    def cast(variables: Locals) -> Any:
        value = run(variables)
        if (value is None or (value is NULL and type_ == "string")) and type_ not in VALUES:
            return None
        if json and type_ == "string" and isinstance(value, int | float):
            return text(value)
        if type_ == "int" and isinstance(value, float):
            return int(value)
        if not isinstance(value, wanted) or (type_ in {"int", "double"} and isinstance(value, bool)):
            raise ExpressionError(f"unable to cast a value of type {type(value).__name__} to {type_}", at)
        return value

    return cast
