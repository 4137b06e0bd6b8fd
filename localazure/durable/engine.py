"""The task hub: event-sourced orchestrations that go on where they were when the process died.

An instance's messages are its inbox; whenever there are some, it runs an episode (`episode.py`), never two at
once. Activities run at least once, their answers enter a history exactly once. Nothing is polled: a message wakes
its instance, and one alarm waits for the next timer.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import logging
import uuid
from collections import Counter
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol

from localazure.clock import Clock, utc
from localazure.durable import actions
from localazure.durable.episode import Episode, NonDeterminism, Outcome
from localazure.durable.errors import (
    InstanceFinished,
    InstanceRunning,
    UnknownInstance,
    UnknownOrchestrator,
    Unsupported,
)
from localazure.durable.model import EventType, HistoryEvent, Instance, Parent, Status, event
from localazure.durable.store import Activity, Store, Timer

log = logging.getLogger("localazure.durable")

_CONTROL = frozenset({EventType.EXECUTION_TERMINATED, EventType.EXECUTION_SUSPENDED, EventType.EXECUTION_RESUMED})


class Invoker(Protocol):
    """The functions host, as the task hub needs it. Strings are what the worker gets and returns."""

    def has_orchestrator(self, name: str) -> bool: ...

    async def orchestrator(self, name: str, context: str) -> str: ...

    async def activity(self, name: str, payload: str) -> str: ...

    async def entity(self, name: str, batch: str) -> str: ...


class TaskHub:
    """All instances of one hub, in the SQLite file at `path` (`None`: in memory)."""

    def __init__(
        self, path: Path | None, invoker: Invoker, clock: Clock, name: str = "TaskHub", *, activities_at_once: int = 100
    ) -> None:
        self.name = name
        self._store = Store(path)
        self._invoker = invoker
        self._clock = clock
        self._live: dict[str, Instance] = {}
        self._busy: set[str] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(activities_at_once)
        self._alarms: list[tuple[float, str, str, int]] = []
        self._alarm: asyncio.Task[None] | None = None
        self._open = False
        self._counts: Counter[str] = Counter()

    async def start(self) -> None:
        """Take up what was under way: unread messages, activities without an answer, timers."""
        self._open = True
        for timer in self._store.timers():
            self._push(timer)
        self._set_alarm()
        for activity in self._store.activities():
            self._spawn(self._run_activity(activity))
        for instance_id in self._store.waiting_instances():
            self._wake(instance_id)

    async def stop(self) -> None:
        """Let episodes and activities that are running end, start no more, close the file."""
        self._open = False
        if self._alarm is not None:
            self._alarm.cancel()
        while self._work:
            await asyncio.gather(*self._work, return_exceptions=True)
        self._store.close()

    def create(self, name: str, instance_id: str | None, input_: str | None, version: str | None = None) -> str:
        """Start an orchestration; answers its id. A finished instance of the same id is replaced.

        Raises UnknownOrchestrator, InstanceRunning.
        """
        if not self._invoker.has_orchestrator(name):
            raise UnknownOrchestrator(
                f"the function '{name}' doesn't exist, is disabled, or is not an orchestrator function"
            )
        identifier = instance_id or uuid.uuid4().hex
        existing = self._find(identifier)
        if existing is not None and not existing.finished:
            raise InstanceRunning(f"an instance with id '{identifier}' already exists and is {existing.status}")
        with self._store.transaction():
            self._create(name, identifier, input_, version, None)
        self._wake(identifier)
        return identifier

    def raise_event(self, instance_id: str, name: str, data: str | None) -> None:
        """Send an external event. Raises UnknownInstance, InstanceFinished."""
        self._send(instance_id, event(EventType.EVENT_RAISED, self._now(), Name=name, Input=data))

    def terminate(self, instance_id: str, reason: str) -> None:
        """End an instance where it stands. Raises UnknownInstance, InstanceFinished."""
        self._send(instance_id, event(EventType.EXECUTION_TERMINATED, self._now(), Input=reason))

    def suspend(self, instance_id: str, reason: str) -> None:
        """Let messages wait until the instance is resumed. Raises UnknownInstance, InstanceFinished."""
        self._send(instance_id, event(EventType.EXECUTION_SUSPENDED, self._now(), Input=reason))

    def resume(self, instance_id: str, reason: str) -> None:
        """The inverse of `suspend`. Raises UnknownInstance, InstanceFinished."""
        self._send(instance_id, event(EventType.EXECUTION_RESUMED, self._now(), Input=reason))

    def get(self, instance_id: str) -> Instance:
        """Raises UnknownInstance."""
        instance = self._find(instance_id)
        if instance is None:
            raise UnknownInstance(f"there is no instance with id '{instance_id}'")
        return instance

    def find(
        self, statuses: Sequence[Status] = (), created_from: str = "", created_to: str = "~", prefix: str = ""
    ) -> list[Instance]:
        """Instances without their history, oldest first; the moments are RFC 3339 in UTC."""
        return list(self._store.instances(statuses, created_from, created_to, prefix))

    def purge(self, instance_id: str) -> None:
        """Forget a finished instance. Raises UnknownInstance, InstanceRunning."""
        if not self.get(instance_id).finished:
            raise InstanceRunning(f"instance '{instance_id}' has not finished")
        with self._store.transaction():
            self._store.delete(instance_id)

    def counters(self) -> dict[str, int]:
        """Episodes, activities, history events and bytes since the hub was made."""
        return dict(self._counts)

    def _send(self, instance_id: str, message: HistoryEvent) -> None:
        instance = self.get(instance_id)
        if instance.finished:
            raise InstanceFinished(f"instance '{instance_id}' is {instance.status}")
        with self._store.transaction():
            self._store.put_message(instance_id, message)
        self._wake(instance_id)

    def _create(
        self, name: str, identifier: str, input_: str | None, version: str | None, parent: Parent | None
    ) -> None:
        now = self._now()
        instance = Instance(identifier, uuid.uuid4().hex, name, version, "Pending", input_, now, now, parent=parent)
        self._store.delete(identifier)
        self._store.save(instance, [])
        self._store.put_message(identifier, _execution_started(instance, now))
        self._live[identifier] = instance

    def _wake(self, instance_id: str) -> None:
        if self._open and instance_id not in self._busy:
            self._busy.add(instance_id)
            self._spawn(self._run(instance_id))

    async def _run(self, instance_id: str) -> None:
        try:
            while self._open and await self._episode(instance_id):
                pass
        except Exception:
            log.exception("instance %s cannot go on", instance_id)
            self._live.pop(instance_id, None)
        finally:
            self._busy.discard(instance_id)
            instance = self._live.get(instance_id)
            if instance is not None and instance.finished:
                del self._live[instance_id]

    async def _episode(self, instance_id: str) -> bool:
        """Read what has come in. False: nothing had, or nothing may be read now."""
        instance = self._find(instance_id)
        messages = self._store.messages(instance_id)
        if instance is None or not messages:
            return False
        if instance.finished:
            with self._store.transaction():
                self._store.take_messages(seq for seq, _ in messages)
            return False
        control = [(seq, message) for seq, message in messages if message["EventType"] in _CONTROL]
        if control:
            self._control(instance, *control[0])
            return True
        if instance.status == "Suspended":
            return False
        await self._replay(instance, _portion(instance, messages))
        return True

    async def _replay(self, instance: Instance, portion: list[tuple[int, HistoryEvent]]) -> None:
        episode = Episode(instance, [message for _, message in portion], self._now(), self._clock.time())
        if not episode.has_news:
            with self._store.transaction():
                self._store.take_messages(seq for seq, _ in portion)
            return
        outcome = await self._outcome(episode)
        self._counts["episodes"] += 1
        with self._store.transaction():
            self._store.take_messages(seq for seq, _ in portion)
            self._write(instance, outcome)
        self._set_going(instance, outcome)

    async def _outcome(self, episode: Episode) -> Outcome:
        name = episode.instance.name
        try:
            answer = actions.read(await self._invoker.orchestrator(name, episode.context()))
        except Unsupported as exc:
            return episode.fail(str(exc))
        except Exception as exc:  # whatever the orchestrator's own code raised
            answer = actions.read_failure(str(exc))
        try:
            return episode.finish(answer)
        except NonDeterminism as exc:
            return episode.fail(f"Non-Deterministic workflow detected: {exc}")

    def _write(self, instance: Instance, outcome: Outcome) -> None:
        if outcome.continued:
            self._continue_as_new(instance, outcome)
            return
        self._store.save(instance, outcome.added)
        self._count(outcome.added)
        for number in outcome.cancelled_timers:
            self._store.take_timer(instance.id, instance.execution_id, number)
        for timer in outcome.timers:
            self._store.put_timer(timer)
        for activity in outcome.activities:
            self._store.put_activity(activity)
        for child in outcome.children:
            parent = Parent(instance.id, instance.execution_id, child.id)
            self._start_child(parent, child.name, child.child_id or "", child.input)
        if instance.finished:
            self._end(instance)

    def _start_child(self, parent: Parent, name: str, child_id: str, input_: str | None) -> None:
        existing = self._find(child_id)
        if not self._invoker.has_orchestrator(name):
            reason = f"the function '{name}' doesn't exist, is disabled, or is not an orchestrator function"
        elif existing is not None and not existing.finished:
            reason = f"an instance with id '{child_id}' already exists and is {existing.status}"
        else:
            self._create(name, child_id, input_, None, parent)
            return
        self._answer(parent, EventType.SUB_ORCHESTRATION_FAILED, Reason=reason, Details=reason)

    def _end(self, instance: Instance) -> None:
        self._store.forget_work(instance.id)
        if instance.parent is None:
            return
        if instance.status == "Completed":
            self._answer(instance.parent, EventType.SUB_ORCHESTRATION_COMPLETED, Result=instance.output)
        else:
            reason = json.loads(instance.output or '""')
            self._answer(instance.parent, EventType.SUB_ORCHESTRATION_FAILED, Reason=reason, Details=reason)

    def _answer(self, parent: Parent, kind: EventType, **fields: Any) -> None:
        waiting = self._find(parent.instance_id)
        if waiting is not None and waiting.execution_id == parent.execution_id:
            message = event(kind, self._now(), TaskScheduledId=parent.task_id, **fields)
            self._store.put_message(parent.instance_id, message)

    def _continue_as_new(self, instance: Instance, outcome: Outcome) -> None:
        self._store.forget_work(instance.id)
        fresh = Instance(
            instance.id, uuid.uuid4().hex, instance.name, instance.version, "Running", outcome.continue_with,
            instance.created, self._now(), custom_status=instance.custom_status, parent=instance.parent,
        )  # fmt: skip
        self._live[instance.id] = fresh
        self._store.save(fresh, [], afresh=True)
        self._store.put_message(instance.id, _execution_started(fresh, self._now()))

    def _set_going(self, instance: Instance, outcome: Outcome) -> None:
        for timer in outcome.timers:
            self._push(timer)
        self._set_alarm()
        for activity in outcome.activities:
            self._spawn(self._run_activity(activity))
        for child in outcome.children:
            self._wake(child.child_id or "")
        if instance.finished and instance.parent is not None:
            self._wake(instance.parent.instance_id)

    def _control(self, instance: Instance, number: int, message: HistoryEvent) -> None:
        kind = message["EventType"]
        instance.updated = self._now()
        instance.history.append(message)
        if kind == EventType.EXECUTION_TERMINATED:
            instance.status, instance.output = "Terminated", json.dumps(message["Input"])
        elif kind == EventType.EXECUTION_SUSPENDED:
            instance.status = "Suspended"
        else:
            instance.status = "Running"
        with self._store.transaction():
            self._store.take_messages([number])
            self._store.save(instance, [message])
            if instance.finished:
                self._end(instance)
        if instance.finished and instance.parent is not None:
            self._wake(instance.parent.instance_id)

    async def _run_activity(self, activity: Activity) -> None:
        async with self._places:
            if not self._open:
                return
            try:
                result = await self._invoker.activity(activity.name, activity.input or "null")
            except Exception as exc:  # whatever the activity's own code raised
                reason = f"Activity function '{activity.name}' failed: {exc}"
                message = event(EventType.TASK_FAILED, self._now(), Reason=reason, Details=repr(exc))
            else:
                message = event(EventType.TASK_COMPLETED, self._now(), Result=result)
        self._counts["activities"] += 1
        message["TaskScheduledId"] = activity.task_id
        with self._store.transaction():
            if not self._store.take_activity(activity):
                return
            self._store.put_message(activity.instance_id, message)
        self._wake(activity.instance_id)

    def _push(self, timer: Timer) -> None:
        heapq.heappush(self._alarms, (timer.due, timer.instance_id, timer.execution_id, timer.task_id))

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._open and self._alarms:
            self._alarm = asyncio.get_running_loop().create_task(self._ring(self._alarms[0][0]))

    async def _ring(self, due: float) -> None:
        await self._clock.sleep(due - self._clock.time())
        self._alarm = None
        now = self._clock.time()
        while self._alarms and self._alarms[0][0] <= now:
            fired_at, instance_id, execution_id, number = heapq.heappop(self._alarms)
            self._fire(fired_at, instance_id, execution_id, number)
        self._set_alarm()

    def _fire(self, due: float, instance_id: str, execution_id: str, number: int) -> None:
        with self._store.transaction():
            if not self._store.take_timer(instance_id, execution_id, number):
                return
            message = event(EventType.TIMER_FIRED, self._now(), TimerId=number, FireAt=due)
            self._store.put_message(instance_id, message)
        self._wake(instance_id)

    def _find(self, instance_id: str) -> Instance | None:
        instance = self._live.get(instance_id)
        if instance is None:
            instance = self._store.load(instance_id)
            if instance is not None and not instance.finished:
                self._live[instance_id] = instance
        return instance

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def _count(self, added: Sequence[HistoryEvent]) -> None:
        self._counts["history_events"] += len(added)
        self._counts["history_bytes"] += sum(len(json.dumps(item)) for item in added)

    def _now(self) -> str:
        return utc(self._clock).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _execution_started(instance: Instance, now: str) -> HistoryEvent:
    return event(
        EventType.EXECUTION_STARTED,
        now,
        Name=instance.name,
        Input=instance.input,
        Version=instance.version,
        OrchestrationInstance={"InstanceId": instance.id, "ExecutionId": instance.execution_id},
    )


def _portion(instance: Instance, messages: list[tuple[int, HistoryEvent]]) -> list[tuple[int, HistoryEvent]]:
    """The messages one episode reads: all, but one at a time while a task with retries is open.

    A retry takes an id as soon as its event is read; were others read with it, the order of ids would depend on
    where between them the orchestrator asked for something new, which its answer does not tell.
    """
    return messages[:1] if any(task.open and task.retries for task in instance.tasks) else messages
