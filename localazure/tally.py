"""A log that a stranger cannot fill: what happens often is one line, and then one line an interval with its number."""

from __future__ import annotations

import asyncio
import logging

INTERVAL = 60.0
"""Seconds: often enough to see that something goes on, and a day of it is 1,440 lines."""


class Tally:
    """Counts by kind, told to one logger."""

    def __init__(self, log: logging.Logger, interval: float = INTERVAL) -> None:
        self._log, self._interval = log, interval
        self._counts: dict[str, int] = {}

    def note(self, kind: str, level: int = logging.INFO) -> None:
        """One more of a kind, which is the line itself: it holds nothing that a caller chose."""
        if kind in self._counts:
            self._counts[kind] += 1
            return
        self._log.log(level, "%s", kind)
        self._watch(kind, level)

    def _watch(self, kind: str, level: int) -> None:
        self._counts[kind] = 0
        asyncio.get_running_loop().call_later(self._interval, self._tell, kind, level)

    def _tell(self, kind: str, level: int) -> None:
        if count := self._counts.pop(kind):
            self._log.log(level, "%s (%d more in %d s)", kind, count, self._interval)
            self._watch(kind, level)
