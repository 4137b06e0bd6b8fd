"""Responses and values kept for a while, in memory, of this process alone. The least recently used go first."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

from localazure.apim.context import Response

LARGEST_ENTRY = 2 * 1024 * 1024
"""Bytes of a response that is kept. Source: "API Management limits"."""
MOST_ENTRIES = 10_000


class ResponseCache:
    """Key → response and the moment it ends."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[float, Response]] = OrderedDict()

    def get(self, key: str, now: float) -> Response | None:
        found = self._held.get(key)
        if found is None:
            return None
        if found[0] <= now:
            del self._held[key]
            return None
        self._held.move_to_end(key)
        return found[1].copy()

    def put(self, key: str, response: Response, ends: float) -> None:
        if len(response.body) > LARGEST_ENTRY:
            return
        self._held[key] = (ends, response.copy())
        self._held.move_to_end(key)
        while len(self._held) > MOST_ENTRIES:
            self._held.popitem(last=False)

    def clear(self) -> None:
        self._held.clear()


class ValueCache:
    """Key → any value and the moment it ends. What is kept is a copy: an expression may change its own."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[float, Any]] = OrderedDict()

    def get(self, key: str, now: float, default: Any = None) -> Any:
        found = self._held.get(key)
        if found is None or found[0] <= now:
            self._held.pop(key, None)
            return default
        self._held.move_to_end(key)
        return copy.deepcopy(found[1])

    def put(self, key: str, value: Any, ends: float) -> None:
        self._held[key] = (ends, copy.deepcopy(value))
        self._held.move_to_end(key)
        while len(self._held) > MOST_ENTRIES:
            self._held.popitem(last=False)

    def remove(self, key: str) -> None:
        self._held.pop(key, None)

    def clear(self) -> None:
        self._held.clear()
