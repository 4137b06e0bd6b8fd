"""What of an orchestrator's answer can be carried out: the rest fails its instance, or is left out."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from localazure import newtonsoft
from localazure.durable import actions
from localazure.durable.actions import Answer
from localazure.durable.core import Core
from localazure.durable.entity import EntityId
from localazure.durable.model import Instance

log = logging.getLogger("localazure.durable")

MAX_STATUS = 16
"""Kilobytes of UTF-16 that a custom status may take."""


def fault(core: Core, answer: Answer) -> str | None:
    """What of an answer fails its instance."""
    status = answer.custom_status
    size = 0 if status is None else len(newtonsoft.written(status).encode("utf-16-le", "surrogatepass")) // 1024
    if size > MAX_STATUS:
        return (
            f"The UTF-16 size of the JSON-serialized payload must not exceed {MAX_STATUS} KB. "
            f"The current payload size is {size:,} KB."
        )
    targets = (EntityId.parse(action["instanceId"]).name for action in actions.signals(answer))
    return next((core.unknown("entity", name) for name in targets if not core.has("entity", name)), None)


def possible(core: Core, instance: Instance, answer: Answer) -> Answer:
    """The answer without the tasks that cannot be scheduled, which its orchestrator waits for in vain.

    As on Azure, where what is thrown about them is thrown away, and the log alone tells of it.
    """
    wanted = [(action, _hindrance(core, instance, action)) for action in answer.actions]
    for hindrance in filter(None, (hindrance for _, hindrance in wanted)):
        log.error("orchestrator '%s' (%s) waits for ever: %s", instance.name, instance.id, hindrance)
    return replace(answer, actions=[action for action, hindrance in wanted if hindrance is None])


def _hindrance(core: Core, instance: Instance, action: dict[str, Any]) -> str | None:
    name = actions.name(action)
    match actions.KINDS.get(action["actionType"]):
        case "activity" if name != actions.HTTP_ACTIVITY and not core.has("activity", name):
            return core.unknown("activity", name)
        case "entity" if not core.has("entity", EntityId.parse(name).name):
            return core.unknown("entity", EntityId.parse(name).name)
        case "orchestration":
            above = {instance.id.lower()} | ({instance.parent.instance_id.lower()} if instance.parent else set())
            child = str(action.get("instanceId") or "")
            if child.startswith("@"):
                return "Orchestration instance ids must not start with @"
            if child.lower() in above:
                return "a sub-orchestration cannot have the instance id of its parent"
            if not core.has("orchestrator", name):
                return core.unknown("orchestrator", name)
    return None
