"""Arithmetic of JSON values. An operand of a wrong type, and a result that is no number, make it undefined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localazure.cosmos.sql.values import UNDEFINED, is_number


def calculate(operator: str, left: Any, right: Any) -> Any:
    """`left operator right`."""
    if operator == "||":
        return left + right if isinstance(left, str) and isinstance(right, str) else UNDEFINED
    if not is_number(left) or not is_number(right):
        return UNDEFINED
    try:
        result = _ARITHMETIC[operator](left, right)
    except (ZeroDivisionError, OverflowError, ValueError):
        return UNDEFINED
    return int(result) if isinstance(result, float) and result.is_integer() and abs(result) < 2**53 else result


def _bits(value: float) -> int:
    """The number's 32 bits, as a number with a sign."""
    return (int(value) + 2**31) % 2**32 - 2**31


def _shift(value: float) -> int:
    return int(value) % 32


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": lambda left, right: left - right * int(left / right),
    "&": lambda left, right: _bits(left) & _bits(right),
    "|": lambda left, right: _bits(left) | _bits(right),
    "^": lambda left, right: _bits(left) ^ _bits(right),
    "<<": lambda left, right: _bits(_bits(left) << _shift(right)),
    ">>": lambda left, right: _bits(left) >> _shift(right),
    ">>>": lambda left, right: _bits((_bits(left) % 2**32) >> _shift(right)),
}
