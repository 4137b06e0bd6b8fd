"""Functions that tell a value's type, and those that choose between values."""

from __future__ import annotations

import math
from typing import Any

from localazure.cosmos.sql.functions.dates import parse
from localazure.cosmos.sql.functions.kinds import Function, Scalar, whole
from localazure.cosmos.sql.values import UNDEFINED, is_number


def _is(*types: type) -> Scalar:
    return lambda value: type(value) in types


def _choose(place: Any, *values: Any) -> Any:
    number = whole(place)
    return values[number - 1] if number is not None and 1 <= number <= len(values) else UNDEFINED


def _document_id(value: Any) -> Any:
    """The number in a document's resource id."""
    rid = value.get("_rid") if isinstance(value, dict) else None
    return int(rid[8:], 16) if isinstance(rid, str) and len(rid) > 8 else UNDEFINED


FUNCTIONS = {
    "CHOOSE": Function(_choose, 2, None),
    "DOCUMENTID": Function(_document_id, 1, 1),
    "IIF": Function(lambda condition, then, otherwise: then if condition is True else otherwise, 3, 3),
    "IS_ARRAY": Function(_is(list), 1, 1),
    "IS_BOOL": Function(_is(bool), 1, 1),
    "IS_BOOLEAN": Function(_is(bool), 1, 1),
    "IS_DATETIME": Function(lambda value: isinstance(value, str) and parse(value) is not None, 1, 1),
    "IS_DEFINED": Function(lambda value: value is not UNDEFINED, 1, 1),
    "IS_FINITE_NUMBER": Function(lambda value: is_number(value) and math.isfinite(value), 1, 1),
    "IS_INTEGER": Function(lambda value: whole(value) is not None, 1, 1),
    "IS_NULL": Function(lambda value: value is None, 1, 1),
    "IS_NUMBER": Function(_is(int, float), 1, 1),
    "IS_OBJECT": Function(_is(dict), 1, 1),
    "IS_PRIMITIVE": Function(_is(str, int, float, bool, type(None)), 1, 1),
    "IS_STRING": Function(_is(str), 1, 1),
}
