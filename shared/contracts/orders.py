"""What orders tells: an order was placed, confirmed or cancelled. Subject of each: the order's id.

No address and no name travels: inventory and payments have no use for them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.contracts.event import EventData, event_type
from shared.money import Money

CancelReason = Literal["out_of_stock", "payment_declined", "timed_out", "customer_request"]


class Line(msgspec.Struct, frozen=True):
    """So many pieces of one product."""

    sku: str
    quantity: int


@event_type("order.placed.v1")
class OrderPlaced(EventData, frozen=True, kw_only=True):
    """Reserve these lines; authorise this amount on this payment method."""

    order_id: str
    customer_id: str
    lines: list[Line]
    total: Money
    payment_method: str
    """The provider's reference to a stored payment method (`pm_…`); never card data."""
    money_first: bool = False
    """Reserve nothing yet: `order.authorized` asks for it."""


@event_type("order.authorized.v1")
class OrderAuthorized(EventData, frozen=True, kw_only=True):
    """The money of an order that was placed `money_first` is authorised: reserve these lines."""

    order_id: str
    lines: list[Line]


@event_type("order.confirmed.v1")
class OrderConfirmed(EventData, frozen=True, kw_only=True):
    """Stock is reserved and the money authorised: take both."""

    order_id: str
    total: Money


@event_type("order.cancelled.v1")
class OrderCancelled(EventData, frozen=True, kw_only=True):
    """Give back whatever is held for this order, now or later."""

    order_id: str
    reason: CancelReason
