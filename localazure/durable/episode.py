"""One episode: an instance reads its messages, its orchestrator is replayed, and what it asks for is set going.

Pure: time and the orchestrator's answer come in, the new state and the work to be done go out. Ids are given in
the order in which azure-functions-durable gives them during its replay; that is what makes its replay find them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localazure.durable import actions
from localazure.durable.actions import Answer
from localazure.durable.model import COMPLETIONS, FAILURES, EventType, HistoryEvent, Instance, Task, event, task_id
from localazure.durable.store import Activity, Timer


@dataclass
class Outcome:
    """What an episode did: history to add, work to start, and how the instance goes on."""

    added: list[HistoryEvent]
    activities: list[Activity] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    cancelled_timers: list[int] = field(default_factory=list)
    children: list[Task] = field(default_factory=list)
    continue_with: str | None = None
    continued: bool = False


class NonDeterminism(Exception):
    """The orchestrator's replay asked for other things than before."""


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
    def has_news(self) -> bool:
        """Whether any message matters to the orchestrator; a completion that came twice does not."""
        return len(self.outcome.added) > 1

    def context(self) -> str:
        """The JSON that the orchestrator function is called with."""
        for past in self.instance.history:
            past["IsPlayed"] = True
        return json.dumps(
            {
                "history": self.instance.history + self.outcome.added,
                "input": self.instance.input,
                "instanceId": self.instance.id,
                "isReplaying": bool(self.instance.history),
                "parentInstanceId": self.instance.parent.instance_id if self.instance.parent else None,
                "upperSchemaVersion": 1,
            }
        )

    def finish(self, answer: Answer) -> Outcome:
        """Carry out what the orchestrator asked for. Raises NonDeterminism."""
        instance, outcome = self.instance, self.outcome
        instance.custom_status = answer.custom_status
        wanted = [action for action in answer.actions if action["actionType"] != actions.WAIT_FOR_EXTERNAL_EVENT]
        self._compare(wanted)
        for action in wanted[instance.seen :]:
            self._carry_out(action)
        instance.seen = len(wanted)
        self._cancel_timers(wanted)
        outcome.added += [*self._later, event(EventType.ORCHESTRATOR_COMPLETED, self.now)]
        if answer.done and not outcome.continued:
            self._complete(answer)
        elif not outcome.continued:
            instance.status = "Running"
        instance.updated = self.now
        instance.history += outcome.added
        return outcome

    def fail(self, reason: str) -> Outcome:
        """End the instance because its orchestrator cannot go on."""
        self.outcome.added.append(event(EventType.ORCHESTRATOR_COMPLETED, self.now))
        self._complete(Answer(True, [], None, reason, None))
        self.instance.updated = self.now
        self.instance.history += self.outcome.added
        return self.outcome

    def _receive(self, message: HistoryEvent) -> None:
        if message["EventType"] in COMPLETIONS:
            task = self.instance.task(task_id(message))
            if task is None:
                return
            self._complete_task(task, message)
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
        kind = action["actionType"]
        if kind == actions.CONTINUE_AS_NEW:
            self.outcome.continued, self.outcome.continue_with = True, action.get("input")
            return
        retry = action.get("retryOptions") or {}
        task = Task(
            kind=_kind(kind),
            name=action.get("functionName", action.get("fireAt", "")),
            input=action.get("input"),
            id=-1,
            most_attempts=int(retry.get("maxNumberOfAttempts", 1)),
            pause=float(retry.get("firstRetryIntervalInMilliseconds", 0)) / 1000,
            child_id=action.get("instanceId"),
        )
        self.instance.tasks.append(task)
        self._schedule(task)

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
        else:
            child = task.child_id or f"{self.instance.id}:{task.id:x}"
            self._note(
                EventType.SUB_ORCHESTRATION_CREATED,
                task.id,
                Name=task.name,
                Input=task.input,
                InstanceId=child,
                Version=None,
            )
            self.outcome.children.append(Task(task.kind, task.name, task.input, task.id, child_id=child))

    def _pause(self, task: Task) -> None:
        task.id = self._new_id()
        due = self._seconds + task.pause
        self._set_timer(task, due, datetime.fromtimestamp(due, datetime.fromisoformat(self.now).tzinfo).isoformat())

    def _set_timer(self, task: Task, due: float, fire_at: str) -> None:
        self._note(EventType.TIMER_CREATED, task.id, FireAt=fire_at)
        self.outcome.timers.append(Timer(self.instance.id, self.instance.execution_id, task.id, due))

    def _cancel_timers(self, wanted: list[dict[str, Any]]) -> None:
        timers = [task for task in self.instance.tasks if task.kind == "timer"]
        for place in actions.cancelled_timers(wanted):
            if timers[place].open:
                timers[place].open = False
                self.outcome.cancelled_timers.append(timers[place].id)

    def _compare(self, wanted: list[dict[str, Any]]) -> None:
        if len(wanted) < self.instance.seen:
            raise NonDeterminism(f"the replay asked for {len(wanted)} things, before it was {self.instance.seen}")
        for task, action in zip(self.instance.tasks, wanted, strict=False):
            name = action.get("functionName", action.get("fireAt", ""))
            if (_kind(action["actionType"]), name) != (task.kind, task.name):
                asked = f"{_kind(action['actionType'])} {name}"
                raise NonDeterminism(f"the replay asked for {asked} where it was {task.kind} {task.name} before")

    def _complete(self, answer: Answer) -> None:
        instance = self.instance
        if answer.error is not None:
            instance.status = "Failed"
            instance.output = json.dumps(f"Orchestrator function '{instance.name}' failed: {answer.error}")
        else:
            instance.status, instance.output = "Completed", json.dumps(answer.output)
        self.outcome.added.append(
            event(
                EventType.EXECUTION_COMPLETED,
                self.now,
                OrchestrationStatus=instance.status,
                Result=instance.output,
            )
        )

    def _note(self, kind: EventType, identifier: int, **fields: Any) -> None:
        self._later.append({**event(kind, self.now, **fields), "EventId": identifier})

    def _new_id(self) -> int:
        identifier = self.instance.next_id
        self.instance.next_id += 1
        return identifier


def _kind(action_type: int) -> Any:
    if action_type in (actions.CALL_ACTIVITY, actions.CALL_ACTIVITY_WITH_RETRY):
        return "activity"
    if action_type in (actions.CALL_SUB_ORCHESTRATOR, actions.CALL_SUB_ORCHESTRATOR_WITH_RETRY):
        return "orchestration"
    if action_type == actions.CREATE_TIMER:
        return "timer"
    return "continue-as-new"
