"""Taking back what made an instance fail, so that it goes on from before its failures.

As on Azure, every failure in the history becomes an event that a replay ignores, whether the orchestrator had dealt
with it or not; activities that failed begin again, failed sub-orchestrations are rewound themselves. Where an
orchestrator went on after a failure, its replay no longer asks for what it asked for then: it is non-deterministic.
Source: `RewindHistoryAsync` of DurableTask.AzureStorage.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from localazure.durable.errors import Unsupported
from localazure.durable.model import FAILURES, NAMES, EventType, HistoryEvent, Instance, Parent, Task, event
from localazure.durable.store import Activity


@dataclass
class Rewound:
    """What has to be started again once an instance's failures are taken back."""

    activities: list[Activity] = field(default_factory=list)
    children: list[Task] = field(default_factory=list)
    lost_children: list[tuple[Parent, Task]] = field(default_factory=list)
    """Those that there is nothing left of to be rewound."""


def rewind(instance: Instance, now: str) -> Rewound:
    """Take the failures out of a failed instance, which is changed in place. Raises Unsupported."""
    _check(instance)
    rewound = Rewound()
    begun = {
        item["EventId"]: item
        for item in instance.history
        if item["EventType"] in (EventType.TASK_SCHEDULED, EventType.SUB_ORCHESTRATION_CREATED)
    }
    for failure in [item for item in instance.history if item["EventType"] in FAILURES]:
        task = next(task for task in instance.tasks if task.id == failure["TaskScheduledId"])
        _begin_again(instance, task, begun[task.id], rewound, now)
        _blank(failure)
    for item in instance.history:
        if item["EventType"] == EventType.EXECUTION_COMPLETED:
            _blank(item)
    instance.status, instance.output, instance.updated = "Pending", None, now
    return rewound


def _begin_again(instance: Instance, task: Task, beginning: HistoryEvent, rewound: Rewound, now: str) -> None:
    task.open = True
    if task.kind == "orchestration":
        rewound.children.append(Task(task.kind, task.name, task.input, task.id, child_id=beginning["InstanceId"]))
        return
    instance.history.append({**beginning, "IsPlayed": False, "Timestamp": now})
    _blank(beginning)
    rewound.activities.append(Activity(instance.id, instance.execution_id, task.id, task.name, task.input))


def _check(instance: Instance) -> None:
    # the ids that a retry took would have to be taken back from everything that was scheduled after it
    identifiers = {item["TaskScheduledId"] for item in instance.history if item["EventType"] in FAILURES}
    known = {task.id for task in instance.tasks if not task.retries}
    if not identifiers <= known:
        raise Unsupported("rewind of an instance whose tasks were retried is not supported by the local task hub")


def _blank(item: HistoryEvent) -> None:
    item["Reason"] = f"Rewound: {NAMES[EventType(item['EventType'])]}"
    item["EventType"] = int(EventType.GENERIC)


def revival(reason: str, now: str) -> HistoryEvent:
    """What makes the instance go on."""
    return event(EventType.GENERIC, now, Data=reason)
