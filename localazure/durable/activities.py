"""Activities: each runs at least once, its answer enters a history exactly once."""

from __future__ import annotations

import asyncio

from localazure.durable import failure, http_call
from localazure.durable.actions import HTTP_ACTIVITY
from localazure.durable.core import Core
from localazure.durable.failure import FunctionRaised
from localazure.durable.http_call import HttpCallFailed
from localazure.durable.model import EventType, event
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
            try:
                result = await self._result(activity)
            except HttpCallFailed as exc:
                message = event(EventType.TASK_FAILED, core.now(), Reason=str(exc), Details=exc.details)
            except Exception as exc:  # whatever the activity's own code raised
                raised = exc.raised if isinstance(exc, FunctionRaised) else failure.raised(exc)
                told = {"Reason": failure.reason(activity.name, raised), "Details": failure.details(raised)}
                message = event(EventType.TASK_FAILED, core.now(), **told)
            else:
                message = event(EventType.TASK_COMPLETED, core.now(), Result=result)
        core.counts["activities"] += 1
        message["TaskScheduledId"] = activity.task_id
        with core.store.transaction():
            if not core.store.take_activity(activity):
                return
            core.store.put_message(activity.instance_id, message)
        core.wake(activity.instance_id)

    async def _result(self, activity: Activity) -> str:
        payload = activity.input or "null"
        if activity.name == HTTP_ACTIVITY:
            return await http_call.perform(payload)
        return await self._core.invoker.activity(activity.name, payload)
