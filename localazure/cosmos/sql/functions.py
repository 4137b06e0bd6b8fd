"""The built-in functions of Cosmos DB's SQL that are here. An argument of a wrong type makes the result undefined."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from localazure.cosmos.sql.values import UNDEFINED, identity, is_number

Scalar = Callable[..., Any]


def _strings(function: Scalar) -> Scalar:
    def checked(*arguments: Any) -> Any:
        return function(*arguments) if all(isinstance(argument, str) for argument in arguments) else UNDEFINED

    return checked


def _folding(function: Callable[[str, str], Any]) -> Scalar:
    """Two strings, and a flag that says whether case is to be ignored."""

    def checked(text: Any, part: Any, fold: Any = False) -> Any:
        if not isinstance(text, str) or not isinstance(part, str) or not isinstance(fold, bool):
            return UNDEFINED
        return function(text.lower(), part.lower()) if fold else function(text, part)

    return checked


def _numbers(function: Scalar) -> Scalar:
    def checked(*arguments: Any) -> Any:
        if not all(is_number(argument) for argument in arguments):
            return UNDEFINED
        try:
            result = function(*arguments)
            return UNDEFINED if isinstance(result, complex) else result
        except (ValueError, ZeroDivisionError, OverflowError):
            return UNDEFINED

    return checked


def _is(*types: type) -> Scalar:
    return lambda value: type(value) in types


def _substring(text: Any, start: Any, length: Any) -> Any:
    if not isinstance(text, str) or not is_number(start) or not is_number(length):
        return UNDEFINED
    first = max(0, int(start))
    return text[first : first + max(0, int(length))]


def _index_of(text: Any, part: Any, start: Any = 0) -> Any:
    if not isinstance(text, str) or not isinstance(part, str) or not is_number(start):
        return UNDEFINED
    return text.find(part, int(start))


def _array_contains(array: Any, wanted: Any, partial: Any = False) -> Any:
    if not isinstance(array, list) or wanted is UNDEFINED:
        return UNDEFINED
    if partial is True and isinstance(wanted, dict):
        return any(isinstance(item, dict) and wanted.items() <= item.items() for item in array)
    return any(identity(item) == identity(wanted) for item in array)


def _array_slice(array: Any, start: Any, length: Any = None) -> Any:
    if not isinstance(array, list) or not is_number(start) or not (length is None or is_number(length)):
        return UNDEFINED
    first = int(start) if start >= 0 else max(0, len(array) + int(start))
    return array[first:] if length is None else array[first : first + max(0, int(length))]


def _concat(*parts: Any) -> Any:
    return "".join(parts) if all(isinstance(part, str) for part in parts) else UNDEFINED


def _array_concat(*arrays: Any) -> Any:
    return (
        [item for array in arrays for item in array] if all(isinstance(array, list) for array in arrays) else UNDEFINED
    )


def _to_string(value: Any) -> Any:
    if value is UNDEFINED:
        return UNDEFINED
    return value if isinstance(value, str) else identity(value)


def _to_number(text: Any) -> Any:
    try:
        number = float(text) if isinstance(text, str) else UNDEFINED
    except ValueError:
        return UNDEFINED
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _regex(text: Any, pattern: Any, modifiers: Any = "") -> Any:
    if not all(isinstance(value, str) for value in (text, pattern, modifiers)):
        return UNDEFINED
    flags = re.IGNORECASE if "i" in modifiers else re.NOFLAG
    try:
        return re.search(pattern, text, flags | (re.MULTILINE if "m" in modifiers else re.NOFLAG)) is not None
    except re.error:
        return UNDEFINED


FUNCTIONS: dict[str, Scalar] = {
    "ABS": _numbers(abs),
    "ARRAY_CONCAT": _array_concat,
    "ARRAY_CONTAINS": _array_contains,
    "ARRAY_LENGTH": lambda array: len(array) if isinstance(array, list) else UNDEFINED,
    "ARRAY_SLICE": _array_slice,
    "CEILING": _numbers(math.ceil),
    "CONCAT": _concat,
    "CONTAINS": _folding(lambda text, part: part in text),
    "ENDSWITH": _folding(lambda text, part: text.endswith(part)),
    "EXP": _numbers(math.exp),
    "FLOOR": _numbers(math.floor),
    "INDEX_OF": _index_of,
    "IS_ARRAY": _is(list),
    "IS_BOOL": _is(bool),
    "IS_DEFINED": lambda value: value is not UNDEFINED,
    "IS_NULL": lambda value: value is None,
    "IS_NUMBER": _is(int, float),
    "IS_OBJECT": _is(dict),
    "IS_PRIMITIVE": _is(str, int, float, bool, type(None)),
    "IS_STRING": _is(str),
    "LEFT": lambda text, length: _substring(text, 0, length),
    "LENGTH": _strings(len),
    "LOG": _numbers(math.log),
    "LOG10": _numbers(math.log10),
    "LOWER": _strings(str.lower),
    "LTRIM": _strings(str.lstrip),
    "POWER": _numbers(pow),
    "REGEXMATCH": _regex,
    "REPLACE": _strings(str.replace),
    "REPLICATE": lambda text, times: text * int(times) if isinstance(text, str) and is_number(times) else UNDEFINED,
    "REVERSE": _strings(lambda text: text[::-1]),
    "RIGHT": lambda text, length: (
        text[max(0, len(text) - max(0, int(length))) :] if isinstance(text, str) and is_number(length) else UNDEFINED
    ),
    "ROUND": _numbers(lambda number: math.floor(number + 0.5) if number >= 0 else math.ceil(number - 0.5)),
    "RTRIM": _strings(str.rstrip),
    "SIGN": _numbers(lambda number: (number > 0) - (number < 0)),
    "SQRT": _numbers(math.sqrt),
    "SQUARE": _numbers(lambda number: number * number),
    "STARTSWITH": _folding(lambda text, part: text.startswith(part)),
    "STRINGEQUALS": _folding(lambda text, part: text == part),
    "STRINGTONUMBER": _to_number,
    "SUBSTRING": _substring,
    "TOSTRING": _to_string,
    "TRIM": _strings(str.strip),
    "TRUNC": _numbers(math.trunc),
    "UPPER": _strings(str.upper),
}

AGGREGATES = frozenset({"COUNT", "SUM", "AVG", "MIN", "MAX"})


def _at(now: float) -> str:
    """The time as ISO 8601 with seven decimals."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=round(now * 1_000_000))
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z"


_CLOCK: dict[str, Callable[[float], Any]] = {
    "GETCURRENTDATETIME": _at,
    "GETCURRENTTICKS": lambda now: round(now * 10_000_000),
    "GETCURRENTTIMESTAMP": lambda now: int(now * 1000),
}
CLOCK = _CLOCK | {f"{name}STATIC": function for name, function in _CLOCK.items()}
"""Functions of the time (seconds since the Unix epoch). A page is made at one moment: all are static."""
