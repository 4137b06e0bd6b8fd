"""Mathematical functions, those of 64-bit integers among them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from localazure.cosmos.sql.functions.kinds import INT64, Function, Scalar, numbers, whole
from localazure.cosmos.sql.values import UNDEFINED


def _integers(function: Callable[..., int | None]) -> Scalar:
    """`function`, for 64-bit integers alone; undefined if the result does not fit in 64 bits."""

    def checked(*arguments: Any) -> Any:
        given = [whole(argument) for argument in arguments]
        result = None if None in given else function(*given)
        return result if result is not None and result in INT64 else UNDEFINED

    return checked


def _divided(left: int, right: int) -> int | None:
    """Rounded towards zero."""
    if right == 0:
        return None
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: int, right: int) -> int | None:
    """With the sign of the dividend."""
    return None if right == 0 else int(math.copysign(abs(left) % abs(right), left))


def _shifted_left(value: int, by: int) -> int:
    return ((value << (by & 63)) + 2**63) % 2**64 - 2**63


def _rounded(value: float) -> int:
    """Halves away from zero."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)


def _binned(value: float, size: float = 1) -> float:
    """The greatest multiple of `size` that is not above; without the errors of binary fractions."""
    exact = math.floor(value / size) * size
    return float(f"{exact:.12g}")


def _power(base: float, exponent: float) -> Any:
    return pow(base, exponent)


FUNCTIONS = {
    "ABS": Function(numbers(abs), 1, 1),
    "ACOS": Function(numbers(math.acos), 1, 1),
    "ASIN": Function(numbers(math.asin), 1, 1),
    "ATAN": Function(numbers(math.atan), 1, 1),
    "ATN2": Function(numbers(math.atan2), 2, 2),
    "CEILING": Function(numbers(math.ceil), 1, 1),
    "COS": Function(numbers(math.cos), 1, 1),
    "COT": Function(numbers(lambda value: 1 / math.tan(value)), 1, 1),
    "DEGREES": Function(numbers(math.degrees), 1, 1),
    "EXP": Function(numbers(math.exp), 1, 1),
    "FLOOR": Function(numbers(math.floor), 1, 1),
    "INTADD": Function(_integers(lambda left, right: left + right), 2, 2),
    "INTBITAND": Function(_integers(lambda left, right: left & right), 2, 2),
    "INTBITLEFTSHIFT": Function(_integers(_shifted_left), 2, 2),
    "INTBITNOT": Function(_integers(lambda value: ~value), 1, 1),
    "INTBITOR": Function(_integers(lambda left, right: left | right), 2, 2),
    "INTBITRIGHTSHIFT": Function(_integers(lambda value, by: value >> (by & 63)), 2, 2),
    "INTBITXOR": Function(_integers(lambda left, right: left ^ right), 2, 2),
    "INTDIV": Function(_integers(_divided), 2, 2),
    "INTMOD": Function(_integers(_remainder), 2, 2),
    "INTMUL": Function(_integers(lambda left, right: left * right), 2, 2),
    "INTSUB": Function(_integers(lambda left, right: left - right), 2, 2),
    "LOG": Function(numbers(math.log), 1, 2),
    "LOG10": Function(numbers(math.log10), 1, 1),
    "NUMBERBIN": Function(numbers(_binned), 1, 2),
    "PI": Function(lambda: math.pi, 0, 0),
    "POWER": Function(numbers(_power), 2, 2),
    "RADIANS": Function(numbers(math.radians), 1, 1),
    "RAND": Function(random.random, 0, 0),
    "ROUND": Function(numbers(_rounded), 1, 1),
    "SIGN": Function(numbers(lambda value: (value > 0) - (value < 0)), 1, 1),
    "SIN": Function(numbers(math.sin), 1, 1),
    "SQRT": Function(numbers(math.sqrt), 1, 1),
    "SQUARE": Function(numbers(lambda value: value * value), 1, 1),
    "TAN": Function(numbers(math.tan), 1, 1),
    "TRUNC": Function(numbers(math.trunc), 1, 1),
}
