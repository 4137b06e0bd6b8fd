"""One episode: an instance reads its messages, its orchestrator is replayed, and what it asks for is set going.

Pure: time and the orchestrator's answer come in, the new state and the work to be done go out. Ids are given in
the order in which azure-functions-durable gives them during its replay; that is what makes its replay find them.
"""

from __future__ import annotations

import itertools
import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localazure import newtonsoft
from localazure.durable import actions, entity
from localazure.durable.actions import Answer
from localazure.durable.core import written
from localazure.durable.determinism import compare
from localazure.durable.entity import Caller
from localazure.durable.model import (
    COMPLETIONS,
    FAILURES,
    EventType,
    HistoryEvent,
    Instance,
    Status,
    Task,
    event,
    task_id,
)
from localazure.durable.store import Activity, Timer

MAX_TIMER = "6.00:00:00"
"""A TimeSpan: what the package sets as one timer. Azure Storage hides no message for longer than a week."""
SLICE = "3.00:00:00"
"""A TimeSpan: what the package cuts a longer timer into."""


@dataclass
class Outcome:
    """What an episode did: history to add, work to start, and how the instance goes on."""

    added: list[HistoryEvent]
    activities: list[Activity] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    cancelled_timers: list[int] = field(default_factory=list)
    children: list[Task] = field(default_factory=list)
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Messages to entities, each with the id it goes to."""
    continue_with: str | None = None
    continued: bool = False
    unread: list[HistoryEvent] = field(default_factory=list)
    """External events that an orchestrator which starts over leaves to its next execution."""


class Episode:
    """Built from an instance and the messages it is about to read. `instance` is changed in place."""

    def __init__(self, instance: Instance, messages: list[HistoryEvent], now: str, seconds: float) -> None:
        self.instance = instance
        self.now = now
        self._seconds = seconds
        self.outcome = Outcome([event(EventType.ORCHESTRATOR_STARTED, now)])
        self._later: list[HistoryEvent] = []
        for message in messages:
            self._receive(message)

    @property
    def news(self) -> list[HistoryEvent]:
        """The messages that matter to the orchestrator, in its order; a completion that came twice does not."""
        return self.outcome.added[1:]

    def context(self, news: int | None = None) -> str:
        """The JSON that the orchestrator function is called with, with all or so many of the news."""
        added = self.outcome.added if news is None else self.outcome.added[: 1 + news]
        for past in self.instance.history:
            past["IsPlayed"] = True
        return json.dumps(
            {
                "history": self.instance.history + added,
                "input": None if self.instance.input is None else json.loads(self.instance.input),
                "instanceId": self.instance.id,
                "isReplaying": bool(self.instance.history),
                "parentInstanceId": self.instance.parent.instance_id if self.instance.parent else None,
                "upperSchemaVersion": 1,
                "upperSchemaVersionNew": 2,
                "longRunningTimerIntervalDuration": SLICE,
                "maximumShortTimerDuration": MAX_TIMER,
                "defaultHttpAsyncRequestSleepTimeMillseconds": 30_000,
            }
        )

    def finish(self, answer: Answer) -> Outcome:
        """Carry out what the orchestrator asked for. Raises NonDeterminism.

        An orchestrator that has ended ends its instance once nothing that it asked for is open any more.
        """
        instance, outcome = self.instance, self.outcome
        if answer.custom_status is not None or instance.history:
            # what was set before the orchestrator started over stays until the first episode after that has ended
            instance.custom_status = answer.custom_status
        wanted = actions.tasks(answer)
        compare(instance.tasks, wanted)
        for action in wanted[len(instance.tasks) :]:
            self._carry_out(action)
        self._cancel_timers(wanted)
        outcome.added += [*self._later, event(EventType.ORCHESTRATOR_COMPLETED, self.now)]
        again = actions.continues_with(answer)
        if instance.under_way:
            instance.starting_over = again is not None
            instance.status = "Running"
        elif again is not None:
            outcome.continued, outcome.continue_with = True, actions.doubled(again.get("input"))
        elif answer.done:
            if answer.error is None:
                self._complete("Completed", answer.output)
            else:
                self._complete("Failed", self.failure(answer.error))
        else:
            instance.status = "Running"
        instance.updated = self.now
        instance.history += outcome.added
        return outcome

    def fail(self, output: str) -> Outcome:
        """End the instance because its orchestrator cannot go on."""
        self.outcome.added.append(event(EventType.ORCHESTRATOR_COMPLETED, self.now))
        self._complete("Failed", output)
        self.instance.updated = self.now
        self.instance.history += self.outcome.added
        return self.outcome

    def _receive(self, message: HistoryEvent) -> None:
        if message["EventType"] in COMPLETIONS:
            task = self.instance.task(task_id(message))
            if task is None:
                return
            self._complete_task(task, message)
        elif message["EventType"] == EventType.EVENT_RAISED:
            call = self.instance.call(message["Name"])
            if call is not None:
                call.open = False
        self.outcome.added.append(message)

    def _complete_task(self, task: Task, message: HistoryEvent) -> None:
        if task.pausing:
            task.pausing = False
            if task.attempts < task.most_attempts:
                task.attempts += 1
                self._schedule(task)
            else:
                task.open = False
        elif message["EventType"] in FAILURES and task.retries:
            task.pausing = True
            self._pause(task)
        else:
            task.open = False

    def _carry_out(self, action: dict[str, Any]) -> None:
        retry = action.get("retryOptions") or {}
        task = Task(
            kind=actions.KINDS[action["actionType"]],
            name=actions.name(action),
            input=actions.input_of(action),
            id=-1,
            most_attempts=int(retry.get("maxNumberOfAttempts", 1)),
            pause=float(retry.get("firstRetryIntervalInMilliseconds", 0)) / 1000,
            child_id=action.get("instanceId"),
            operation=action.get("operation"),
        )
        self.instance.tasks.append(task)
        self._schedule(task)
        task.sequence = task.id

    def _schedule(self, task: Task) -> None:
        task.id = self._new_id()
        if task.kind == "timer":
            due = datetime.fromisoformat(task.name)
            self._set_timer(task, due.timestamp(), task.name)
        elif task.kind == "activity":
            self._note(EventType.TASK_SCHEDULED, task.id, Name=task.name, Input=task.input, Version=None)
            self.outcome.activities.append(
                Activity(self.instance.id, self.instance.execution_id, task.id, task.name, task.input)
            )
        elif task.kind in ("entity", "signal"):
            self._send(task)
        else:
            child = task.child = task.child_id or f"{self.instance.execution_id}:{task.id}"
            self._note(
                EventType.SUB_ORCHESTRATION_CREATED,
                task.id,
                Name=task.name,
                Input=task.input,
                InstanceId=child,
                Version=None,
            )
            self.outcome.children.append(Task(task.kind, task.name, task.input, task.id, child_id=child))

    def _send(self, task: Task) -> None:
        request_id = str(uuid.uuid5(uuid.UUID(self.instance.execution_id), str(task.id)))
        signal = task.kind == "signal"
        request = entity.request(
            request_id,
            task.operation or "",
            # the extension serialises what is a string of JSON already; the worker decodes it twice
            json.dumps(task.input),
            Caller(self.instance.id, self.instance.execution_id),
            signal=signal,
        )
        request = entity.stamped(request, self._last_sent(task.name), self.now)
        if signal:
            task.open = False
        else:
            task.request_id = request_id
        self._note(EventType.EVENT_SENT, task.id, InstanceId=task.name, Name="op", Input=newtonsoft.written(request))
        self.outcome.sent.append((task.name, request))

    def _last_sent(self, target: str) -> str:
        """The moment of the message to this entity before."""
        for item in itertools.chain(reversed(self._later), reversed(self.instance.history)):
            if item["EventType"] == EventType.EVENT_SENT and item["InstanceId"] == target:
                return str(json.loads(item["Input"])["Timestamp"])
        return entity.FIRST

    def _pause(self, task: Task) -> None:
        task.id = self._new_id()
        due = self._seconds + task.pause
        self._set_timer(task, due, written(due))

    def _set_timer(self, task: Task, due: float, fire_at: str) -> None:
        self._note(EventType.TIMER_CREATED, task.id, FireAt=fire_at)
        self.outcome.timers.append(Timer(self.instance.id, self.instance.execution_id, task.id, due))

    def _cancel_timers(self, wanted: list[dict[str, Any]]) -> None:
        timers = [task for task in self.instance.tasks if task.kind == "timer"]
        for place in actions.cancelled_timers(wanted):
            if timers[place].open:
                timers[place].open = False
                self.outcome.cancelled_timers.append(timers[place].id)

    def failure(self, reason: str | None) -> str:
        """What the extension makes of an exception in an orchestrator."""
        return f"Orchestrator function '{self.instance.name}' failed: {reason}"

    def _complete(self, status: Status, output: Any) -> None:
        instance = self.instance
        instance.status, instance.output = status, newtonsoft.written(output)
        self.outcome.added.append(completed(instance, self.now))

    def _note(self, kind: EventType, identifier: int, **fields: Any) -> None:
        self._later.append({**event(kind, self.now, **fields), "EventId": identifier})

    def _new_id(self) -> int:
        identifier = self.instance.next_id
        self.instance.next_id += 1
        return identifier


def completed(instance: Instance, now: str) -> HistoryEvent:
    """How the history of an instance ends."""
    return event(EventType.EXECUTION_COMPLETED, now, OrchestrationStatus=instance.status, Result=instance.output)
