"""Which traces are sent: every failed and every slow one whole, and of the others a share, decided by trace id.

A trace is known to be ordinary only when it has ended, and its spans end in several processes. Each holds what it has
for a while and decides then. A trace that is kept says so in its traceparent (flag 01), so that whoever hears its
next event keeps it, too; all others (flag 00) are decided by their id, which everybody reads alike. So a trace is
sent whole or not at all, and its weight is the same in all its items.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from shared.telemetry import trace
from shared.telemetry.record import Record

HOLD_SECONDS = 60.0
"""Longer than an order takes; one that waits for its deadline is slow, and says so when it ends."""
MAX_KEPT = 20_000
"""Records held: about 20 MB. Beyond, the oldest are decided early."""

Emit = Callable[[Record, float], None]


class Sampler:
    """`emit` is given each record that is sent, with the share of its like that is: 0.1 stands for ten."""

    def __init__(self, share: float, emit: Emit, now: Callable[[], float] = time.monotonic) -> None:
        self._share, self._emit, self._now = share, emit, now
        self._held: deque[tuple[float, Record]] = deque()
        self._lock = threading.Lock()

    @property
    def records_all(self) -> bool:
        return self._share >= 1

    def add(self, record: Record) -> None:
        if self.records_all:
            self._emit(record, 1.0)
            return
        with self._lock:
            self._held.append((self._now(), record))
        self.release()

    def release(self, *, all_: bool = False) -> None:
        """Decide what has been held for long enough."""
        while True:
            with self._lock:
                due = self._held and (
                    all_ or len(self._held) > MAX_KEPT or self._now() - self._held[0][0] > HOLD_SECONDS
                )
                if not due:
                    return
                _, record = self._held.popleft()
            if (share := self.share_of(record.trace_id)) > 0:
                self._emit(record, share)

    def share_of(self, trace_id: str) -> float:
        """1 for a trace that is kept, the sampling's share for one that is drawn, 0 for the rest."""
        if self.records_all or trace_id in trace.kept:
            return 1.0
        return self._share if int(trace_id[-8:], 16) / 2**32 < self._share else 0.0
