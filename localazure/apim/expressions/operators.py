"""Operators, with C#'s promotions, overflow and comparison.

Source: C# language specification, chapter "Expressions".
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import nodes
from localazure.apim.expressions.checker import Checker, Function, Locals, Typed, nullable, rule
from localazure.apim.expressions.failures import bounded, throw, thrown
from localazure.apim.expressions.times import DateTime, DateTimeOffset, TimeSpan
from localazure.apim.expressions.types import NUMBERS, assignable, element_of, implicit, is_value, parts, upcast
from localazure.apim.expressions.values import aligned, format_value, text

Operation = Callable[[Any, Any], Any]
BY_VALUE = {"string", "XName", "XNamespace"}
"""Reference types whose == compares what they hold."""


def wrap32(value: int) -> int:
    return value if -0x80000000 <= value < 0x80000000 else (value + 0x80000000) % 0x100000000 - 0x80000000


def wrap64(value: int) -> int:
    half = 1 << 63
    return value if -half <= value < half else (value + half) % (1 << 64) - half


def divided(a: int, b: int) -> int:
    """Whole division, towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _remainder(a: int, b: int) -> int:
    return a - b * divided(a, b)


def _quotient(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


_WHOLE: dict[str, Operation] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divided,
    "%": _remainder,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
_FRACTIONS: dict[str, Operation] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "%": lambda a, b: math.fmod(a, b) if b else math.nan,
}
_DECIMALS: dict[str, Operation] = {**_FRACTIONS, "/": lambda a, b: a / b if b else 1 // 0, "%": lambda a, b: a % b}
_ORDER: dict[str, Operation] = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}
_TIMES: dict[tuple[str, str, str], tuple[str, Operation]] = {
    ("DateTime", "-", "DateTime"): ("TimeSpan", lambda a, b: TimeSpan(a.ticks - b.ticks)),
    ("DateTime", "-", "TimeSpan"): ("DateTime", lambda a, b: a.add(-b.ticks)),
    ("DateTime", "+", "TimeSpan"): ("DateTime", lambda a, b: a.add(b.ticks)),
    ("DateTimeOffset", "-", "DateTimeOffset"): ("TimeSpan", lambda a, b: TimeSpan(a.utc - b.utc)),
    ("DateTimeOffset", "-", "TimeSpan"): ("DateTimeOffset", lambda a, b: a.add(-b.ticks)),
    ("DateTimeOffset", "+", "TimeSpan"): ("DateTimeOffset", lambda a, b: a.add(b.ticks)),
    ("TimeSpan", "-", "TimeSpan"): ("TimeSpan", lambda a, b: TimeSpan(a.ticks - b.ticks)),
    ("TimeSpan", "+", "TimeSpan"): ("TimeSpan", lambda a, b: TimeSpan(a.ticks + b.ticks)),
    ("XNamespace", "+", "string"): ("XName", lambda a, b: f"{{{a}}}{b}" if a else b),
}


@rule(nodes.Binary)
def _binary(checker: Checker, node: nodes.Binary) -> Typed:
    """Operators in a row lean to the left; they are taken one after the other, however many there are."""
    spine = [node]
    while isinstance(spine[-1].left, nodes.Binary):
        spine.append(spine[-1].left)
    left = checker.expression(spine[-1].left)
    texts: list[Function] = []
    for here in reversed(spine):
        right = checker.expression(here.right)
        if here.operator == "+" and "string" in (left.type, right.type):
            texts = [*(texts or [left.run]), right.run]
            left = _concatenation(texts, left, right, here.at)
        else:
            texts = []
            left = combined(checker, here.operator, left, right, here.at)
    return left


def _concatenation(runs: list[Function], left: Typed, right: Typed, at: int) -> Typed:
    for side in (left, right):
        if side.type != "string" and element_of(side.type) and not upcast(side.type, "JToken"):
            raise ExpressionError(f"a {side.type} does not make a text; use string.Join", at)
    if len(runs) == 2:
        first, second = runs
        return Typed("string", lambda variables: joined(text(first(variables)) + text(second(variables))))
    return Typed("string", lambda variables: joined("".join([text(run(variables)) for run in runs])))


def joined(value: str) -> str:
    """A text that was put together, of a length that is allowed."""
    if len(value) > 65_536:
        bounded(len(value))
    return value


