"""Timers: nothing is polled, one alarm waits for the next of them, at the host that runs their instances."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Iterable

from localazure.durable.core import Core, written
from localazure.durable.model import EventType, event
from localazure.durable.store import Timer


class Alarms:
    """Puts a message into the inbox of each timer's instance when its time has come."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._order = itertools.count()
        self._due: list[tuple[float, int, Timer]] = []
        self._alarm: asyncio.Task[None] | None = None

    def add(self, timers: Iterable[Timer]) -> None:
        for timer in timers:
            heapq.heappush(self._due, (timer.due, next(self._order), timer))
        self._set()

    def stop(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set(self) -> None:
        self.stop()
        if self._core.open and self._due:
            self._alarm = asyncio.get_running_loop().create_task(self._on_alarm(self._due[0][0]))

    async def _on_alarm(self, due: float) -> None:
        await self._core.clock.sleep(due - self._core.clock.time())
        self._alarm = None
        now = self._core.clock.time()
        while self._due and self._due[0][0] <= now:
            self._fire(heapq.heappop(self._due)[2])
        self._set()

    def _fire(self, timer: Timer) -> None:
        core = self._core
        if not core.leases.reads(timer.instance_id):
            return  # the host that runs the instance has it, too
        with core.store.transaction():
            if not core.store.take_timer(timer.instance_id, timer.execution_id, timer.task_id):
                return
            message = event(EventType.TIMER_FIRED, core.now(), TimerId=timer.task_id, FireAt=written(timer.due))
            core.post(timer.instance_id, message)
        core.wake(timer.instance_id)
