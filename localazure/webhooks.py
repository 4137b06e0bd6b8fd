"""Webhooks as providers send them: at least once, in no particular order, until the app answers 2xx.

What a letter says and how it is signed, each provider's part says for itself. Deliveries are rows written with the
effect that causes them; a delivered one is deleted.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Mapping
from typing import Protocol

from aiohttp import ClientError, ClientSession, ClientTimeout

from localazure.clock import Clock

SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    event TEXT PRIMARY KEY, attempts INTEGER NOT NULL, due REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_by_due ON deliveries (due);
"""
MAX_CONCURRENCY = 16  # deliveries under way at the same time
PATIENCE = 20.0  # seconds an endpoint may take to answer
MAX_DELAY = 60.0  # where providers back off over days, a laptop wants to see the retry

log = logging.getLogger(__name__)


def delay(attempts: int) -> float:
    """Seconds until the next attempt, after so many that failed."""
    return float(min(MAX_DELAY, 2 ** (attempts - 1)))


class Deliveries:
    """The rows of a part's own file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def schedule(self, event: str, due: float, attempts: int = 0) -> None:
        self._database.execute("INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?)", (event, attempts, due))

    def delivered(self, event: str) -> None:
        self._database.execute("DELETE FROM deliveries WHERE event = ?", (event,))

    def deliveries(self, most: int) -> list[tuple[str, int, float]]:
        """Event, attempts so far and due time, the most urgent first."""
        return self._database.execute(
            "SELECT event, attempts, due FROM deliveries ORDER BY due, event LIMIT ?", (most,)
        ).fetchall()

    def pending(self, event: str) -> bool:
        return bool(self._database.execute("SELECT 1 FROM deliveries WHERE event = ?", (event,)).fetchone())


class Letters(Protocol):
    """What is sent: the body and the headers that sign it."""

    def letter(self, event: str) -> tuple[bytes, Mapping[str, str]]: ...


class Webhooks:
    """Delivers to one address; an empty one takes nothing."""

    def __init__(self, deliveries: Deliveries, clock: Clock, url: str, letters: Letters) -> None:
        self._deliveries = deliveries
        self._clock = clock
        self._url = url
        self._letters = letters
        self._changed = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._url:
            self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """An attempt that is cut off is made again after the next start."""
        tasks = [*self._under_way.values(), *([self._loop] if self._loop else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def add(self, event: str) -> None:
        """Called inside the transaction that makes the event."""
        if self._url:
            self._deliveries.schedule(event, self._clock.time())

    def notice(self) -> None:
        """Called after a commit: there may be something to deliver."""
        self._changed.set()

    async def _run(self) -> None:
        async with ClientSession(timeout=ClientTimeout(total=PATIENCE)) as session:
            while True:
                self._changed.clear()
                await self._pause(self._start_due(session))

    def _start_due(self, session: ClientSession) -> float | None:
        """Start what is due; seconds until the next that is not, or `None`."""
        now = self._clock.time()
        for event, attempts, due in self._deliveries.deliveries(MAX_CONCURRENCY + len(self._under_way)):
            if event in self._under_way:
                continue
            if due > now:
                return due - now
            if len(self._under_way) >= MAX_CONCURRENCY:
                return None
            self._under_way[event] = asyncio.create_task(self._deliver(session, event, attempts + 1))
        return None

    async def _pause(self, seconds: float | None) -> None:
        if seconds is None:
            await self._changed.wait()
            return
        waits = [asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _deliver(self, session: ClientSession, event: str, attempts: int) -> None:
        try:
            problem = await self._post(session, event)
            if problem is None:
                self._deliveries.delivered(event)
            else:
                wait = delay(attempts)
                log.warning("webhook %s, attempt %d: %s; again in %g s", event, attempts, problem, wait)
                self._deliveries.schedule(event, self._clock.time() + wait, attempts)
        finally:
            del self._under_way[event]
            self._changed.set()

    async def _post(self, session: ClientSession, event: str) -> str | None:
        """Why the attempt failed, or `None`."""
        body, signed = self._letters.letter(event)
        headers = {"Content-Type": "application/json; charset=utf-8", **signed}
        try:
            async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                return None if 200 <= answer.status < 300 else f"{self._url} answered {answer.status}"
        except (ClientError, TimeoutError) as exc:
            return f"{self._url} cannot be reached ({type(exc).__name__})"
