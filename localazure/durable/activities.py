"""Activities: each runs at least once, its answer enters a history exactly once."""

from __future__ import annotations

import asyncio

from localazure.durable import http_call
from localazure.durable.actions import HTTP_ACTIVITY
from localazure.durable.core import Core
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
            except Exception as exc:  # whatever the activity's own code raised, or the network
                reason = f"Activity function '{activity.name}' failed: {exc}"
                message = event(EventType.TASK_FAILED, core.now(), Reason=reason, Details=repr(exc))
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
