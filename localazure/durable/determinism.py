"""Whether a replay asks for the same as before, told in the words of the Durable Task Framework.

Like there, activities and sub-orchestrations are compared by name, timers and messages to entities by kind alone.
Source: `TaskOrchestrationContext.Handle…Event` of DurableTask.Core.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localazure.durable import actions
from localazure.durable.model import Task, TaskKind

_BEFORE = "A previous execution of this orchestration scheduled"
_INSTEAD = "the current orchestration replay instead"
_CHANGED = "Was a change made to the orchestrator code after this instance had already started running?"
_ACTIONS: dict[TaskKind, str] = {
    "activity": "ScheduleTaskOrchestratorAction",
    "orchestration": "CreateSubOrchestrationAction",
    "timer": "CreateTimerOrchestratorAction",
    "entity": "SendEventOrchestratorAction",
    "signal": "SendEventOrchestratorAction",
}


class NonDeterminism(Exception):
    """The orchestrator's replay asked for other things than before."""

    def __init__(self, details: str) -> None:
        super().__init__(f"Non-Deterministic workflow detected: {_BEFORE} {details} {_CHANGED}")


def compare(tasks: Sequence[Task], wanted: Sequence[dict[str, Any]]) -> None:
    """`tasks` are what the instance has asked for so far, `wanted` the actions of its replay. Raises NonDeterminism."""
    for task, action in zip(tasks, wanted, strict=False):
        kind, name = actions.KINDS[action["actionType"]], actions.name(action)
        if _ACTIONS[kind] != _ACTIONS[task.kind]:
            raise NonDeterminism(f"{_numbered(task)} but {_INSTEAD} {_produced(task, _ACTIONS[kind])}")
        if kind in ("activity", "orchestration") and name.lower() != task.name.lower():
            raise NonDeterminism(f"{_numbered(task)} but {_INSTEAD} {_scheduled(task, name)}")
    if len(wanted) < len(tasks):
        raise NonDeterminism(
            f"{_identified(tasks[len(wanted)])}, but the current replay execution hasn't (yet?) scheduled this task."
        )


def _produced(task: Task, action: str) -> str:
    match task.kind:
        case "activity" | "timer":
            return f"produced a {action} action with this sequence number."
        case "orchestration":
            return f"produced a {action} action at this sequence number."
        case _:
            return f"scheduled a {action} task at this sequence number."


def _scheduled(task: Task, name: str) -> str:
    if task.kind == "activity":  # in the framework's own text two blanks come after it
        return f"scheduled an activity task named '{name}' with this sequence number. "
    return f"scheduled a sub-orchestration task with name {name} at this sequence number."


def _numbered(task: Task) -> str:
    """A task, as the framework tells of it where another one stands in its place."""
    match task.kind:
        case "activity":
            return f"an activity task with sequence number {task.sequence} named '{task.name}',"
        case "timer":
            return f"a timer task with sequence number {task.sequence} named"
        case _:
            return f"{_identified(task)},"


def _identified(task: Task) -> str:
    """A task, as the framework tells of it where nothing stands in its place."""
    match task.kind:
        case "activity":
            return f"an activity task with sequence ID {task.sequence} and name '{task.name}' (version '')"
        case "orchestration":
            named = f"and name '{task.name}' (version '', instance ID '{task.child}')"
            return f"a sub-orchestration task with sequence ID {task.sequence} {named}"
        case "timer":
            return f"a timer task with sequence number {task.sequence}"
        case _:
            named = f"type 'EventSent', name 'op', instance ID '{task.name}'"
            return f"a send event task with sequence ID {task.sequence}, {named}"
