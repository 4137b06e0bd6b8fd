"""Application Insights without its HTTP: what is taken, what is refused, what a query answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from localazure.clock import Clock, utc
from localazure.insights import envelopes
from localazure.insights.errors import ItemRefused, UnknownPath
from localazure.insights.intake import Intake
from localazure.insights.queries import SECONDS, Queries, Table
from localazure.insights.rows import Row, rows
from localazure.insights.store import Store
from localazure.insights.timespans import period


@dataclass(frozen=True)
class Verdict:
    """What became of a batch: how many envelopes it had, and those refused, by their place in it."""

    received: int
    refused: Mapping[int, ItemRefused]

    @property
    def accepted(self) -> int:
        return self.received - len(self.refused)


class Engine:
    def __init__(self, store: Store, clock: Clock, keys: frozenset[str], retention: timedelta, most: int) -> None:
        self.store, self._clock, self._keys = store, clock, keys
        self._retention = retention
        self._intake = Intake(store, clock, retention, most)
        self._queries = Queries(store)
        self._intake.forget()

    async def track(self, items: Sequence[Any], refused: Mapping[int, ItemRefused]) -> Verdict:
        """Keep every valid envelope but those that are `refused` beforehand. Raises Throttled."""
        found, verdict = await asyncio.to_thread(self._read, items, refused)
        await self._intake.write(found)
        return verdict

    def _read(self, items: Sequence[Any], refused: Mapping[int, ItemRefused]) -> tuple[list[tuple[str, Row]], Verdict]:
        now, kept, all_refused = utc(self._clock), list[tuple[str, Row]](), dict(refused)
        for place, item in enumerate(items):
            if place in refused:
                continue
            try:
                kept += rows(envelopes.read(item, self._keys, now))
            except ItemRefused as exc:
                all_refused[place] = exc
        return kept, Verdict(len(items), dict(sorted(all_refused.items())))

    async def query(self, application: str, text: str, timespan: str | None, seconds: float | None = None) -> Table:
        """The query's answer over what the application sent. Raises QueryError or Throttled."""
        if application not in self._keys:
            raise UnknownPath(f"there is no application {application[:40]!r}")
        now = utc(self._clock)
        since, until = period(timespan, now)
        now = now.replace(tzinfo=None)
        oldest = now - self._retention  # what is older may not have been deleted yet
        since = oldest if since is None else max(since, oldest)
        return await self._queries.run(text, application, (since, until), now, seconds or SECONDS)

    def counts(self) -> Mapping[str, int]:
        """Rows by table."""
        return self.store.counts()

    @property
    def newest(self) -> int:
        """The sequence number of the newest item."""
        return self.store.sequence

    async def stop(self) -> None:
        await self._queries.stop()
        await self._intake.stop()
        self.store.close()
