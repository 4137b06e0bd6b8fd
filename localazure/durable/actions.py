"""What an orchestrator function answers: the JSON of azure-functions-durable, read into actions.

Each answer lists every action since the beginning, so a replay repeats those that are under way; what it lists
beyond them is new. Actions inside `WhenAny` and `WhenAll` count one by one, in their order.
Source: `OrchestratorState` and `models/actions` of azure-functions-durable 1.7.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from localazure.durable.errors import Unsupported
from localazure.durable.model import TaskKind

HTTP_ACTIVITY = "BuiltIn::HttpActivity"
OUT_OF_PROCESS = "\n\n$OutOfProcData$:"

CALL_ACTIVITY, CALL_ACTIVITY_WITH_RETRY = 0, 1
CALL_SUB_ORCHESTRATOR, CALL_SUB_ORCHESTRATOR_WITH_RETRY = 2, 3
CONTINUE_AS_NEW, CREATE_TIMER, WAIT_FOR_EXTERNAL_EVENT = 4, 5, 6
CALL_ENTITY, CALL_HTTP, SIGNAL_ENTITY = 7, 8, 9
WHEN_ANY, WHEN_ALL = 11, 12

KINDS: dict[int, TaskKind] = {
    CALL_ACTIVITY: "activity",
    CALL_ACTIVITY_WITH_RETRY: "activity",
    CALL_SUB_ORCHESTRATOR: "orchestration",
    CALL_SUB_ORCHESTRATOR_WITH_RETRY: "orchestration",
    CREATE_TIMER: "timer",
    CALL_ENTITY: "entity",
    SIGNAL_ENTITY: "signal",
    CALL_HTTP: "activity",
}
"""What the actions that take an id become."""


@dataclass(frozen=True)
class Answer:
    """How an orchestrator function ended one episode."""

    done: bool
    actions: list[dict[str, Any]]
    output: Any
    error: str | None
    custom_status: Any


def read(answer: str) -> Answer:
    """The answer of an orchestrator function that returned."""
    return _answer(json.loads(answer), None)


def read_failure(message: str) -> Answer | None:
    """What an orchestrator that raised had asked for before it did; `None`: it was not the orchestrator that raised."""
    text, marker, state = message.partition(OUT_OF_PROCESS)
    return _answer(json.loads(state), text) if marker else None


def cancelled_timers(actions: Iterable[dict[str, Any]]) -> Iterator[int]:
    """The places, among timers alone, of those the orchestrator has given up."""
    timers = (action for action in actions if action["actionType"] == CREATE_TIMER)
    return (place for place, timer in enumerate(timers) if timer.get("isCanceled"))


def tasks(answer: Answer) -> list[dict[str, Any]]:
    """The actions that take an id, in the order in which they take them."""
    return [action for action in answer.actions if action["actionType"] in KINDS]


def signals(answer: Answer) -> list[dict[str, Any]]:
    return [action for action in answer.actions if action["actionType"] == SIGNAL_ENTITY]


def continues_with(answer: Answer) -> dict[str, Any] | None:
    """The action that starts the orchestration over, if it asked for that."""
    return next((action for action in answer.actions if action["actionType"] == CONTINUE_AS_NEW), None)


def name(action: dict[str, Any]) -> str:
    """What an action is about: a function, an entity's id, the moment of a timer."""
    if action["actionType"] == CALL_HTTP:
        return HTTP_ACTIVITY
    return str(action.get("functionName") or action.get("fireAt") or action.get("instanceId", ""))


def input_of(action: dict[str, Any]) -> str | None:
    """The JSON that what is asked for is given."""
    return json.dumps([action["httpRequest"]]) if action["actionType"] == CALL_HTTP else action.get("input")


def doubled(given: str | None) -> str | None:
    """The JSON of an input that the package has encoded already: the extension encodes that text once more."""
    return None if given is None else json.dumps(given)


def _answer(document: dict[str, Any], error: str | None) -> Answer:
    groups = document.get("actions", [])
    return Answer(
        done=bool(document.get("isDone")) or error is not None,
        actions=[action for group in groups for action in _flat(group)],
        output=document.get("output"),
        error=error,
        custom_status=document.get("customStatus"),
    )


def _flat(actions: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for action in actions:
        kind = action["actionType"]
        if kind in (WHEN_ANY, WHEN_ALL):
            yield from _flat(action["compoundActions"])
        elif kind not in KINDS and kind not in (CONTINUE_AS_NEW, WAIT_FOR_EXTERNAL_EVENT):
            raise Unsupported(f"an action of type {kind} is not supported by the local task hub")
        elif kind == CALL_HTTP and action["httpRequest"].get("tokenSource"):
            raise Unsupported("call_http with a token source is not supported by the local task hub")
        else:
            yield action
