"""The rules: which parcels are followed, and what their carriers say of them. Knows no protocol.

Every method that changes something runs inside a transaction of the store that its caller opens.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from localazure.clock import Clock
from localazure.easypost import representation
from localazure.easypost.errors import NotFound
from localazure.easypost.model import (
    DEFAULT_CARRIER,
    TEST_CODES,
    Description,
    Detail,
    Event,
    Status,
    Tracker,
    new_id,
)
from localazure.easypost.store import Store

_SAID: dict[Status, str] = {
    "pre_transit": "The label was made",
    "in_transit": "On its way",
    "out_for_delivery": "Out for delivery",
    "available_for_pickup": "Waiting to be collected",
    "delivered": "Delivered",
    "return_to_sender": "Returned to its sender",
    "failure": "It cannot be delivered",
    "cancelled": "The label was cancelled",
}


class Engine:
    """`on_event` is told of each event inside the transaction that makes it."""

    def __init__(self, store: Store, clock: Clock, on_event: Callable[[Event, Tracker], None]) -> None:
        self._store = store
        self._clock = clock
        self._on_event = on_event

    def create(self, tracking_code: str, carrier: str | None) -> Tracker:
        """Follow a parcel. One that is followed already has the same tracker."""
        carrier = carrier or DEFAULT_CARRIER
        known = self._store.followed(tracking_code, carrier)
        if known is not None:
            return known
        now = self._now()
        tracker = Tracker(new_id("trk"), tracking_code, carrier, "unknown", now, now)
        self._store.add(tracker)
        self._tell("tracker.created", tracker)
        status = TEST_CODES.get(tracking_code)
        return tracker if status is None or status == "unknown" else self._said(tracker, status, _SAID[status])

    def say(self, tracking_code: str, status: Status, message: str | None) -> list[Tracker]:
        """What a carrier says of a parcel, whoever follows it. Raises NotFound where nobody does."""
        followed = self._store.of_code(tracking_code)
        if not followed:
            raise NotFound(f"nobody follows a parcel {tracking_code}", "tracking_code")
        return [self._said(tracker, status, message or _SAID.get(status, status)) for tracker in followed]

    def _said(self, tracker: Tracker, status: Status, message: str) -> Tracker:
        now = self._now()
        details = (*tracker.details, Detail(message, status, now))
        updated = replace(tracker, status=status, updated=now, details=details)
        self._store.replace(updated)
        self._tell("tracker.updated", updated, tracker.status)
        return updated

    def _tell(self, description: Description, tracker: Tracker, previous: Status | None = None) -> None:
        event = Event(new_id("evt"), description, self._now(), representation.tracker(tracker), previous)
        self._store.add_event(event)
        self._on_event(event, tracker)

    def _now(self) -> int:
        return int(self._clock.time())
