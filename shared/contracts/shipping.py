"""What shipping tells of an order's shipments. Subject of each: the order's id.

Neither addresses nor tracking numbers travel. `version` counts what happened to the order's shipments, so events of
different shipments of one order are in order, too.
"""

from __future__ import annotations

from typing import Literal

from shared.contracts.event import EventData, event_type
from shared.contracts.orders import Line

Progress = Literal["partly_shipped", "shipped", "delivered"]
"""How far the order is: something of it has been shipped; all of it; and every shipment has come to an end, at least
one of them at the customer's."""
FailureReason = Literal["returned_to_sender", "undeliverable", "cancelled_by_carrier", "not_heard_of"]


@event_type("shipment.shipped.v1")
class ShipmentShipped(EventData, frozen=True, kw_only=True):
    """These pieces were given to a carrier."""

    order_id: str
    shipment_id: str
    lines: list[Line]
    progress: Progress


@event_type("shipment.delivered.v1")
class ShipmentDelivered(EventData, frozen=True, kw_only=True):
    """The carrier says that it has delivered the shipment."""

    order_id: str
    shipment_id: str
    progress: Progress


@event_type("shipment.delayed.v1")
class ShipmentDelayed(EventData, frozen=True, kw_only=True):
    """The carrier has said nothing new of the shipment for too long. Told once of each shipment."""

    order_id: str
    shipment_id: str


@event_type("shipment.failed.v1")
class ShipmentFailed(EventData, frozen=True, kw_only=True):
    """The shipment will not be delivered, as far as anybody knows. It may be delivered all the same."""

    order_id: str
    shipment_id: str
    reason: FailureReason
    progress: Progress


@event_type("shipment.stopped.v1")
class ShipmentStopped(EventData, frozen=True, kw_only=True):
    """Nothing of the order has been shipped, and nothing will be."""

    order_id: str
