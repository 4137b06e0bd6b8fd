"""The table of crash points: those of the kit, wherever a service passes them, and those that services declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from shared.contracts.event import type_of
from shared.declaration import CrashPoint, Service

FILE = "shared/faultpoints/points.json"
_COSMOS, _RELAY, _CONSUMER = "persistence/cosmos.py", "messaging/relay.py", "messaging/consumer.py"
_PUBLISHER = "messaging/publisher.py"
WRITES = {
    "batch": "state and event are one write: whoever asked for it asks again and finds it done, and the relay tells it",
    "create": "a first copy, or a first count of stock, may be written again",
    "patch": "a move, and a later version of a copy, happens once however often it is asked for",
    "delete": "what is gone may be deleted again, and who asked for it is answered",
    "upsert": "an item that can never be published is parked once, and stops nobody",
}
"""Kind of write → what a crash after it puts to the test."""


def document(services: Iterable[Service]) -> list[dict[str, Any]]:
    """Every point, with where it stands and what a crash there puts to the test."""
    points = (point for service in services for point in (*_of_the_kit(service), *service.crash_points))
    # one event may be heard of several topics
    return [asdict(point) for point in dict.fromkeys(points)]


def _of_the_kit(service: Service) -> Iterator[CrashPoint]:
    for container in service.containers:
        for write in container.writes:
            yield CrashPoint(f"cosmos.{write}.after:{service.name}:{container.name}", _COSMOS, WRITES[write])
    if any(container.outbox for container in service.containers):
        yield CrashPoint(
            f"publish.after:{service.name}",
            _PUBLISHER,
            "events that were sent and whose checkpoint was still to come are sent again, and recognised",
        )
        yield CrashPoint(
            f"feed.handled:{service.name}",
            _RELAY,
            "a batch of the change feed whose checkpoint was still to come changes nothing when it is repeated",
        )
    for event in dict.fromkeys(event for topic in service.hears for event in service.events(topic)):
        yield CrashPoint(
            f"message.handled:{service.name}:{type_of(event)}",
            _CONSUMER,
            "a message whose acknowledgement was still to come changes nothing when it is repeated",
        )
