"""What waits at the triggers of a host, and how much of it one instance takes: what a scaler asks for.

Imported when somebody asks; a host of a fixed number of instances never does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localazure.durable.engine import TaskHub
from localazure.functions.cosmos_feed import Feed
from localazure.functions.servicebus import Listener
from localazure.functions.settings import HostOptions

DURABLE = "durable"


async def waiting(triggers: Mapping[str, object], hub: TaskHub | None, options: HostOptions) -> list[dict[str, Any]]:
    """One entry a source. Of a queue or subscription it has the name: how long it is the broker knows.

    Raises FeedError.
    """
    found: list[dict[str, Any]] = []
    for name, trigger in triggers.items():
        if isinstance(trigger, Listener):
            found.append({"group": name, "entity": trigger.entity, "target": trigger.at_once})
        elif isinstance(trigger, Feed):
            length, most = await trigger.unread()
            found.append({"group": name, "length": length, "target": trigger.most, "most": most})
    if hub is not None:
        messages, partitions, activities = hub.waiting()
        orchestrators = {"length": messages, "target": options.orchestrators_at_once, "most": partitions}
        found += [
            {"group": DURABLE, **orchestrators},
            {"group": DURABLE, "length": activities, "target": options.activities_at_once},
        ]
    return found