def combined(checker: Checker, sign: str, left: Typed, right: Typed, at: int) -> Typed:
    """Two operands and the operator between them."""
    match sign:
        case "&&" | "||":
            a = checker.converted(left, "bool", at)
            b = checker.converted(right, "bool", at)
            if sign == "&&":
                return Typed("bool", lambda v: a(v) and b(v))
            return Typed("bool", lambda v: a(v) or b(v))
        case "==" | "!=":
            return _equality(sign, left, right, at)
        case "??":
            return _coalesced(checker, left, right, at)
        case "+" if "string" in (left.type, right.type):
            return _concatenation([left.run, right.run], left, right, at)
    if left.type == right.type == "bool" and sign in "&|^":
        return Typed("bool", _applied(_WHOLE[sign], left.run, right.run))
    plain = (left.type.removesuffix("?"), sign, right.type.removesuffix("?"))
    if plain in _TIMES:
        result, operate = _TIMES[plain]
        return _lifted(operate, result, left, right)
    if sign in _ORDER and plain[0] == plain[2] and plain[0] in {"DateTime", "DateTimeOffset", "TimeSpan"}:
        return _lifted(_ORDER[sign], "bool", left, right)
    return _arithmetic(checker, sign, left, right, at)


def _coalesced(checker: Checker, left: Typed, right: Typed, at: int) -> Typed:
    plain = left.type.removesuffix("?")
    if left.type == "null":
        raise ExpressionError("null on the left of ?? has no type", at)
    wanted = plain if assignable(right.type, plain) or right.type == "never" else left.type
    if not assignable(right.type, wanted) and assignable(left.type, right.type):
        wanted = right.type
    if is_value(left.type) and not left.type.endswith("?"):
        raise ExpressionError(f"{left.type} is never null", at)
    run, other = left.run, checker.converted(right, wanted, at)
    return Typed(wanted, lambda v: other(v) if (given := run(v)) is None else given)


def _equality(sign: str, left: Typed, right: Typed, at: int) -> Typed:
    a, b = left.type.removesuffix("?"), right.type.removesuffix("?")
    equal: Operation = operator.eq if sign == "==" else operator.ne
    if "null" in (a, b):
        given = right if a == "null" else left
        if parts(given.type)[0] == "KeyValuePair":  # of other values the compiler lifts the operator, with a warning
            raise ExpressionError(f"{given.type} cannot be compared with null", at)
        run = given.run
        if sign == "==":
            return Typed("bool", lambda v: run(v) is None)
        return Typed("bool", lambda v: run(v) is not None)
    if a in NUMBERS | {"char": 0} and b in NUMBERS | {"char": 0} and a != b:
        return _lifted(equal, "bool", _promoted(left, b), _promoted(right, a), equality=True)
    if not (assignable(a, b) or assignable(b, a)):
        raise ExpressionError(f"{left.type} cannot be compared with {right.type}", at)
    if (a == b and (is_value(a) or a in BY_VALUE)) or "XName" in (a, b) or "XNamespace" in (a, b):
        return Typed("bool", _applied(equal, left.run, right.run))
    if (convert := implicit(a, b)) is not None and is_value(b):
        return Typed("bool", _applied(lambda x, y: equal(convert(x), y), left.run, right.run))
    return Typed("bool", _applied(_same if sign == "==" else _different, left.run, right.run))


def _same(a: Any, b: Any) -> bool:
    """Whether two references are to one object. A text that came from elsewhere is another object, as in .NET."""
    return a is b and not isinstance(a, str)


def _different(a: Any, b: Any) -> bool:
    return not _same(a, b)


def _promoted(typed: Typed, other: str) -> Typed:
    if typed.type == "char" and other != "char":
        run = typed.run
        return Typed("int", lambda v: ord(run(v)))
    return typed


def _applied(operate: Operation, left: Function, right: Function) -> Function:
    return lambda v: operate(left(v), right(v))


def _lifted(operate: Operation, result: str, left: Typed, right: Typed, equality: bool = False) -> Typed:
    """Over null, too, where an operand may be it: a comparison is then false, anything else null."""
    a, b = left.run, right.run
    if not (left.type.endswith("?") or right.type.endswith("?")) or equality:
        return Typed(result, _applied(operate, a, b))
    missing = False if result == "bool" else None

    def run(variables: Locals) -> Any:
        one, two = a(variables), b(variables)
        return missing if one is None or two is None else operate(one, two)

    return Typed(result if result == "bool" else nullable(result), run)


def _arithmetic(checker: Checker, sign: str, left: Typed, right: Typed, at: int) -> Typed:
    left, right = _promoted(left, ""), _promoted(right, "")
    a, b = left.type.removesuffix("?"), right.type.removesuffix("?")
    for type_ in (a, b):
        if type_ not in NUMBERS:
            raise ExpressionError(f"double is needed here, but this is {type_}; a cast may help", at)
    if sign in {"<<", ">>"}:
        return _lifted(_shift(sign, a), "long" if a == "long" else "int", left, right)
    if {a, b} == {"double", "decimal"}:
        raise ExpressionError("decimal and double do not mix; cast one of them", at)
    result = max(a, b, "int", key=NUMBERS.__getitem__)
    if sign in _ORDER:
        return _lifted(_ORDER[sign], "bool", left, right)
    return _lifted(operation(sign, result, at), result, left, right)


