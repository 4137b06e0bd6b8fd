"""Activities: each runs at least once, its answer enters a history exactly once."""

from __future__ import annotations

import asyncio

from localazure.durable import failure, http_call
from localazure.durable.actions import HTTP_ACTIVITY
from localazure.durable.core import Core
from localazure.durable.failure import FunctionRaised
from localazure.durable.http_call import HttpCallFailed
from localazure.durable.model import EventType, HistoryEvent, event
from localazure.durable.store import Activity


class Activities:
    """Runs activity functions, `at_once` of them at a time."""

    def __init__(self, core: Core, at_once: int) -> None:
        self._core = core
        self._places = asyncio.Semaphore(at_once)

    def start(self, activity: Activity) -> None:
        self._core.spawn(self._run(activity))

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
            core.store.put_message(activity.instance_id, message)
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
