"""Whether a replay asks for the same as before, told in the words of the Durable Task Framework.

Like there, activities and sub-orchestrations are compared by name, timers and messages to entities by kind alone.
Source: `TaskOrchestrationContext.Handle…Event` of DurableTask.Core.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localazure.durable import actions
from localazure.durable.model import Task, TaskKind

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
        super().__init__(f"Non-Deterministic workflow detected: {details} {_CHANGED}")


def compare(tasks: Sequence[Task], wanted: Sequence[dict[str, Any]]) -> None:
    """`tasks` are what the instance has asked for so far, `wanted` the actions of its replay. Raises NonDeterminism."""
    for task, action in zip(tasks, wanted, strict=False):
        kind, name = actions.KINDS[action["actionType"]], actions.name(action)
        if _ACTIONS[kind] != _ACTIONS[task.kind]:
            raise NonDeterminism(
                f"A previous execution of this orchestration scheduled {_named(task)}, but the current orchestration "
                f"replay instead produced a {_ACTIONS[kind]} action with this sequence number."
            )
        if kind in ("activity", "orchestration") and name != task.name:
            raise NonDeterminism(
                f"A previous execution of this orchestration scheduled {_named(task)}, but the current orchestration "
                f"replay instead scheduled {_noun(kind)} named '{name}' with this sequence number."
            )
    if len(wanted) < len(tasks):
        raise NonDeterminism(
            f"A previous execution of this orchestration scheduled {_named(tasks[len(wanted)])}, but the current "
            "replay execution hasn't (yet?) scheduled this task."
        )


def _named(task: Task) -> str:
    named = "" if task.kind == "timer" else f" and name '{task.name}'"
    return f"{_noun(task.kind)} with sequence ID {task.sequence}{named}"


def _noun(kind: TaskKind) -> str:
    match kind:
        case "activity":
            return "an activity task"
        case "orchestration":
            return "a sub-orchestration task"
        case "timer":
            return "a timer task"
        case _:
            return "a send event task"
