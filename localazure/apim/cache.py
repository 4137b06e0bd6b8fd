"""Responses and values kept for a while, in memory, of this process alone. The least recently used go first."""

from __future__ import annotations

import copy
import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from localazure.apim.context import Response
from localazure.apim.expressions.values import text

MAX_ENTRY = 2 * 1024 * 1024
"""Bytes of what is kept. Source: "API Management limits"."""
MAX_ENTRIES = 10_000
MAX_BYTES = 256 * 1024 * 1024
"""Bytes of everything together: callers who make up keys fill no more than this. Azure's smallest cache has 10 MB."""

T = TypeVar("T")


class Cache(Generic[T]):
    """Key → value and the moment it ends. Values go in and out as copies: whoever holds one may change it."""

    def __init__(self, copied: Callable[[T], T], size: Callable[[T], int]) -> None:
        self._copied, self._size = copied, size
        self._held: OrderedDict[str, tuple[float, int, T]] = OrderedDict()
        self._bytes = 0

    def get(self, key: str, now: float) -> T | None:
        found = self._held.get(key)
        if found is None:
            return None
        if found[0] <= now:
            self.remove(key)
            return None
        self._held.move_to_end(key)
        return self._copied(found[2])

    def put(self, key: str, value: T, ends: float) -> None:
        """Keep a value, unless it is too large."""
        size = self._size(value) + len(key)
        if size > MAX_ENTRY:
            return
        self.remove(key)
        self._held[key] = (ends, size, self._copied(value))
        self._bytes += size
        while len(self._held) > MAX_ENTRIES or self._bytes > MAX_BYTES:
            self.remove(next(iter(self._held)))

    def remove(self, key: str) -> None:
        found = self._held.pop(key, None)
        self._bytes -= found[1] if found else 0

    def clear(self) -> None:
        self._held.clear()
        self._bytes = 0


def kept_responses() -> Cache[Response]:
    """For cache-store."""
    return Cache(Response.copy, lambda response: len(response.body))


def kept_values() -> Cache[tuple[Any]]:
    """For cache-store-value. A value stands in a tuple: null is one, too."""
    return Cache(copy.deepcopy, lambda held: _size(held[0]))


def _size(value: Any) -> int:
    """About how many bytes a value takes."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Response):
        return len(value.body)
    if isinstance(value, dict | list):
        return len(json.dumps(value, default=text, skipkeys=True))
    return max(64, len(text(value)))
