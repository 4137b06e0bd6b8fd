"""The objects of the API. Pure data: no storage, no protocol.

Source: EasyPost API reference, "Trackers" (statuses, test tracking codes) and "Events".
"""

from __future__ import annotations

import secrets
from typing import Any, Literal

import msgspec

Status = Literal[
    "unknown",
    "pre_transit",
    "in_transit",
    "out_for_delivery",
    "available_for_pickup",
    "delivered",
    "return_to_sender",
    "failure",
    "cancelled",
    "error",
]
Description = Literal["tracker.created", "tracker.updated"]

TEST_CODES: dict[str, Status] = {
    "EZ1000000001": "pre_transit",
    "EZ2000000002": "in_transit",
    "EZ3000000003": "out_for_delivery",
    "EZ4000000004": "delivered",
    "EZ5000000005": "return_to_sender",
    "EZ6000000006": "failure",
    "EZ7000000007": "unknown",
}
"""What a parcel with one of these tracking codes has come to, at once and for good."""

FINAL: frozenset[Status] = frozenset({"delivered", "return_to_sender", "failure", "cancelled"})
DEFAULT_CARRIER = "USPS"


class Detail(msgspec.Struct, frozen=True):
    """One thing that a carrier said of a parcel."""

    message: str
    status: Status
    at: int


class Tracker(msgspec.Struct, frozen=True):
    """A parcel that is followed. Moments are seconds since the epoch."""

    id: str
    tracking_code: str
    carrier: str
    status: Status
    created: int
    updated: int
    details: tuple[Detail, ...] = ()


class Event(msgspec.Struct, frozen=True):
    """Something that happened, with the tracker as it was at that moment, already in the API's form."""

    id: str
    description: Description
    created: int
    result: dict[str, Any]
    previous: Status | None = None


def new_id(prefix: str) -> str:
    """An id in EasyPost's manner: a prefix that names the kind, then 32 random hexadecimal digits."""
    return f"{prefix}_{secrets.token_hex(16)}"
