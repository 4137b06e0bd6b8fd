"""Counting calls: a sliding window for rates, a fixed window for quotas. In memory, of this process alone."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

SWEEP = 4096
"""Counters after which those that are empty are forgotten."""


@dataclass(frozen=True)
class Verdict:
    """`wait`: seconds until a call can pass again, 0 where this one passes; `remaining`: calls left afterwards."""

    allowed: bool
    remaining: int
    wait: int


class Rates:
    """Calls of the last seconds, by key. A refused call does not count."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = {}

    def check(self, key: str, calls: int, period: float, now: float, count: int = 1) -> Verdict:
        """Whether `count` more fit; counts them if they do."""
        window = self._window(key, period, now)
        if len(window) + count > calls:
            oldest = window[min(len(window) - 1, max(0, len(window) + count - calls - 1))] if window else now
            return Verdict(False, max(0, calls - len(window)), max(1, math.ceil(oldest + period - now)))
        window.extend([now] * count)
        return Verdict(True, calls - len(window), 0)

    def look(self, key: str, calls: int, period: float, now: float) -> Verdict:
        """Whether the limit has been passed by what was counted afterwards; counts nothing.

        Source: rate-limit-by-key: where the count is known only at a call's end, the next call is what is refused.
        """
        window = self._window(key, period, now)
        over = len(window) - calls
        if over > 0:
            return Verdict(False, 0, max(1, math.ceil(window[over - 1] + period - now)))
        return Verdict(True, -over, 0)

    def add(self, key: str, now: float, count: int = 1) -> None:
        """Count a call whose condition was known only at its end."""
        self._calls.setdefault(key, deque()).extend([now] * count)

    def clear(self) -> None:
        self._calls.clear()

    def _window(self, key: str, period: float, now: float) -> deque[float]:
        if len(self._calls) > SWEEP:
            self._calls = {name: held for name, held in self._calls.items() if held and held[-1] > now - period}
        window = self._calls.setdefault(key, deque())
        while window and window[0] <= now - period:
            window.popleft()
        return window


@dataclass
class _Period:
    start: float
    calls: int = 0
    bytes: int = 0


@dataclass
class Quotas:
    """Calls and bytes within fixed periods, by key. A period of 0 seconds never ends."""

    _periods: dict[str, _Period] = field(default_factory=dict)

    def check(
        self, key: str, calls: int | None, kilobytes: int | None, period: float, origin: float, now: float
    ) -> Verdict:
        """Whether another call fits; does not count it."""
        held = self._now(key, period, origin, now)
        full = (calls is not None and held.calls >= calls) or (kilobytes is not None and held.bytes >= kilobytes * 1024)
        wait = math.ceil(held.start + period - now) if period else 0
        return Verdict(not full, 0 if calls is None else max(0, calls - held.calls - 1), wait)

    def add(self, key: str, period: float, origin: float, now: float, calls: int = 0, size: int = 0) -> None:
        held = self._now(key, period, origin, now)
        held.calls += calls
        held.bytes += size

    def clear(self) -> None:
        self._periods.clear()

    def _now(self, key: str, period: float, origin: float, now: float) -> _Period:
        start = origin + (now - origin) // period * period if period else origin
        held = self._periods.get(key)
        if held is None or held.start != start:
            held = self._periods[key] = _Period(start)
        return held
