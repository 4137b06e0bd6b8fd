"""What the tables of functions are made of: a function, how many arguments it takes, and checks of their types."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from localazure.cosmos.sql.values import UNDEFINED, is_number

Scalar = Callable[..., Any]
INT64 = range(-(2**63), 2**63)


class Function(NamedTuple):
    """`most` is None where any number of arguments is taken."""

    call: Scalar
    least: int
    most: int | None


def strings(function: Scalar) -> Scalar:
    """`function`, for strings alone."""

    def checked(*arguments: Any) -> Any:
        return function(*arguments) if all(isinstance(argument, str) for argument in arguments) else UNDEFINED

    return checked


def numbers(function: Scalar) -> Scalar:
    """`function`, for numbers alone; a result that JSON has no number for is undefined."""

    def checked(*arguments: Any) -> Any:
        if not all(is_number(argument) for argument in arguments):
            return UNDEFINED
        try:
            return number(function(*arguments))
        except (ValueError, ZeroDivisionError, OverflowError):
            return UNDEFINED

    return checked


def arrays(function: Scalar) -> Scalar:
    """`function`, for arrays alone."""

    def checked(*arguments: Any) -> Any:
        return function(*arguments) if all(isinstance(argument, list) for argument in arguments) else UNDEFINED

    return checked


def number(value: Any) -> Any:
    """The value as JSON has it: 2, not 2.0; no infinity."""
    if value is UNDEFINED or isinstance(value, complex):
        return UNDEFINED
    if isinstance(value, float):
        if not math.isfinite(value):
            return UNDEFINED
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def whole(value: Any) -> int | None:
    """The value as a 64-bit integer, if it is one."""
    if not is_number(value) or (isinstance(value, float) and not value.is_integer()):
        return None
    return int(value) if int(value) in INT64 else None
