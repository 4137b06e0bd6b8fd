"""The operators of the rule language on values as messages carry them.

`None` is unknown and makes most results unknown. Values of types that do not go together are an EvaluationError: the
service binds operators as C# does, where whole numbers divide to whole numbers and a text is never a number.
Source: "Subscription rule SQL filter syntax", property evaluation semantics and operator binding semantics.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from localazure.servicebus.amqp.types import Timestamp
from localazure.servicebus.values import TimeSpan


class EvaluationError(Exception):
    """An expression has no value for this message."""


def both(left: Any, right: Any) -> Any:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def either(left: Any, right: Any) -> Any:
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def opposite(value: Any) -> Any:
    return None if value is None else not value


def same(left: Any, right: Any) -> bool:
    """Equality that knows that 1 is not true; whole and broken numbers compare by value."""
    return _kind(left) is _kind(right) and bool(left == right)


def compare(operator: str, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    if _kind(left) is not _kind(right):
        raise EvaluationError(f"{_named(left)} cannot be compared with {_named(right)}")
    if operator == "=":
        return left == right
    if operator in ("<>", "!="):
        return left != right
    if isinstance(left, bool):
        raise EvaluationError(f"true and false have no order for {operator}")
    try:
        return {
            "<": lambda: left < right,
            "<=": lambda: left <= right,
            ">": lambda: left > right,
            ">=": lambda: left >= right,
        }[operator]()
    except TypeError as exc:
        raise EvaluationError(f"{_named(left)} has no order for {operator}") from exc


def within(value: Any, choices: Sequence[Any], negative: bool) -> Any:
    if value is None:
        return None
    return any(choice is not None and compare("=", value, choice) for choice in choices) is not negative


def like(values: Sequence[Any], negative: bool) -> Any:
    """Text, pattern and, if there is one, the escape character."""
    if any(value is None for value in values):
        return None
    if not all(isinstance(value, str) for value in values):
        raise EvaluationError("LIKE compares texts")
    text, pattern, *rest = values
    escape = rest[0] if rest else ""
    if rest and len(escape) != 1:
        raise EvaluationError(f"ESCAPE takes one character, not {escape!r}")
    out, characters = "", iter(pattern)
    for character in characters:
        if escape and character == escape:
            out += re.escape(next(characters, ""))
        else:
            out += {"%": ".*", "_": "."}.get(character, re.escape(character))
    return (re.fullmatch(out, text, re.DOTALL) is not None) is not negative


def calculate(operator: str, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    if operator == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if not _number(left) or not _number(right):
        raise EvaluationError(f"{operator} cannot take {_named(left)} and {_named(right)}")
    if operator in "+-*":
        return {"+": left + right, "-": left - right, "*": left * right}[operator]
    if right == 0 and isinstance(left, int) and isinstance(right, int):
        raise EvaluationError("a whole number cannot be divided by zero")
    return _divide(left, right) if operator == "/" else _remainder(left, right)


def signed(operator: str, value: Any) -> Any:
    if value is None:
        return None
    if not _number(value):
        raise EvaluationError(f"{operator} cannot take {_named(value)}")
    return -value if operator == "-" else value


def _divide(left: float, right: float) -> float:
    if isinstance(left, int) and isinstance(right, int):
        whole = abs(left) // abs(right)
        return whole if (left < 0) == (right < 0) else -whole
    if right == 0:
        return math.nan if left == 0 else math.copysign(math.inf, left)
    return left / right


def _remainder(left: float, right: float) -> float:
    """It has the sign of the dividend."""
    if isinstance(left, int) and isinstance(right, int):
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    return math.nan if right == 0 else math.fmod(left, right)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool | Timestamp | TimeSpan)


def _kind(value: Any) -> type:
    return float if _number(value) else type(value)


def _named(value: Any) -> str:
    names = {bool: "a truth value", str: "a text", int: "a number", float: "a number", Timestamp: "a moment",
             TimeSpan: "a span of time"}  # fmt: skip
    return names.get(type(value), type(value).__name__)
