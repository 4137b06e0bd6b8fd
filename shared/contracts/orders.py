"""What orders tells: what became of an order. Subject of each: the order's id.

No address and no name travels: inventory and payments have no use for them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.contracts.event import EventData, event_type
from shared.money import Money

CancelReason = Literal["out_of_stock", "payment_declined", "timed_out", "customer_request", "not_approved"]

ReturnRefusal = Literal["not_eligible", "timed_out"]
"""Why a return is refused: a person said no, or nobody said anything in time."""


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


@event_type("order.approval_requested.v1")
class OrderApprovalRequested(EventData, frozen=True, kw_only=True):
    """A person decides: go on holding what is held for the order, `until` then at least."""

    order_id: str
    until: str


@event_type("order.confirmed.v1")
class OrderConfirmed(EventData, frozen=True, kw_only=True):
    """Stock is reserved and the money authorised: take both, and ship these lines to that customer.

    Releases before shipping told neither customer nor lines.
    """

    order_id: str
    total: Money
    customer_id: str = ""
    lines: list[Line] = msgspec.field(default_factory=list)
    approved: bool = False
    """A person has let it through."""


@event_type("order.cancellation_requested.v1")
class OrderCancellationRequested(EventData, frozen=True, kw_only=True):
    """A confirmed order is to be cancelled, unless any of it has been shipped: ship nothing from now on, or say so."""

    order_id: str


@event_type("order.cancelled.v1")
class OrderCancelled(EventData, frozen=True, kw_only=True):
    """Give back whatever is held for this order, now or later. `customer_id` as in `order.confirmed`."""

    order_id: str
    reason: CancelReason
    customer_id: str = ""


@event_type("return.requested.v1")
class ReturnRequested(EventData, frozen=True, kw_only=True):
    """The customer wants to send back something worth `value`."""

    order_id: str
    return_id: str
    value: Money


@event_type("return.approved.v1")
class ReturnApproved(EventData, frozen=True, kw_only=True):
    """It may be sent back."""

    order_id: str
    return_id: str


@event_type("return.refused.v1")
class ReturnRefused(EventData, frozen=True, kw_only=True):
    """It may not be sent back."""

    order_id: str
    return_id: str
    reason: ReturnRefusal


@event_type("return.overdue.v1")
class ReturnOverdue(EventData, frozen=True, kw_only=True):
    """A person, or the payment provider, has kept a return waiting for too long. Told once of each status."""

    order_id: str
    return_id: str
    status: Literal["requested", "received"]


@event_type("return.expired.v1")
class ReturnExpired(EventData, frozen=True, kw_only=True):
    """It was approved, and nothing has come back in time."""

    order_id: str
    return_id: str


@event_type("return.received.v1")
class ReturnReceived(EventData, frozen=True, kw_only=True):
    """Something has come back: pay `amount`, and put these pieces back on the shelf."""

    order_id: str
    return_id: str
    amount: Money
    restocked: list[Line]


@event_type("return.refunded.v1")
class ReturnRefunded(EventData, frozen=True, kw_only=True):
    """What came back has been paid back."""

    order_id: str
    return_id: str
    amount: Money
