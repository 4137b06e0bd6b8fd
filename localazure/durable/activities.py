"""Activities: each runs at least once, its answer enters a history exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from localazure.durable import failure, http_call
from localazure.durable.actions import HTTP_ACTIVITY
from localazure.durable.core import Core
from localazure.durable.failure import FunctionRaised
from localazure.durable.http_call import HttpCallFailed
from localazure.durable.model import EventType, HistoryEvent, event
from localazure.durable.store import Activity

_ALL = 1 << 30


class Activities:
    """Runs activity functions, `at_once` of them at a time.

    A host fetches what its own orchestrators ask for in the transaction in which they do, as long as it has places; the
    rest is for any host. One that is alone leaves nothing.
    """

    def __init__(self, core: Core, at_once: int) -> None:
        self._core = core
        self._at_once = at_once
        self._places = asyncio.Semaphore(at_once)
        self._fetched = 0
        self._left = False
        """Whether there may be some that nobody has fetched."""

    def put(self, activities: Sequence[Activity]) -> None:
        """Within a transaction: schedule them, as many as there are places for as fetched by this host."""
        now, free = self._core.clock.time(), self._free()
        for place, activity in enumerate(activities):
            self._core.store.put_activity(activity, self._core.leases.run if place < free else "", now)

    def start(self, activities: Sequence[Activity]) -> None:
        """Run what has been `put` just now; what this host has no places for is offered to the others."""
        free = self._free()
        for activity in activities[:free]:
            self._begin(activity)
        if len(activities) > free:
            self._left = True
            self._core.leases.tell()

    def fetch(self) -> None:
        """Take what nobody has fetched, as far as there are places."""
        core, free = self._core, self._free()
        now = core.clock.time()
        self._left = core.open and core.store.has_unfetched(now)
        if not self._left or not free:
            return
        with core.store.transaction():
            found = core.store.fetch_activities(core.leases.run, now, free)
        for activity in found:
            self._begin(activity)

    def _free(self) -> int:
        return _ALL if self._core.leases.alone else max(0, self._at_once - self._fetched)

    def _begin(self, activity: Activity) -> None:
        self._fetched += 1
        self._core.spawn(self._handle(activity))

    async def _handle(self, activity: Activity) -> None:
        try:
            await self._run(activity)
        finally:
            self._fetched -= 1
        if self._left:
            self.fetch()

    async def _run(self, activity: Activity) -> None:
        core = self._core
        async with self._places:
            if not core.open:
                return
            message = await self._ended(activity)
        core.counts["activities"] += 1
        message["TaskScheduledId"] = activity.task_id
        with core.store.transaction():
            if not core.store.take_activity(activity):
                return
            core.post(activity.instance_id, message)
        core.wake(activity.instance_id)

    async def _ended(self, activity: Activity) -> HistoryEvent:
        """How it ended, as an event."""
        core, name = self._core, activity.name
        if name != HTTP_ACTIVITY and not core.has("activity", name):
            reason, details = failure.missing(name)
            return event(EventType.TASK_FAILED, core.now(), Reason=reason, Details=details)
        try:
            result = await self._result(activity)
        except HttpCallFailed as exc:
            return event(EventType.TASK_FAILED, core.now(), Reason=str(exc), Details=exc.details)
        except Exception as exc:  # whatever the activity's own code raised
            raised = exc.raised if isinstance(exc, FunctionRaised) else failure.raised(exc)
            reason, details = failure.reason(name, raised), failure.details(raised)
            return event(EventType.TASK_FAILED, core.now(), Reason=reason, Details=details)
        return event(EventType.TASK_COMPLETED, core.now(), Result=result)

    async def _result(self, activity: Activity) -> str:
        payload = activity.input or "null"
        if activity.name == HTTP_ACTIVITY:
            return await http_call.perform(payload)
        return await self._core.invoker.activity(activity.name, payload)
