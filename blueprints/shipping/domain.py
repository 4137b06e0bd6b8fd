"""What a shipment is, which moves are legal, and how far an order is. Pure: no clock, no I/O.

The shop's own statuses stand apart from what carriers say. What a carrier says moves a shipment forward alone: late and
repeated news change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from shared.contracts.orders import Line
from shared.contracts.shipping import FailureReason, Progress

Status = Literal["shipped", "delivered", "failed"]
Command = Literal["deliver", "fail"]
Tracking = Literal[
    "unknown",
    "pre_transit",
    "in_transit",
    "out_for_delivery",
    "available_for_pickup",
    "return_to_sender",
    "failure",
    "cancelled",
    "delivered",
]

TRANSITIONS: dict[tuple[Status, Command], Status] = {
    ("shipped", "deliver"): "delivered",
    ("shipped", "fail"): "failed",
    ("failed", "deliver"): "delivered",  # a parcel that was given up turns up
}

RANK: dict[Tracking, int] = {
    "unknown": 0,
    "pre_transit": 1,
    "in_transit": 2,
    "out_for_delivery": 3,
    "available_for_pickup": 3,
    "return_to_sender": 4,
    "failure": 4,
    "cancelled": 4,
    "delivered": 5,
}
"""What a carrier says replaces what ranks lower, and nothing else."""

OUTCOMES: dict[Tracking, tuple[Command, FailureReason | None]] = {
    "delivered": ("deliver", None),
    "return_to_sender": ("fail", "returned_to_sender"),
    "failure": ("fail", "undeliverable"),
    "cancelled": ("fail", "cancelled_by_carrier"),
}
"""What a carrier says that ends a shipment."""

MAX_SHIPMENTS = 100
"""Of one order: their documents are read together."""


class Stopped(ValueError):
    """The order is cancelled, or about to be: nothing of it may be shipped."""


class NotToShip(ValueError):
    """More is to be shipped of something than is left, or nothing is left at all."""


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """What is to be shipped of one order, and how much of it has been: pieces by SKU.

    `version` counts everything that happens to the order's shipments. Stopped before it was confirmed, it stands in
    the way of shipping it later.
    """

    order_id: str
    customer_id: str
    ordered: dict[str, int]
    version: int = 1
    stopped: bool = False
    shipped: dict[str, int] = field(default_factory=dict)
    shipments: int = 0
    delivered: int = 0
    failed: int = 0
    traceparent: str = ""
    """What confirmed it: what a person or a carrier does for the order goes on from there."""

    @property
    def left(self) -> dict[str, int]:
        """Pieces by SKU that have not been shipped."""
        return {
            sku: pieces - self.shipped.get(sku, 0)
            for sku, pieces in self.ordered.items()
            if pieces > self.shipped.get(sku, 0)
        }

    @property
    def progress(self) -> Progress:
        """How far the order is, once something of it has been shipped."""
        if self.left:
            return "partly_shipped"
        return "delivered" if self.delivered and self.delivered + self.failed == self.shipments else "shipped"


@dataclass(frozen=True, slots=True)
class Shipment:
    """One parcel. `heard_at`: when its carrier last said something new; at first, when it was shipped."""

    id: str
    order_id: str
    status: Status
    lines: tuple[Line, ...]
    carrier: str
    tracking_number: str
    shipped_at: str
    heard_at: str
    request_hash: str
    tracking: Tracking = "unknown"
    tracker_id: str = ""
    delayed: bool = False
    reason: FailureReason | None = None


def pieces(lines: Iterable[Line]) -> dict[str, int]:
    """Pieces by SKU of lines that may name one several times."""
    wanted = Counter[str]()
    for line in lines:
        wanted[line.sku] += line.quantity
    return dict(wanted)


def ship(fulfilment: Fulfilment, wanted: Mapping[str, int] | None) -> tuple[Fulfilment, tuple[Line, ...]]:
    """Ship these pieces, by SKU, or all that is left: the order's record afterwards, and the lines of the shipment.

    Raises Stopped, or NotToShip.
    """
    if fulfilment.stopped:
        raise Stopped("the order is being cancelled; nothing of it is shipped")
    left = fulfilment.left
    wanted = left if wanted is None else wanted
    if not wanted:
        raise NotToShip("everything has been shipped")
    if fulfilment.shipments >= MAX_SHIPMENTS:
        raise NotToShip(f"an order has at most {MAX_SHIPMENTS} shipments")
    if more := sum(count > left.get(sku, 0) for sku, count in wanted.items()):
        raise NotToShip(f"of {more} of the products less is left to ship than that")
    shipped = {sku: fulfilment.shipped.get(sku, 0) + wanted.get(sku, 0) for sku in fulfilment.ordered}
    after = replace(
        fulfilment,
        version=fulfilment.version + 1,
        shipped={sku: count for sku, count in shipped.items() if count},
        shipments=fulfilment.shipments + 1,
    )
    return after, tuple(Line(sku, count) for sku, count in wanted.items())


def stop(fulfilment: Fulfilment) -> Fulfilment | None:
    """The record of an order of which nothing is to be shipped any more; `None` where something has been already."""
    if fulfilment.shipments:
        return None
    return fulfilment if fulfilment.stopped else replace(fulfilment, version=fulfilment.version + 1, stopped=True)


def hear(shipment: Shipment, tracking: Tracking, at: str, tracker_id: str) -> Shipment:
    """The shipment after its carrier has said that. News that rank no higher than what was known change nothing."""
    shipment = replace(shipment, tracker_id=tracker_id) if not shipment.tracker_id else shipment
    if RANK[tracking] <= RANK[shipment.tracking]:
        return shipment
    heard = replace(shipment, tracking=tracking, heard_at=at)
    return end(heard, *OUTCOMES[tracking]) if tracking in OUTCOMES else heard


def end(shipment: Shipment, command: Command, reason: FailureReason | None = None) -> Shipment:
    """The shipment at its end, or as it was where the move is not legal: it has come to another one before."""
    status = TRANSITIONS.get((shipment.status, command))
    return shipment if status is None else replace(shipment, status=status, reason=reason)


def counted(fulfilment: Fulfilment, before: Status, after: Status) -> Fulfilment:
    """The order's record after one of its shipments has come to another status."""
    delivered = fulfilment.delivered + (after == "delivered") - (before == "delivered")
    failed = fulfilment.failed + (after == "failed") - (before == "failed")
    return replace(fulfilment, version=fulfilment.version + 1, delivered=delivered, failed=failed)
