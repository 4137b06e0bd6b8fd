"""Functions of arrays, and of arrays as sets."""

from __future__ import annotations

import statistics
from typing import Any

from localazure.cosmos.sql.functions.kinds import Function, arrays, number
from localazure.cosmos.sql.values import UNDEFINED, identity, is_number, order_key


def _contains(array: Any, wanted: Any, partial: Any = False) -> Any:
    if not isinstance(array, list) or wanted is UNDEFINED:
        return UNDEFINED
    if partial is True:
        return any(_holds(item, wanted) for item in array)
    return any(identity(item) == identity(wanted) for item in array)


def _holds(item: Any, wanted: Any) -> bool:
    """Whether `item` equals `wanted` or, if both are objects, has its properties and perhaps others."""
    if isinstance(item, dict) and isinstance(wanted, dict):
        return all(name in item and _holds(item[name], value) for name, value in wanted.items())
    return identity(item) == identity(wanted)


def _contains_any(array: Any, *wanted: Any) -> Any:
    if not isinstance(array, list):
        return UNDEFINED
    present = {identity(item) for item in array}
    if any(identity(value) in present for value in wanted if value is not UNDEFINED):
        return True
    return UNDEFINED if UNDEFINED in wanted else False


def _contains_all(array: Any, *wanted: Any) -> Any:
    if not isinstance(array, list):
        return UNDEFINED
    present = {identity(item) for item in array}
    if any(identity(value) not in present for value in wanted if value is not UNDEFINED):
        return False
    return UNDEFINED if UNDEFINED in wanted else True


def _slice(array: Any, start: Any, length: Any = None) -> Any:
    if not isinstance(array, list) or not is_number(start) or not (length is None or is_number(length)):
        return UNDEFINED
    first = int(start) if start >= 0 else max(0, len(array) + int(start))
    return array[first:] if length is None else array[first : first + max(0, int(length))]


def _sum(array: list[Any]) -> Any:
    return number(sum(array)) if all(map(is_number, array)) else UNDEFINED


def _average(array: list[Any]) -> Any:
    return number(sum(array) / len(array)) if array and all(map(is_number, array)) else UNDEFINED


def _median(array: list[Any]) -> Any:
    return number(statistics.median(array)) if array and all(map(is_number, array)) else UNDEFINED


def _largest(array: list[Any]) -> Any:
    return max(array, key=order_key) if array and not _structured(array) else UNDEFINED


def _smallest(array: list[Any]) -> Any:
    return min(array, key=order_key) if array and not _structured(array) else UNDEFINED


def _structured(array: list[Any]) -> bool:
    return any(isinstance(item, list | dict) for item in array)


def _unique(items: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(identity(item), item)
    return found


def _difference(first: list[Any], second: list[Any]) -> list[Any]:
    others = _unique(second)
    return [item for name, item in _unique(first).items() if name not in others]


def _intersection(first: list[Any], second: list[Any]) -> list[Any]:
    """In the order of the second, as in the documentation's example."""
    others = _unique(first)
    return [item for name, item in _unique(second).items() if name in others]


def _object_to_array(value: Any, name: Any = "k", content: Any = "v") -> Any:
    if not isinstance(value, dict) or not isinstance(name, str) or not isinstance(content, str):
        return UNDEFINED
    return [{name: key, content: inner} for key, inner in value.items()]


FUNCTIONS = {
    "ARRAY_AVG": Function(arrays(_average), 1, 1),
    "ARRAY_CONCAT": Function(arrays(lambda *parts: [item for part in parts for item in part]), 2, None),
    "ARRAY_CONTAINS": Function(_contains, 2, 3),
    "ARRAY_CONTAINS_ALL": Function(_contains_all, 2, None),
    "ARRAY_CONTAINS_ANY": Function(_contains_any, 2, None),
    "ARRAY_LENGTH": Function(arrays(len), 1, 1),
    "ARRAY_MAX": Function(arrays(_largest), 1, 1),
    "ARRAY_MEDIAN": Function(arrays(_median), 1, 1),
    "ARRAY_MIN": Function(arrays(_smallest), 1, 1),
    "ARRAY_SLICE": Function(_slice, 2, 3),
    "ARRAY_SUM": Function(arrays(_sum), 1, 1),
    "OBJECTTOARRAY": Function(_object_to_array, 1, 3),
    "SETDIFFERENCE": Function(arrays(_difference), 2, 2),
    "SETEQUAL": Function(arrays(lambda first, second: _unique(first).keys() == _unique(second).keys()), 2, 2),
    "SETINTERSECT": Function(arrays(_intersection), 2, 2),
    "SETUNION": Function(arrays(lambda first, second: list(_unique([*first, *second]).values())), 2, 2),
}
