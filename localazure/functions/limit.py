"""A time limit that all calls of a worker have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Limit:
    """One timer watches all calls, for the call that began first is the first to be late.

    A timer for each call takes as long to set and to cancel as the rest of a short call takes.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._late: dict[asyncio.Timeout, float] = {}
        """When each call is late, by the loop's time, in the order in which the calls began."""
        self._watched = False

    async def within(self, call: Coroutine[Any, Any, T]) -> T:
        """What the call returns. Raises TimeoutError in its place once its time is over."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as timeout:
            self._late[timeout] = loop.time() + self._seconds
            if not self._watched:
                self._watched = True
                loop.call_later(self._seconds, self._watch, loop)
            try:
                return await call
            finally:
                self._late.pop(timeout, None)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for timeout, moment in list(self._late.items()):
            if moment > now:
                loop.call_at(moment, self._watch, loop)
                return
            del self._late[timeout]
            timeout.reschedule(now)
        self._watched = False
