"""JSON that callers send, and how deep it may be: Python's own readers stop wherever their stack happens to end."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any, TypeVar

import msgspec

DEEPEST = 64
"""Levels: `MaxDepth` of Newtonsoft.Json 13 and of System.Text.Json, which read what callers send to Azure."""

T = TypeVar("T")


def read(text: bytes) -> Any:
    """The value. Raises ValueError for what is not JSON, or nested more than `DEEPEST` deep."""
    try:
        value = json.loads(text.decode())  # of bytes, Python reads half a surrogate pair as well
    except RecursionError:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from None
    if is_deeper(value, DEEPEST):
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    return value


def read_as(text: bytes, kind: type[T]) -> T:
    """The value as a `kind`. Raises ValueError, which names the member that is wrong, and nothing of its value."""
    try:
        return msgspec.convert(read(text), kind)
    except msgspec.ValidationError as exc:
        raise ValueError(str(exc)) from exc


def is_deeper(value: Any, most: int) -> bool:
    """Whether arrays and objects are nested more than `most` deep."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
        items = (item.values() if isinstance(item, dict) else item for item in level)
        level = [inner for inner in chain.from_iterable(items) if isinstance(inner, dict | list)]
        if not level:
            return False
    return bool(level)
