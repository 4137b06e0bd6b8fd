"""How much lies in a service's subscriptions, in their dead letters, and for how long.

Looking is peeking: it locks nothing, counts as no delivery, and needs the right to receive, which the service has. The
broker's own counters would need the right to manage the whole namespace.
"""

from __future__ import annotations

import time

from azure.servicebus import ServiceBusMessageState

from shared.declaration import Service
from shared.errors import Transient
from shared.messaging.client import peek
from shared.telemetry.log import Log
from shared.telemetry.metric import measured

MAX_COUNTED = 250
"""Messages of a queue that are looked at, the oldest first: one request. That many stands for as many or more."""


async def observe(service: Service) -> None:
    """Measure every subscription of the service, and its dead letters. What cannot be read is logged."""
    for topic in service.hears:
        try:
            measured(service.name, "queue_seconds", await ages(topic, service.name), topic=topic)
            measured(service.name, "dead_letter_seconds", await ages(topic, service.name, dead=True), topic=topic)
        except Transient as exc:
            Log(service.name).warning("queue.unreadable", topic=topic, reason=exc.detail)


async def ages(topic: str, subscription: str, *, dead: bool = False) -> list[float]:
    """For how many seconds each message has been in the subscription, or among its dead letters: at most `MAX_COUNTED`.

    Raises Transient.
    """
    found = await peek((topic, subscription, dead), 1, MAX_COUNTED)
    now = time.time()
    moments = [
        moment
        for message in found
        if (moment := message.enqueued_time_utc) is not None and message.state is not ServiceBusMessageState.SCHEDULED
    ]
    return [max(0.0, now - moment.timestamp()) for moment in moments]
