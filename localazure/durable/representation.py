"""Instances, their histories and entities as JSON documents of the HTTP API.

Source: "HTTP APIs in Durable Functions", and `DurableClient` of the Durable extension for the history.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from localazure import newtonsoft
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
_TRACE = ("ParentTraceContext",)
_MEMBERS: dict[EventType, tuple[str, ...]] = {
    EventType.EXECUTION_STARTED: ("Input", "Correlation", *_TRACE, "ScheduledStartTime", "Generation"),
    EventType.EXECUTION_COMPLETED: ("OrchestrationStatus", "Result", "FailureDetails"),
    EventType.EXECUTION_TERMINATED: ("Input",),
    EventType.EXECUTION_SUSPENDED: ("Reason",),
    EventType.EXECUTION_RESUMED: ("Reason",),
    EventType.TASK_SCHEDULED: ("Name", "Input", *_TRACE, "Tags"),
    EventType.TASK_COMPLETED: ("Result",),
    EventType.TASK_FAILED: ("Reason", "Details", "FailureDetails"),
    EventType.SUB_ORCHESTRATION_CREATED: ("Name", "InstanceId", "Input", "ClientSpanId", "Tags"),
    EventType.SUB_ORCHESTRATION_COMPLETED: ("Result",),
    EventType.SUB_ORCHESTRATION_FAILED: ("Reason", "Details", "FailureDetails"),
    EventType.TIMER_CREATED: ("FireAt",),
    EventType.TIMER_FIRED: ("FireAt",),
    EventType.EVENT_SENT: ("InstanceId", "Name", "Input"),
    EventType.EVENT_RAISED: ("Name", "Input", *_TRACE),
    EventType.GENERIC: ("Data",),
}
"""What the extension shows of each kind of event, null where there is nothing to say."""
_INPUT_LEFT_OUT = frozenset({EventType.TASK_SCHEDULED, EventType.SUB_ORCHESTRATION_CREATED})
"""Events whose input the extension does not keep in the history."""


def status(instance: Instance, show_input: bool) -> dict[str, Any]:
    """An instance without its history."""
    parent = {} if instance.parent is None else {"parentInstanceId": instance.parent.instance_id}
    return {
        "name": instance.name,
        "instanceId": instance.id,
        **parent,
        "runtimeStatus": instance.status,
        "input": loaded(instance.input) if show_input else None,
        "customStatus": instance.custom_status,
        "output": loaded(instance.output),
        "createdTime": _whole(instance.created),
        "lastUpdatedTime": _whole(instance.updated),
    }


def scheduler(entity: Entity, show_input: bool) -> dict[str, Any]:
    """An entity as the orchestration that the extension makes of it."""
    return {
        "name": str(entity.id),
        "instanceId": str(entity.id),
        "runtimeStatus": "Running",
        "input": {"exists": entity.exists, "state": entity.state, "sorter": {}} if show_input else None,
        "customStatus": {"entityExists": entity.exists},
        "output": None,
        "createdTime": _whole(entity.updated),
        "lastUpdatedTime": _whole(entity.updated),
    }


def row(item: Instance | Entity, show_input: bool) -> dict[str, Any]:
    """An instance, or an entity among instances."""
    return status(item, show_input) if isinstance(item, Instance) else scheduler(item, show_input)


def history(
    instance: Instance, unread: Iterable[HistoryEvent], show_input: bool, show_output: bool
) -> list[dict[str, Any]]:
    """What happened to an instance: each task once, when it ended, or when it began while it runs.

    `unread` is what waits for a suspended instance: on Azure it stands in the history when it comes.
    """
    happened = [*instance.history, *unread]
    begun: dict[tuple[EventType, int], HistoryEvent] = {
        (EventType(item["EventType"]), item["EventId"]): item for item in happened
    }
    ended = {
        (_SCHEDULED[EventType(item["EventType"])], item["TaskScheduledId"])
        for item in happened
        if item["EventType"] in _SCHEDULED
    }
    shown = []
    for item in happened:
        kind = EventType(item["EventType"])
        if kind in _EPISODES or (kind, item["EventId"]) in ended:
            continue
        beginning = begun[_SCHEDULED[kind], item["TaskScheduledId"]] if kind in _SCHEDULED else None
        shown.append(_event(kind, item, beginning, show_input, show_output))
    return shown


def _event(
    kind: EventType, item: HistoryEvent, beginning: HistoryEvent | None, show_input: bool, show_output: bool
) -> dict[str, Any]:
    members = {name: item.get(name) for name in _MEMBERS[kind]}
    document = {"EventType": NAMES[kind], **members, "Timestamp": _trimmed(item["Timestamp"])}
    if "FireAt" in document:
        document["FireAt"] = _trimmed(str(document["FireAt"]))
    if kind in _INPUT_LEFT_OUT:
        document["Input"] = None
    if kind == EventType.EXECUTION_STARTED:
        document |= {"GenerateNewTrace": False, "FunctionName": item["Name"]}
    if beginning is not None:
        scheduled = _trimmed(beginning["Timestamp"]).replace("Z", "+00:00")
        document |= {"ScheduledTime": scheduled, "FunctionName": beginning["Name"], "Input": None}
        if "InstanceId" in beginning:
            document["InstanceId"] = beginning["InstanceId"]
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
        "lastOperationTime": _trimmed(entity.updated),
        "state": loaded(entity.state) if show_state else None,
    }


def loaded(text: str | None) -> Any:
    """The value that a text of JSON begins with; what is no JSON stands for itself."""
    if text is None:
        return None
    if not (stripped := text.strip()):
        return ""
    try:
        return newtonsoft.read(stripped, whole=False)
    except newtonsoft.JsonReaderException:
        return text


def _whole(moment: str) -> str:
    """A moment in whole seconds."""
    return moment.partition(".")[0].removesuffix("Z") + "Z"


def _trimmed(moment: str) -> str:
    """A moment as Newtonsoft.Json writes it: no zeros at the end of its fraction, `Z` for UTC."""
    seconds, point, fraction = moment.replace("+00:00", "Z").removesuffix("Z").partition(".")
    return f"{seconds}{point}{fraction}".rstrip("0").removesuffix(".") + "Z" if point else f"{seconds}Z"
