"""Instances, their histories and entities as JSON documents of the HTTP API.

Source: "HTTP APIs in Durable Functions", and `DurableClient` of the Durable extension for the history.
"""

from __future__ import annotations

import json
from typing import Any

from localazure.durable.entity import Entity
from localazure.durable.model import NAMES, EventType, HistoryEvent, Instance

_SCHEDULED = {
    EventType.TASK_COMPLETED: EventType.TASK_SCHEDULED,
    EventType.TASK_FAILED: EventType.TASK_SCHEDULED,
    EventType.SUB_ORCHESTRATION_COMPLETED: EventType.SUB_ORCHESTRATION_CREATED,
    EventType.SUB_ORCHESTRATION_FAILED: EventType.SUB_ORCHESTRATION_CREATED,
}
"""What ends a task, and the event that began it: the history shows the two as one."""
_EPISODES = frozenset({EventType.ORCHESTRATOR_STARTED, EventType.ORCHESTRATOR_COMPLETED})
_HIDDEN = frozenset({"EventId", "IsPlayed", "TaskScheduledId", "TimerId", "Version", "OrchestrationInstance"})


def status(instance: Instance, show_input: bool) -> dict[str, Any]:
    """An instance without its history."""
    return {
        "name": instance.name,
        "instanceId": instance.id,
        "runtimeStatus": instance.status,
        "input": loaded(instance.input) if show_input else None,
        "customStatus": instance.custom_status,
        "output": loaded(instance.output),
        "createdTime": instance.created,
        "lastUpdatedTime": instance.updated,
    }


def history(instance: Instance, show_input: bool, show_output: bool) -> list[dict[str, Any]]:
    """What happened to an instance: each task once, when it ended, or when it began while it runs."""
    begun: dict[tuple[EventType, int], HistoryEvent] = {
        (EventType(item["EventType"]), item["EventId"]): item for item in instance.history
    }
    ended = {
        (_SCHEDULED[EventType(item["EventType"])], item["TaskScheduledId"])
        for item in instance.history
        if item["EventType"] in _SCHEDULED
    }
    shown = []
    for item in instance.history:
        kind = EventType(item["EventType"])
        if kind in _EPISODES or (kind, item["EventId"]) in ended:
            continue
        beginning = begun[_SCHEDULED[kind], item["TaskScheduledId"]] if kind in _SCHEDULED else None
        shown.append(_event(kind, item, beginning, show_input, show_output))
    return shown


def _event(
    kind: EventType, item: HistoryEvent, beginning: HistoryEvent | None, show_input: bool, show_output: bool
) -> dict[str, Any]:
    document = {name: value for name, value in item.items() if name not in _HIDDEN} | {"EventType": NAMES[kind]}
    if kind == EventType.EXECUTION_STARTED:
        document["FunctionName"] = document.pop("Name")
    if beginning is not None:
        document |= {"ScheduledTime": beginning["Timestamp"], "FunctionName": beginning["Name"]}
        document["Input"] = beginning.get("Input")
    if not show_input:
        document.pop("Input", None)
    if not show_output:
        document.pop("Result", None)
    elif "Result" in document:
        document["Result"] = loaded(document["Result"])
    return document


def entity_status(entity: Entity, show_state: bool) -> dict[str, Any]:
    """One entity of a list."""
    return {
        "entityId": {"name": entity.id.name, "key": entity.id.key},
        "lastOperationTime": entity.updated,
        "state": loaded(entity.state) if show_state else None,
    }


def loaded(text: str | None) -> Any:
    """The value that JSON stands for; what is no JSON stands for itself."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
