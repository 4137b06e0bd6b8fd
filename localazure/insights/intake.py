"""Writing in batches beside the event loop: what arrives while one batch is written makes the next one.

A caller is answered when its rows are in the file, so what was accepted outlives this process; a caller that
waits holds its own telemetry back, and beyond `MAX_ENVELOPES` waiting rows the next one is told to come again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from localazure.clock import Clock, utc
from localazure.insights.errors import Throttled
from localazure.insights.rows import Row
from localazure.insights.store import Store

log = logging.getLogger("localazure.insights")

MAX_ENVELOPES = 20_000
"""Rows that may wait to be written: about 20 MB."""
_FORGET_AFTER = 10_000
"""Rows between two looks at what is too old: often enough that a bound is exceeded by a hundredth."""

Rows = Sequence[tuple[str, Row]]


class Intake:
    """Owns the thread that writes."""

    def __init__(self, store: Store, clock: Clock, retention: timedelta, most_kept: int) -> None:
        self._store, self._clock, self._retention, self._most = store, clock, retention, most_kept
        self._thread = ThreadPoolExecutor(1, "insights-writer")
        self._waiting: list[tuple[Rows, asyncio.Future[None]]] = []
        self._count = 0
        self._writing: asyncio.Task[None] | None = None
        self._forgotten = store.sequence

    async def write(self, rows: Rows) -> None:
        """Returns when the rows are kept. Raises Throttled where too many wait."""
        if not rows:
            return
        if self._count + len(rows) > MAX_ENVELOPES:
            raise Throttled
        self._count += len(rows)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            outcomes = await asyncio.get_running_loop().run_in_executor(self._thread, self._append, batch)
            for (rows, written), outcome in zip(batch, outcomes, strict=True):
                self._count -= len(rows)
                if written.done():  # its caller has gone
                    continue
                if outcome is None:
                    written.set_result(None)
                else:
                    written.set_exception(outcome)
        self._writing = None

    def _append(self, batch: Sequence[tuple[Rows, object]]) -> list[Exception | None]:
        """All at once; one by one where that fails, so that a batch suffers for no other."""
        outcomes: list[Exception | None] = [None] * len(batch)
        try:
            self._store.append(item for rows, _ in batch for item in rows)
        except Exception:
            log.warning("a batch is written one request at a time", exc_info=True)
            for place, (rows, _) in enumerate(batch):
                try:
                    self._store.append(rows)
                except Exception as exc:
                    outcomes[place] = exc
        if self._store.sequence - self._forgotten >= _FORGET_AFTER:
            self.forget()
        return outcomes

    def forget(self) -> None:
        """Delete what is too old or too much; on the thread that writes, or where it does not run."""
        self._forgotten = self._store.sequence
        self._store.forget(utc(self._clock).replace(tzinfo=None) - self._retention, self._most)

    async def stop(self) -> None:
        """Write what waits."""
        if self._writing is not None:
            await self._writing
        self._thread.shutdown()
