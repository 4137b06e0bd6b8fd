"""An orchestration instance as the task hub keeps it, and the history events it is made of.

Names and numbers of the events are those of the Durable Task Framework, as azure-functions-durable reads them
(`HistoryEventType` in its source).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

Status = Literal["Pending", "Running", "Completed", "ContinuedAsNew", "Failed", "Terminated", "Suspended"]
TaskKind = Literal["activity", "orchestration", "timer", "entity", "signal"]
FINISHED: frozenset[Status] = frozenset({"Completed", "Failed", "Terminated"})

HistoryEvent = dict[str, Any]


class EventType(IntEnum):
    """History event types by their number on the wire."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    SUB_ORCHESTRATION_CREATED = 7
    SUB_ORCHESTRATION_COMPLETED = 8
    SUB_ORCHESTRATION_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_SENT = 14
    EVENT_RAISED = 15
    GENERIC = 17
    EXECUTION_SUSPENDED = 19
    EXECUTION_RESUMED = 20


NAMES = {
    EventType.EXECUTION_STARTED: "ExecutionStarted",
    EventType.EXECUTION_COMPLETED: "ExecutionCompleted",
    EventType.EXECUTION_TERMINATED: "ExecutionTerminated",
    EventType.TASK_SCHEDULED: "TaskScheduled",
    EventType.TASK_COMPLETED: "TaskCompleted",
    EventType.TASK_FAILED: "TaskFailed",
    EventType.SUB_ORCHESTRATION_CREATED: "SubOrchestrationInstanceCreated",
    EventType.SUB_ORCHESTRATION_COMPLETED: "SubOrchestrationInstanceCompleted",
    EventType.SUB_ORCHESTRATION_FAILED: "SubOrchestrationInstanceFailed",
    EventType.TIMER_CREATED: "TimerCreated",
    EventType.TIMER_FIRED: "TimerFired",
    EventType.ORCHESTRATOR_STARTED: "OrchestratorStarted",
    EventType.ORCHESTRATOR_COMPLETED: "OrchestratorCompleted",
    EventType.EVENT_SENT: "EventSent",
    EventType.EVENT_RAISED: "EventRaised",
    EventType.GENERIC: "GenericEvent",
    EventType.EXECUTION_SUSPENDED: "ExecutionSuspended",
    EventType.EXECUTION_RESUMED: "ExecutionResumed",
}

COMPLETIONS = frozenset(
    {
        EventType.TASK_COMPLETED,
        EventType.TASK_FAILED,
        EventType.TIMER_FIRED,
        EventType.SUB_ORCHESTRATION_COMPLETED,
        EventType.SUB_ORCHESTRATION_FAILED,
    }
)
FAILURES = frozenset({EventType.TASK_FAILED, EventType.SUB_ORCHESTRATION_FAILED})


def event(kind: EventType, at: str, **fields: Any) -> HistoryEvent:
    """One history event; `EventId` is -1 where the kind has none of its own."""
    return {"EventType": int(kind), "EventId": -1, "IsPlayed": False, "Timestamp": at, **fields}


def task_id(completion: HistoryEvent) -> int:
    """The id of the task that a completion event ends."""
    return int(
        completion["TimerId"] if completion["EventType"] == EventType.TIMER_FIRED else completion["TaskScheduledId"]
    )


@dataclass
class Task:
    """One thing the orchestrator asked for: an action that is carried out under one id, or several with retries."""

    kind: TaskKind
    name: str
    """Of the function, the entity's id, or the moment of a timer."""
    input: str | None
    id: int
    """Id of the event that scheduled the attempt (or the pause between two) that is under way."""
    sequence: int = -1
    """Its first id."""
    open: bool = True
    attempts: int = 1
    most_attempts: int = 1
    pause: float = 0.0
    """Seconds between a failed attempt and the next one."""
    pausing: bool = False
    child_id: str | None = None
    child: str | None = None
    """The instance that the attempt of a sub-orchestration under way is."""
    operation: str | None = None
    request_id: str | None = None
    """Of a call to an entity: the name of the event that answers it."""

    @property
    def retries(self) -> bool:
        return self.most_attempts > 1 or self.pause > 0


@dataclass
class Parent:
    """Who waits for a sub-orchestration."""

    instance_id: str
    execution_id: str
    task_id: int


@dataclass
class Instance:
    """One orchestration. `tasks` are the actions of the orchestrator that have been carried out, in their order."""

    id: str
    execution_id: str
    name: str
    version: str | None
    status: Status
    input: str | None
    created: str
    updated: str
    output: str | None = None
    custom_status: Any = None
    parent: Parent | None = None
    generation: int | None = None
    """How often a client had started an instance of this id before; none where no client started it."""
    starting_over: bool = False
    """The orchestrator has asked to start over, and something is open still."""
    carried: list[HistoryEvent] = field(default_factory=list)
    """External events that came meanwhile: its next execution gets them."""
    next_id: int = 0
    tasks: list[Task] = field(default_factory=list)
    history: list[HistoryEvent] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return self.status in FINISHED

    @property
    def under_way(self) -> bool:
        """Whether something is open that the instance cannot end without: not a call to an entity, nor an event."""
        return any(task.open and task.kind in ("activity", "orchestration", "timer") for task in self.tasks)

    def task(self, identifier: int) -> Task | None:
        """The open task that is under way under this id."""
        return next((task for task in self.tasks if task.open and task.id == identifier), None)

    def call(self, request_id: str) -> Task | None:
        """The open call to an entity that this event answers."""
        return next((task for task in self.tasks if task.open and task.request_id == request_id), None)

    def record(self) -> dict[str, Any]:
        """Everything but the history, as plain data that is not to be changed: it is the instance's own."""
        document = dict(vars(self))
        del document["history"]
        document["parent"] = None if self.parent is None else vars(self.parent)
        document["tasks"] = [vars(task) for task in self.tasks]
        return document


def instance_of(record: dict[str, Any], history: list[HistoryEvent]) -> Instance:
    """The inverse of `Instance.record`."""
    record.pop("seen", None)  # in files of version 0.1
    parent = record.pop("parent")
    tasks = [Task(**task) for task in record.pop("tasks")]
    return Instance(**record, parent=None if parent is None else Parent(**parent), tasks=tasks, history=history)
