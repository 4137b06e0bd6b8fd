"""What is sent to orders and what it shows, as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from blueprints.orders import domain
from blueprints.orders.domain import MAX_LINES, Address, Order
from shared.money import Money
from shared.patterns import ORDER_ID, Moment, Timestamp, whole
from shared.web.address import AddressIn
from shared.web.body import Quantity, Sku, Why


class ItemIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many pieces of one product."""

    sku: Sku
    quantity: Quantity


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Buy these items, or what is in this cart."""

    shipping_address: AddressIn | None = None
    address_id: Annotated[str, msgspec.Meta(pattern=whole("adr_[a-z2-7]{26}"))] | None = None
    """One of the saved addresses; the gateway then adds the `shipping_address` that is kept under it."""
    payment_method: Annotated[
        str,
        msgspec.Meta(
            pattern=whole("pm_[A-Za-z0-9_]{1,64}"), description="The provider's reference; never a card number"
        ),
    ]
    items: Annotated[list[ItemIn], msgspec.Meta(min_length=1, max_length=MAX_LINES)] | None = None
    cart_id: Annotated[str, msgspec.Meta(pattern=whole("crt_[a-z2-7]{26}"))] | None = None
    cart_version: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """The version the shopper saw; the order waits for it, and is refused if the cart has moved on."""
    expected_total: Money | None = None
    """The total that the shopper saw; an order of a cart must name it. Any other total is a 409 that tells it."""


class OrderView(msgspec.Struct, frozen=True):
    """An order as the API shows it."""

    id: str
    status: domain.Status
    items: tuple[domain.OrderLine, ...]
    total: Money
    shipping_address: Address
    placed_at: Timestamp
    history: tuple[domain.HistoryEntry, ...]
    cancel_requested: bool = False
    """A confirmed order is about to be cancelled, unless something of it has just been shipped."""
    approval: domain.Approval | None = None
    """For staff alone: why a person is to decide the order, until when, and who did. The rules are nobody else's."""


class DecideOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether an order that waits is confirmed, and why."""

    decision: Literal["approve", "refuse"]
    why: Why


class WaitingOrder(msgspec.Struct, frozen=True):
    """An order that waits for a person: the rules that marked it, and until when it waits."""

    id: str
    customer_id: str
    total: Money
    country: str
    placed_at: Timestamp
    rules: tuple[str, ...]
    until: Timestamp


class FindOrders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of the orders that are looked for: all of it holds for each that is found."""

    order_id: Annotated[str, msgspec.Meta(pattern=whole(ORDER_ID.pattern))] | None = None
    customer_id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None
    """The account's id, which `POST /accounts/search` finds by an e-mail address."""
    status: domain.Status | None = None
    sku: Sku | None = None
    placed_from: Moment | None = None
    placed_before: Moment | None = None
    """Placed earlier than that; an order of that very moment is not found."""


class FoundOrder(msgspec.Struct, frozen=True):
    """An order that was found, and whose it is."""

    id: str
    customer_id: str
    status: domain.Status
    total: Money
    placed_at: Timestamp


class OrderSummary(msgspec.Struct, frozen=True):
    """An order in a list."""

    id: str
    status: domain.Status
    total: Money
    placed_at: Timestamp


class TimelineEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened to an order, and which service said so.

    Staff see of what staff did the operation and the reason that was given.
    """

    at: Timestamp
    event: str
    source: str
    act: str = ""
    why: str = ""


def view(order: Order, *, to_staff: bool = False) -> OrderView:
    return OrderView(
        order.id,
        order.status,
        order.lines,
        order.total,
        order.shipping_address,
        order.placed_at,
        order.history,
        order.cancel_requested,
        order.approval if to_staff else None,
    )
