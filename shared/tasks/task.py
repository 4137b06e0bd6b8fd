"""A long task. Pure: no clock, no I/O."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from shared import ids
from shared.patterns import Timestamp

Status = Literal["pending", "running", "cancelling", "completed", "failed", "cancelled"]
OPEN: tuple[Status, ...] = ("pending", "running", "cancelling")
ENDED: tuple[Status, ...] = ("completed", "failed", "cancelled")
TRANSITIONS: dict[tuple[Status, str], Status] = {
    ("pending", "step"): "running",
    ("running", "step"): "running",
    ("cancelling", "step"): "cancelling",
    ("pending", "cancel"): "cancelling",
    ("running", "cancel"): "cancelling",
    ("cancelling", "cancel"): "cancelling",
    ("pending", "fail"): "failed",
    ("running", "complete"): "completed",
    ("running", "fail"): "failed",
    ("running", "stop"): "cancelled",
    ("cancelling", "complete"): "completed",
    ("cancelling", "fail"): "failed",
    ("cancelling", "stop"): "cancelled",
}
"""(Status, what happens) → next status. A task whose last step was done ahead of the cancel is completed."""
TASK_ID = re.compile(r"tsk_[a-z2-7]{26}")


class Progress(msgspec.Struct, frozen=True):
    """How much is done, and of how much: `null` as long as that is being counted."""

    done: int = 0
    total: int | None = None


class TaskProblem(msgspec.Struct, frozen=True):
    """Why a task did not do what it should. `code` is stable."""

    code: str
    detail: str


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One long task. `given` is what it was started with, `state` what its steps know of each other."""

    id: str
    kind: str
    owner: str
    status: Status = "pending"
    given: dict[str, Any]
    state: dict[str, Any] = {}
    progress: Progress = Progress()
    result: dict[str, Any] | None = None
    problem: TaskProblem | None = None
    created_at: str
    updated_at: str
    traceparent: str = ""

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


class TaskView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A long task as the API shows it."""

    id: Annotated[str, msgspec.Meta(description="Names the task.")]
    kind: str
    status: Status
    progress: Progress
    created_at: Timestamp
    updated_at: Timestamp
    result: Annotated[dict[str, Any] | None, msgspec.Meta(description="What came of it, as its kind has it.")] = None
    problem: TaskProblem | None = None


def view(task: Task) -> TaskView:
    """What its owner may see."""
    return TaskView(
        task.id, task.kind, task.status, task.progress, task.created_at, task.updated_at, task.result, task.problem
    )


class IllegalTransition(Exception):
    """A task cannot do that in its present status."""

    def __init__(self, task: Task, what: str) -> None:
        super().__init__(f"task {task.id} is {task.status} and cannot {what}")


def moved(task: Task, what: str) -> Status:
    """The status that follows. Raises IllegalTransition."""
    try:
        return TRANSITIONS[task.status, what]
    except KeyError:
        raise IllegalTransition(task, what) from None


def task_id(kind: str, owner: str, key: str) -> str:
    """The id of the task that `owner` starts under the Idempotency-Key `key`: the same for the same three."""
    return ids.derived("tsk", kind, owner, key)
