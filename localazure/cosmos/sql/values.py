"""JSON values as Cosmos DB compares, orders, hashes and writes them; `undefined` is not `null`."""

from __future__ import annotations

import json
from typing import Any, Final


class Undefined:
    """The value of a property that is not there."""

    _only: Undefined | None = None

    def __new__(cls) -> Undefined:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = Undefined()

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_RANKS: dict[type, int] = {Undefined: 0, type(None): 1, bool: 2, int: 4, float: 4, str: 5, list: 6, dict: 7}


def rank(value: Any) -> int:
    """The place of the value's type: undefined, null, booleans, numbers, strings, arrays, objects."""
    return _RANKS[type(value)]


def order_key(value: Any) -> tuple[Any, ...]:
    """A key by which any two values can be sorted as ORDER BY sorts them."""
    kind = rank(value)
    if kind <= 1:
        return (kind,)
    return (kind, identity(value) if kind >= 6 else value)


def identity(value: Any) -> str:
    """The same text for equal values: 1 and 1.0 are equal, an object's order of properties does not matter."""
    if value is UNDEFINED:
        return "undefined"
    return json.dumps(_whole(value), sort_keys=True)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    return value


def written(value: Any) -> str:
    """The value as JSON."""
    return _ENCODER.encode(value)


def compare(operator: str, left: Any, right: Any) -> Any:
    """`left operator right`; undefined where the two cannot be compared. Values of two types are not equal."""
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    kind = rank(left)
    if kind != rank(right):
        return UNDEFINED if operator not in ("=", "!=") else operator == "!="
    if operator in ("=", "!="):
        # Python holds [1] and [true] to be equal; JSON does not
        equal = identity(left) == identity(right) if kind >= 6 else bool(left == right)
        return equal is (operator == "=")
    if kind >= 6:
        return UNDEFINED
    if kind == 1:
        return operator in ("<=", ">=")
    if operator == "<":
        return bool(left < right)
    if operator == "<=":
        return bool(left <= right)
    if operator == ">":
        return bool(left > right)
    return bool(left >= right)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
