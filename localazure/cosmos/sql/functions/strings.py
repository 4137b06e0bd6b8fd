"""Functions of strings, and those that make other values of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from localazure.cosmos.sql.functions.kinds import Function, Scalar, number, strings
from localazure.cosmos.sql.values import UNDEFINED, is_number

MAX_REPLICA = 10_000
"""Characters."""
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")


def _folding(function: Callable[[str, str], Any]) -> Scalar:
    """Two strings, and a flag that says whether case is to be ignored."""

    def checked(text: Any, part: Any, fold: Any = False) -> Any:
        if not isinstance(text, str) or not isinstance(part, str) or not isinstance(fold, bool):
            return UNDEFINED
        return function(text.lower(), part.lower()) if fold else function(text, part)

    return checked


def _substring(text: Any, start: Any, length: Any) -> Any:
    if not isinstance(text, str) or not is_number(start) or not is_number(length):
        return UNDEFINED
    first = max(0, int(start))
    return text[first : first + max(0, int(length))]


def _right(text: Any, length: Any) -> Any:
    if not isinstance(text, str) or not is_number(length):
        return UNDEFINED
    return text[max(0, len(text) - max(0, int(length))) :]


def _index_of(text: Any, part: Any, start: Any = 0) -> Any:
    if not isinstance(text, str) or not isinstance(part, str) or not is_number(start):
        return UNDEFINED
    return text.find(part, max(0, int(start)))


def _last_index_of(text: Any, part: Any, start: Any = None) -> Any:
    """The search goes from `start` towards the beginning."""
    if not isinstance(text, str) or not isinstance(part, str) or not (start is None or is_number(start)):
        return UNDEFINED
    return text.rfind(part) if start is None else text.rfind(part, 0, max(0, int(start) + 1))


def _replicate(text: Any, times: Any) -> Any:
    if not isinstance(text, str) or not is_number(times) or times < 0 or len(text) * int(times) > MAX_REPLICA:
        return UNDEFINED
    return text * int(times)


def _join(parts: Any, separator: Any) -> Any:
    if not isinstance(parts, list) or not isinstance(separator, str) or not all(isinstance(p, str) for p in parts):
        return UNDEFINED
    return separator.join(parts)


def _to_string(value: Any) -> Any:
    if value is UNDEFINED or isinstance(value, str):
        return value
    return json.dumps(number(value), separators=(",", ":"), ensure_ascii=False)


def _to_number(text: str) -> Any:
    return number(json.loads(text.strip())) if _NUMBER.fullmatch(text.strip()) else UNDEFINED


def _parsing(*types: type) -> Scalar:
    """JSON of one of the types; undefined for anything else."""

    def parsed(text: str) -> Any:
        try:
            value = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return UNDEFINED
        return value if type(value) in types else UNDEFINED

    return strings(parsed)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _parted(find: Callable[[str, str], int], after: bool) -> Scalar:
    """What is before or after a part of a text; undefined where the text does not have it."""

    def checked(text: str, part: str) -> Any:
        place = find(text, part)
        if place < 0:
            return UNDEFINED
        return text[place + len(part) :] if after else text[:place]

    return strings(checked)


def _several(decide: Callable[[list[bool]], bool], fold: bool) -> Scalar:
    def checked(text: str, *parts: str) -> bool:
        if fold:
            return decide([part.lower() in text.lower() for part in parts])
        return decide([part in text for part in parts])

    return strings(checked)


FUNCTIONS = {
    "CONCAT": Function(strings(lambda *parts: "".join(parts)), 2, None),
    "CONTAINS": Function(_folding(lambda text, part: part in text), 2, 3),
    "CONTAINS_ALL_CI": Function(_several(all, fold=True), 2, None),
    "CONTAINSALLCI": Function(_several(all, fold=True), 2, None),
    "CONTAINS_ALL_CS": Function(_several(all, fold=False), 2, None),
    "CONTAINSALLCS": Function(_several(all, fold=False), 2, None),
    "CONTAINS_ANY_CI": Function(_several(any, fold=True), 2, None),
    "CONTAINSANYCI": Function(_several(any, fold=True), 2, None),
    "CONTAINS_ANY_CS": Function(_several(any, fold=False), 2, None),
    "CONTAINSANYCS": Function(_several(any, fold=False), 2, None),
    "ENDSWITH": Function(_folding(str.endswith), 2, 3),
    "INDEX_OF": Function(_index_of, 2, 3),
    "LASTINDEXOF": Function(_last_index_of, 2, 3),
    "LASTSUBSTRINGAFTER": Function(_parted(str.rfind, after=True), 2, 2),
    "LASTSUBSTRINGBEFORE": Function(_parted(str.rfind, after=False), 2, 2),
    "LEFT": Function(lambda text, length: _substring(text, 0, length), 2, 2),
    "LENGTH": Function(strings(len), 1, 1),
    "LOWER": Function(strings(str.lower), 1, 1),
    "LTRIM": Function(strings(str.lstrip), 1, 2),
    "REPLACE": Function(strings(lambda text, part, new: text.replace(part, new) if part else text), 3, 3),
    "REPLICATE": Function(_replicate, 2, 2),
    "REVERSE": Function(strings(lambda text: text[::-1]), 1, 1),
    "RIGHT": Function(_right, 2, 2),
    "RTRIM": Function(strings(str.rstrip), 1, 2),
    "STARTSWITH": Function(_folding(str.startswith), 2, 3),
    "STRINGEQUALS": Function(_folding(str.__eq__), 2, 3),
    "STRINGJOIN": Function(_join, 2, 2),
    "STRINGSPLIT": Function(strings(lambda text, part: text.split(part) if part else [text]), 2, 2),
    "STRINGTOARRAY": Function(_parsing(list), 1, 1),
    "STRINGTOBOOLEAN": Function(_parsing(bool), 1, 1),
    "STRINGTONULL": Function(_parsing(type(None)), 1, 1),
    "STRINGTONUMBER": Function(strings(_to_number), 1, 1),
    "STRINGTOOBJECT": Function(_parsing(dict), 1, 1),
    "SUBSTRING": Function(_substring, 3, 3),
    "SUBSTRINGAFTER": Function(_parted(str.find, after=True), 2, 2),
    "SUBSTRINGBEFORE": Function(_parted(str.find, after=False), 2, 2),
    "TOSTRING": Function(_to_string, 1, 1),
    "TRIM": Function(strings(str.strip), 1, 2),
    "UPPER": Function(strings(str.upper), 1, 1),
}