def operation(sign: str, type_: str, at: int) -> Operation:
    """An arithmetic operator on numbers of one type."""
    table = {"double": _FRACTIONS, "decimal": _DECIMALS}.get(type_, _WHOLE)
    if sign not in table:
        raise ExpressionError(f"the operator {sign} is not defined for {type_}", at)
    operate = table[sign]
    if type_ == "double":
        return lambda a, b: operate(float(a), float(b))
    if type_ == "decimal":
        return lambda a, b: operate(Decimal(a), Decimal(b))
    wrap = wrap64 if type_ == "long" else wrap32
    return lambda a, b: wrap(operate(a, b))


def _shift(sign: str, type_: str) -> Operation:
    bits, wrap = (63, wrap64) if type_ == "long" else (31, wrap32)
    if sign == "<<":
        return lambda a, b: wrap(a << (b & bits))
    return lambda a, b: a >> (b & bits)


@rule(nodes.Unary)
def _unary(checker: Checker, node: nodes.Unary) -> Typed:
    if node.operator == "!":
        condition = checker.of(node.operand, "bool").run
        return Typed("bool", lambda variables: not condition(variables))
    number = _promoted(checker.expression(node.operand), "")
    type_ = number.type.removesuffix("?")
    if type_ == "TimeSpan" and node.operator == "-":
        span = number.run
        return Typed("TimeSpan", lambda variables: TimeSpan(-span(variables).ticks))
    if type_ not in NUMBERS or (node.operator == "~" and type_ in {"double", "decimal"}):
        raise ExpressionError(f"double is needed here, but this is {type_}; a cast may help", node.at)
    result = max(type_, "int", key=NUMBERS.__getitem__)
    zero = Typed(result, lambda _: 0)
    if node.operator == "-":
        return _lifted(operation("-", result, node.at), result, zero, number)
    if node.operator == "+":
        return Typed(result, number.run)
    return _lifted(lambda _, b: ~b, result, zero, number)


@rule(nodes.Conditional)
def _conditional(checker: Checker, node: nodes.Conditional) -> Typed:
    condition = checker.of(node.condition, "bool").run
    yes, no = checker.expression(node.yes), checker.expression(node.no)
    type_ = common(yes.type, no.type)
    if type_ is None:
        raise ExpressionError(f"{yes.type} is needed here, but this is {no.type}; a cast may help", node.at)
    one, other = checker.converted(yes, type_, node.at), checker.converted(no, type_, node.at)
    return Typed(type_, lambda variables: one(variables) if condition(variables) else other(variables))


def common(one: str, other: str) -> str | None:
    """The type of two values of which either may be given."""
    for a, b in ((one, other), (other, one)):
        if b == "never" or assignable(b, a):
            return a
        if b == "null" and a != "null" and is_value(a):
            return f"{a}?"
    return None


@rule(nodes.Raise)
def _raise(checker: Checker, node: nodes.Raise) -> Typed:
    if node.value is None:
        return Typed("never", _again)
    value = checker.of(node.value, "Exception").run

    def run(variables: Locals) -> Any:
        raise thrown(value(variables))

    return Typed("never", run)


CAUGHT = "#caught"
"""The name under which a catch keeps what it caught."""


def _again(variables: Locals) -> Any:
    error = variables.get(CAUGHT)
    if error is None:
        throw("InvalidOperationException", "throw without a value stands in a catch")
    raise error


@rule(nodes.Interpolated)
def _interpolated(checker: Checker, node: nodes.Interpolated) -> Typed:
    runs: list[Function] = []
    for part in node.parts:
        if isinstance(part, str):
            if part:
                runs.append(_text(part))
            continue
        inner, width, form = part
        runs.append(_formatted(checker.expression(inner).run, width, form))
    return Typed("string", lambda variables: joined("".join([run(variables) for run in runs])))


def _text(value: str) -> Function:
    return lambda _: value


def _formatted(run: Function, width: int, form: str) -> Function:
    if not width and not form:
        return lambda variables: text(run(variables))
    return lambda variables: aligned(format_value(run(variables), form), width)


__all__ = ["DateTime", "DateTimeOffset", "combined", "common", "divided", "operation", "parts", "wrap32", "wrap64"]
