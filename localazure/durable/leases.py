"""A host among the hosts of its task hub: which partitions are its own, who else is there, who has died.

A host says every ten seconds that it lives, in one write for everything it holds, and then takes, asks for and gives
back partitions (`partitions.py`). One that has not said so for thirty seconds is dead to the others; it knows that by
its own clock, and commits nothing then.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from localazure.clock import Clock
from localazure.durable.membership import Member
from localazure.durable.nudges import LOOK, Nudges
from localazure.durable.partitions import LEASE, RENEW, Partition, Provider, partition_of, wanted
from localazure.durable.store import Store
from localazure.presence import Presence

log = logging.getLogger("localazure.durable")

_AMONG_OTHERS = 0.25
"""Seconds between two looks where there are other hosts: a datagram may have been lost."""


class LeaseLost(Exception):
    """Another host reads that partition now: what was done here is done again there."""


@dataclass(frozen=True)
class Reactions:
    """What follows from a look at the leases."""

    gained: Callable[[frozenset[int]], None]
    """These partitions have come, and with them what is unread there."""
    look: Callable[[], None]
    """There may be something to do that nobody was told of."""
    busy: Callable[[int], bool]
    """Whether something runs in that partition."""
    wake: Callable[[str], None]
    """An instance of this host's has a message."""


class Leases:
    """What this host holds."""

    def __init__(
        self, store: Store, clock: Clock, presence: Presence, provider: Provider, reactions: Reactions
    ) -> None:
        self._store, self._clock, self._presence, self._provider = store, clock, presence, provider
        self._reactions = reactions
        self._nudges = Nudges(self._heard)
        self._port = 0
        self._count = provider.partitions
        self._owned: frozenset[int] = frozenset()
        self._leaving: frozenset[int] = frozenset()
        self._grips: Counter[int] = Counter()
        self._others: tuple[int, ...] = ()
        self._until = 0.0
        self._renewed = -inf
        self._task: asyncio.Task[None] | None = None
        self._sooner = asyncio.Event()

    @property
    def run(self) -> str:
        return self._presence.run

    @property
    def alone(self) -> bool:
        """Whether there is no other host."""
        return not self._others

    def number(self, identifier: str) -> int:
        """The partition of an instance or an entity."""
        return partition_of(identifier, self._count)

    def reads(self, identifier: str) -> bool:
        """Whether its messages are this host's to read, and no other host waits for them."""
        number = partition_of(identifier, self._count)
        return number in self._owned and number not in self._leaving and self._clock.time() < self._until

    def grip(self, identifier: str) -> int:
        """What is to be shown when what was read is committed. Raises LeaseLost."""
        number = partition_of(identifier, self._count)
        if number not in self._owned or self._clock.time() >= self._until:
            raise LeaseLost(f"'{identifier}' is run by another host")
        return self._grips[number]

    def check(self, identifier: str, grip: int) -> None:
        """Raises LeaseLost unless the partition was this host's all the time since; within a transaction."""
        if self.grip(identifier) != grip:
            raise LeaseLost(f"'{identifier}' was run by another host meanwhile")

    async def start(self) -> None:
        self._port = await self._nudges.open()
        self.look()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """Give everything back; nothing runs any more."""
        await self.cease()
        others = self._others
        with self._store.transaction():
            self._store.membership.leave(self.run)
        self._owned, self._until = frozenset(), 0.0
        self._nudges.send(others, LOOK)
        self._nudges.close()

    async def cease(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def tell(self, identifier: str = LOOK) -> None:
        """Let the others know that one of their instances has a message, or that there is something for anybody."""
        self._nudges.send(self._others, identifier)

    def look(self) -> None:
        """Bury the dead, say that this host lives, take and give partitions."""
        now, before = self._clock.time(), self._owned
        with self._store.transaction():
            living = self._living(now)
            if self.run not in {member.run for member in living}:
                before = frozenset()  # the others had given this host up
                self._renewed = -inf
            if now >= self._renewed + RENEW:
                self._until = inf if self._presence.fast else now + LEASE
                self._store.membership.join(Member(self.run, self._presence.name, self._port, self._until))
                self._renewed = now
            table, changed = self._settled(self._store.membership.partitions(self._provider.partitions))
        self._count = len(table)
        self._owned = frozenset(row.number for row in table if row.owner == self.run)
        self._leaving = frozenset(row.number for row in table if row.owner == self.run and row.next)
        told, known = tuple(member.port for member in living if member.run != self.run), self._others
        self._others = told
        if changed or not set(told) <= set(known):
            self.tell()
        if gained := self._owned - before:
            log.info("this host reads the partitions %s of the task hub", sorted(self._owned))
            self._grips.update(gained)
            self._reactions.gained(gained)

    def _living(self, now: float) -> list[Member]:
        living = []
        for member in self._store.membership.members():
            own = member.run == self.run
            if own or not (
                member.name == self._presence.name or now >= member.until or self._presence.gone(member.run)
            ):
                living.append(member)
                continue
            log.warning("host '%s' has died; its partitions and activities are free", member.name)
            if not self._presence.fast:
                last = min(now, member.until - LEASE + RENEW)
                times = (self._provider.control_visibility, self._provider.work_visibility)
                self._store.membership.hide(member.run, last, *times)
            self._store.membership.leave(member.run)
        return living

    def _settled(self, table: list[Partition]) -> tuple[list[Partition], bool]:
        """The partitions once this host has given and taken, and whether it has."""
        rows = {row.number: row for row in table}
        for row in table:
            if row.owner == self.run and row.next and not self._reactions.busy(row.number):
                rows[row.number] = replace(row, owner="")
        rows |= {row.number: row for row in wanted(list(rows.values()), self.run)}
        changed = [row for row in table if rows[row.number] != row]
        if changed:
            self._store.membership.write(rows[row.number] for row in changed)
        return list(rows.values()), bool(changed)

    def _heard(self, identifier: str) -> None:
        if identifier == LOOK:
            self._sooner.set()
        elif self.reads(identifier):
            self._reactions.wake(identifier)

    async def _watch(self) -> None:
        while True:
            await self._pause()
            try:
                self.look()
                self._reactions.look()
            except Exception:
                log.exception("the leases of the task hub cannot be looked at")

    async def _pause(self) -> None:
        now = self._clock.time()
        moments: list[float] = [] if self._presence.fast and self.alone else [self._renewed + RENEW]
        if not self.alone:
            moments.append(now + _AMONG_OTHERS)
        if (back := self._store.next_visible(now)) is not None:
            moments.append(back)
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._sooner.wait())]
        if moments:
            waits.append(asyncio.ensure_future(self._clock.sleep(max(0.001, min(moments) - now))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._sooner.clear()
