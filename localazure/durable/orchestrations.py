"""Orchestration instances: whenever one has messages it runs an episode (`episode.py`), never two at once.

What an episode read, what it added to the history and what it set going are one transaction.
"""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

from localazure.durable import actions, feasibility
from localazure.durable.actions import Answer
from localazure.durable.activities import Activities
from localazure.durable.alarms import Alarms
from localazure.durable.core import Core
from localazure.durable.determinism import NonDeterminism
from localazure.durable.episode import Episode, Outcome, completed
from localazure.durable.errors import Unsupported
from localazure.durable.leases import LeaseLost
from localazure.durable.model import NAMES, EventType, HistoryEvent, Instance, Parent, Task, event
from localazure.durable.rewind import Rewound, revival, rewind

log = logging.getLogger("localazure.durable")

_CONTROL = frozenset({EventType.EXECUTION_TERMINATED, EventType.EXECUTION_SUSPENDED, EventType.EXECUTION_RESUMED})


class Orchestrations:
    """All orchestration instances of a hub. Methods that say "within a transaction" begin none of their own."""

    def __init__(self, core: Core, activities: Activities, alarms: Alarms) -> None:
        self._core = core
        self._store = core.store
        self._activities = activities
        self._alarms = alarms
        self._live: dict[str, Instance] = {}
        self._busy: set[str] = set()

    def find(self, instance_id: str) -> Instance | None:
        if not self._core.leases.reads(instance_id):
            return self._store.load(instance_id)
        instance = self._live.get(instance_id)
        if instance is None:
            instance = self._store.load(instance_id)
            if instance is not None and not instance.finished:
                self._live[instance_id] = instance
        return instance

    def forget(self, partitions: frozenset[int]) -> None:
        """Other hosts have run the instances of these partitions: what is known of them is old."""
        for instance_id in [item for item in self._live if self._core.leases.number(item) in partitions]:
            del self._live[instance_id]

    def busy(self, partition: int) -> bool:
        """Whether an instance of that partition is reading its messages."""
        return any(self._core.leases.number(instance_id) == partition for instance_id in self._busy)

    def create(
        self,
        name: str,
        identifier: str,
        input_: str | None,
        version: str | None,
        *,
        parent: Parent | None = None,
        generation: int | None = None,
    ) -> None:
        """Within a transaction: a new instance in place of whatever had that id."""
        now = self._core.now()
        instance = Instance(
            identifier, str(uuid.uuid4()), name, version, "Pending", input_, now, now, parent=parent,
            generation=generation,
        )  # fmt: skip
        self._store.delete(identifier)
        self._store.save(instance, [])
        self._core.post(identifier, _execution_started(instance, now))
        if self._core.leases.reads(identifier):
            self._live[identifier] = instance

    def wake(self, instance_id: str) -> None:
        """Let the instance read its messages, unless it is at it."""
        if not instance_id.strip():
            log.error("an instance whose id is blank is never run, here as on Azure")
            return
        if self._core.open and instance_id not in self._busy:
            self._busy.add(instance_id)
            self._core.spawn(self._run(instance_id))

    def rewind(self, instance: Instance, reason: str) -> None:
        """Take back the failures of a failed instance and of the sub-orchestrations they came from.

        Raises Unsupported, and then nothing has changed.
        """
        plan: list[tuple[Instance, Rewound]] = []
        with self._store.transaction():
            self._plan_rewind(instance, plan)
            for rewound, again in plan:
                self._store.save(rewound, rewound.history, afresh=True)
                if not again.children:  # else it is their answers that make it go on
                    self._core.post(rewound.id, revival(reason, rewound.updated))
            self._activities.put([activity for _, again in plan for activity in again.activities])
            for _, again in plan:
                for parent, child in again.lost_children:
                    self._start_child(parent, child)
        self._activities.start([activity for _, again in plan for activity in again.activities])
        for rewound, again in plan:
            for _, child in again.lost_children:
                self._core.wake(child.child_id or "")
            self._core.wake(rewound.id)

    def _plan_rewind(self, instance: Instance, plan: list[tuple[Instance, Rewound]]) -> None:
        again = rewind(instance, self._core.now())
        plan.append((instance, again))
        for child in again.children:
            parent = Parent(instance.id, instance.execution_id, child.id)
            existing = self.find(child.child_id or "")
            if existing is None or existing.parent != parent or existing.status == "Terminated":
                again.lost_children.append((parent, child))
            elif existing.status == "Failed":
                self._plan_rewind(existing, plan)

    async def _run(self, instance_id: str) -> None:
        try:
            while self._core.open and await self._episode(instance_id):
                pass
        except LeaseLost as exc:
            log.warning("%s", exc)
            self._live.pop(instance_id, None)
        except Exception:
            log.exception("instance %s cannot go on", instance_id)
            self._live.pop(instance_id, None)
        finally:
            self._busy.discard(instance_id)

    async def _episode(self, instance_id: str) -> bool:
        """Read what has come in. False: nothing had, or nothing may be read now."""
        if not self._core.leases.reads(instance_id):
            return False
        grip = self._core.leases.grip(instance_id)
        instance = self.find(instance_id)
        messages = self._store.messages(instance_id, self._core.clock.time())
        if instance is None or not messages:
            return False
        if instance.status == "Pending" and not instance.history and not any(map(_is_start, messages)):
            self._discard(instance_id, messages)
            return False
        control = [(seq, message) for seq, message in messages if message["EventType"] in _CONTROL]
        if instance.finished:
            with self._store.transaction():
                self._store.take_messages(seq for seq, _ in (control if instance.status == "Failed" else messages))
            return False
        if control:
            number, message = control[0]
            earlier = [item for item in messages if item[0] < number]
            if message["EventType"] == EventType.EXECUTION_RESUMED and earlier and _may_read_all(instance):
                instance.output = message["Reason"]
                await self._replay(instance, grip, [*earlier, control[0]])
            else:
                self._control(instance, grip, number, message)
            self._forget_finished(instance)
            return True
        if instance.status == "Suspended":
            return False
        await self._replay(instance, grip, _portion(instance, messages))
        self._forget_finished(instance)
        return True

    def _forget_finished(self, instance: Instance) -> None:
        """Any host may replace, purge or rewind it from now on."""
        if instance.finished:
            self._live.pop(instance.id, None)

    def _discard(self, instance_id: str, messages: list[tuple[int, HistoryEvent]]) -> None:
        """The start was fetched by a host that died before it wrote a history: until it comes back, nobody hears."""
        names = ", ".join(NAMES[EventType(message["EventType"])] for _, message in messages)
        log.warning("instance %s: discarding %s: No such instance", instance_id, names)
        with self._store.transaction():
            self._store.take_messages(seq for seq, _ in messages)

    async def _replay(self, instance: Instance, grip: int, portion: list[tuple[int, HistoryEvent]]) -> None:
        episode = Episode(instance, [message for _, message in portion], self._core.now(), self._core.clock.time())
        if not episode.news:
            with self._store.transaction():
                self._store.take_messages(seq for seq, _ in portion)
            return
        outcome = await self._outcome(episode)
        self._core.counts["episodes"] += 1
        unread = {id(message) for message in outcome.unread}
        if not outcome.continued:
            unread = set()
            instance.carried += outcome.unread
        with self._core.committing(instance.id, grip):
            self._store.take_messages(seq for seq, message in portion if id(message) not in unread)
            self._write(instance, outcome)
        self._set_going(instance, outcome)

    async def _outcome(self, episode: Episode) -> Outcome:
        name, core = episode.instance.name, self._core
        if not core.has("orchestrator", name):
            return episode.fail(episode.failure(core.unknown("orchestrator", name)))
        answer: Answer | None
        try:
            answer = actions.read(await core.invoker.orchestrator(name, episode.context()))
        except Unsupported as exc:
            return episode.fail(episode.failure(str(exc)))
        except Exception as exc:  # whatever the orchestrator's own code raised
            answer = actions.read_failure(str(exc))
            if answer is None:
                return episode.fail(episode.failure(str(exc)))
        if (fault := feasibility.fault(core, answer)) is not None:
            return episode.fail(episode.failure(fault))
        answer = feasibility.possible(core, episode.instance, answer)
        unread = [] if actions.continues_with(answer) is None else await self._unread(episode)
        try:
            outcome = episode.finish(answer)
        except NonDeterminism as exc:
            return episode.fail(str(exc))
        outcome.unread = unread
        return outcome

    async def _unread(self, episode: Episode) -> list[HistoryEvent]:
        """The external events that came after the one upon which the orchestrator starts over.

        As in the Durable Task Framework, the next execution gets them; what was read before that moment and not
        waited for is lost. A replay with fewer news tells where the moment is: it asks for nothing new.
        """
        news = episode.news
        if episode.instance.starting_over:
            return self._external(episode, news)
        if not any(message["EventType"] == EventType.EVENT_RAISED for message in news[1:]):
            return []
        fewest, most = 1, len(news)
        while fewest < most:
            middle = (fewest + most) // 2
            if await self._starts_over(episode, middle):
                most = middle
            else:
                fewest = middle + 1
        return self._external(episode, news[fewest:])

    def _external(self, episode: Episode, news: list[HistoryEvent]) -> list[HistoryEvent]:
        calls = {task.request_id for task in episode.instance.tasks}
        return [
            message
            for message in news
            if message["EventType"] == EventType.EVENT_RAISED and message["Name"] not in calls
        ]

    async def _starts_over(self, episode: Episode, news: int) -> bool:
        try:
            answer = await self._core.invoker.orchestrator(episode.instance.name, episode.context(news))
        except Exception:  # it raises with these news and did not with all: it has not started over
            return False
        return actions.continues_with(actions.read(answer)) is not None

    def _write(self, instance: Instance, outcome: Outcome) -> None:
        if outcome.continued:
            self._continue_as_new(instance, outcome)
            return
        self._core.counts["history_bytes"] += self._store.save(instance, outcome.added)
        self._core.counts["history_events"] += len(outcome.added)
        for number in outcome.cancelled_timers:
            self._store.take_timer(instance.id, instance.execution_id, number)
        for timer in outcome.timers:
            self._store.put_timer(timer)
        self._activities.put(outcome.activities)
        for target, request in outcome.sent:
            self._core.post(target, request)
        for child in outcome.children:
            parent = Parent(instance.id, instance.execution_id, child.id)
            self._start_child(parent, child)
        if instance.finished:
            self._end(instance)

    def _start_child(self, parent: Parent, child: Task) -> None:
        child_id = child.child_id or ""
        existing = self.find(child_id)
        if existing is not None and not existing.finished:
            reason = f"an instance with id '{child_id}' already exists and is {existing.status}"
            self._answer(parent, EventType.SUB_ORCHESTRATION_FAILED, Reason=reason, Details=None)
        else:
            self.create(child.name, child_id, actions.doubled(child.input), None, parent=parent)

    def _end(self, instance: Instance) -> None:
        if instance.status != "Failed":  # a rewind needs what is under way, and the answers that still come
            self._store.forget_work(instance.id)
        if instance.parent is None:
            return
        if instance.status == "Completed":
            self._answer(instance.parent, EventType.SUB_ORCHESTRATION_COMPLETED, Result=instance.output)
        else:
            reason = instance.output if instance.status == "Terminated" else json.loads(instance.output or "null")
            self._answer(instance.parent, EventType.SUB_ORCHESTRATION_FAILED, Reason=reason, Details=None)

    def _answer(self, parent: Parent, kind: EventType, **fields: Any) -> None:
        if self._store.execution(parent.instance_id) == parent.execution_id:
            message = event(kind, self._core.now(), TaskScheduledId=parent.task_id, **fields)
            self._core.post(parent.instance_id, message)

    def _continue_as_new(self, instance: Instance, outcome: Outcome) -> None:
        self._store.forget_work(instance.id)
        fresh = Instance(
            instance.id, str(uuid.uuid4()), instance.name, instance.version, "Running", outcome.continue_with,
            instance.created, self._core.now(), custom_status=instance.custom_status, parent=instance.parent,
        )  # fmt: skip
        self._live[instance.id] = fresh
        self._store.save(fresh, [], afresh=True)
        # on Azure the next execution goes on within the work item, so that its start is never fetched and lost
        self._store.put_message(instance.id, _execution_started(fresh, self._core.now()), 0.0)
        for message in instance.carried:
            self._core.post(instance.id, message)

    def _set_going(self, instance: Instance, outcome: Outcome) -> None:
        self._alarms.add(outcome.timers)
        self._activities.start(outcome.activities)
        for target, _ in outcome.sent:
            self._core.wake(target)
        for child in outcome.children:
            self._core.wake(child.child_id or "")
        if instance.finished and instance.parent is not None:
            self._core.wake(instance.parent.instance_id)

    def _control(self, instance: Instance, grip: int, number: int, message: HistoryEvent) -> None:
        kind = message["EventType"]
        instance.updated = self._core.now()
        added = [message]
        if kind == EventType.EXECUTION_TERMINATED:
            instance.status, instance.output = "Terminated", message["Input"]
            added.append(completed(instance, self._core.now()))
        else:
            instance.status = "Suspended" if kind == EventType.EXECUTION_SUSPENDED else "Running"
            instance.output = message["Reason"]
        instance.history += added
        with self._core.committing(instance.id, grip):
            self._store.take_messages([number])
            self._store.save(instance, added)
            if instance.finished:
                self._end(instance)
        if instance.finished and instance.parent is not None:
            self._core.wake(instance.parent.instance_id)


def _is_start(message: tuple[int, HistoryEvent]) -> bool:
    return bool(message[1]["EventType"] == EventType.EXECUTION_STARTED)


def _execution_started(instance: Instance, now: str) -> HistoryEvent:
    return event(
        EventType.EXECUTION_STARTED,
        now,
        Name=instance.name,
        Input=instance.input,
        Version=instance.version,
        Generation=instance.generation,
        OrchestrationInstance={"InstanceId": instance.id, "ExecutionId": instance.execution_id},
    )


def _portion(instance: Instance, messages: list[tuple[int, HistoryEvent]]) -> list[tuple[int, HistoryEvent]]:
    """The messages one episode reads: all, the start first, but one at a time while a task with retries is open.

    A retry takes an id as soon as its event is read; were others read with it, the order of ids would depend on
    where between them the orchestrator asked for something new, which its answer does not tell.
    """
    if not _may_read_all(instance):
        return messages[:1]
    return sorted(messages, key=lambda item: item[1]["EventType"] != EventType.EXECUTION_STARTED)


def _may_read_all(instance: Instance) -> bool:
    return not any(task.open and task.retries for task in instance.tasks)
