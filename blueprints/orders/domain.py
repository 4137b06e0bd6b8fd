"""What an order is, which moves are legal, and what its replies decide. Pure: no clock, no I/O.

The legal moves are one table, and every change of status goes through `transition`. What the other services reply is
one table, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from shared.contracts.event import EventData
from shared.contracts.inventory import StockRejected, StockReserved
from shared.contracts.orders import CancelReason
from shared.contracts.payments import PaymentAuthorized, PaymentDeclined
from shared.contracts.shipping import Progress
from shared.money import MAX_AMOUNT, CurrencyMismatch, Money, total
from shared.patterns import Timestamp

Status = Literal["placed", "awaiting_approval", "confirmed", "partly_shipped", "shipped", "delivered", "cancelled"]
Command = Literal[
    "confirm", "cancel", "review", "approve", "refuse", "withdraw", "ship_part", "ship", "deliver"
]  # fmt: skip
"""`cancel` is of an order whose stock and money nobody has decided yet, `withdraw` is its customer's wish once they are
held: while it waits for a person, or as long as nothing of it is shipped."""

TRANSITIONS: dict[tuple[Status, Command], Status] = {
    ("placed", "confirm"): "confirmed",
    ("placed", "cancel"): "cancelled",
    ("placed", "review"): "awaiting_approval",
    ("awaiting_approval", "approve"): "confirmed",
    ("awaiting_approval", "refuse"): "cancelled",
    ("awaiting_approval", "withdraw"): "cancelled",
    ("confirmed", "withdraw"): "cancelled",
    ("confirmed", "ship_part"): "partly_shipped",
    ("confirmed", "ship"): "shipped",
    ("confirmed", "deliver"): "delivered",  # where the last of several events comes first
    ("partly_shipped", "ship"): "shipped",
    ("partly_shipped", "deliver"): "delivered",
    ("shipped", "deliver"): "delivered",
}

SHIPPING: dict[Progress, Command] = {"partly_shipped": "ship_part", "shipped": "ship", "delivered": "deliver"}
"""What shipping tells of how far an order is → what it commands; one that is not legal has been overtaken."""

CANCELLING: tuple[Command, ...] = ("cancel", "refuse", "withdraw")
UNDECIDED: frozenset[Status] = frozenset({"placed", "awaiting_approval"})
"""Where neither stock nor money is taken, and both may be held."""

Subject = Literal["stock", "payment"]
Said = Literal["reserved", "out_of_stock", "authorized", "payment_declined"]

REPLIES: dict[type[EventData], tuple[Subject, Said]] = {
    StockReserved: ("stock", "reserved"),
    StockRejected: ("stock", "out_of_stock"),
    PaymentAuthorized: ("payment", "authorized"),
    PaymentDeclined: ("payment", "payment_declined"),
}
"""What decides an order: event → (what it is about, what it says)."""

GOOD: dict[Subject, Said] = {"stock": "reserved", "payment": "authorized"}
REFUSALS: dict[Said, CancelReason] = {"out_of_stock": "out_of_stock", "payment_declined": "payment_declined"}

TIMED_OUT: tuple[Command, CancelReason] = ("cancel", "timed_out")
"""What is decided where the replies have not come in time."""

MAX_LINES = 1_000


class IllegalTransition(ValueError):
    """The order's status does not allow the move."""


class ReasonMismatch(ValueError):
    """A cancellation needs one of the known reasons, and nothing else has one."""


class NotForSale(ValueError):
    """Lines name products that nobody can buy; `lines` are their places, counted from 0."""

    why = "not for sale"

    def __init__(self, lines: list[int]) -> None:
        places = ", ".join(map(str, lines[:10])) + (" …" if len(lines) > 10 else "")
        super().__init__(f"{self.why}: the products of the lines {places}, counted from 0")
        self.lines = lines


class UnknownSku(NotForSale):
    """The shop has no such products."""


class Discontinued(NotForSale):
    """The shop sells them no more."""

    why = "sold no more"


class TotalOutOfRange(ValueError):
    """The lines cost more than one payment can carry, nothing at all, or are of several currencies."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """So many pieces of one product, at the price of the moment it was ordered."""

    sku: str
    name: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True)
class Address:
    """Where the goods go. `country` is ISO 3166-1 alpha-2."""

    name: str
    line1: str
    city: str
    postal_code: str
    country: str
    line2: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """When the order came into a status, and why, where there is a reason."""

    status: Status
    at: Timestamp
    reason: CancelReason | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """That a person decides whether an order is confirmed. `rules`: the names of those that marked it when it was
    placed. `until`: when time decides, once it waits; `decided_by`: who did."""

    rules: tuple[str, ...]
    until: Timestamp | None = None
    decided_by: Literal["staff", "time"] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One order. `version` counts its changes from 1; consumers order its events by it."""

    id: str
    customer_id: str
    status: Status
    version: int
    lines: tuple[OrderLine, ...]
    total: Money
    shipping_address: Address
    placed_at: str
    history: tuple[HistoryEntry, ...]
    request_hash: str
    stock_asked: bool = True
    """Whether inventory has been asked for the goods: at once, or after the money."""
    traceparent: str = ""
    """What placed it: whatever comes later without its trace, such as its cancellation, goes on from there."""
    cancel_requested: bool = False
    """Whether shipping has been asked to ship nothing, because a confirmed order is to be cancelled."""
    approval: Approval | None = None
    """For an order that a rule has marked."""

    @property
    def reason(self) -> CancelReason | None:
        """Why the order is cancelled, if it is."""
        return self.history[-1].reason

    def as_placed(self) -> Order:
        """The order as its first answer showed it: a repeated request gets that same answer."""
        approval = None if self.approval is None else Approval(self.approval.rules)
        return replace(
            self, status="placed", version=1, history=self.history[:1], cancel_requested=False, approval=approval
        )


@dataclass(frozen=True, slots=True)
class ProductPrice:
    """What orders knows of a product."""

    name: str
    price: Money
    discontinued: bool = False


def price_lines(wanted: Iterable[tuple[str, int]], products: Mapping[str, ProductPrice]) -> tuple[OrderLine, ...]:
    """Put names and prices to (sku, quantity) pairs, line by line as they were asked for.

    Raises UnknownSku with the place of every line whose SKU is not in `products`, Discontinued with those of every
    line whose product is sold no more.
    """
    lines = tuple(wanted)
    if unknown := [place for place, (sku, _) in enumerate(lines) if sku not in products]:
        raise UnknownSku(unknown)
    if gone := [place for place, (sku, _) in enumerate(lines) if products[sku].discontinued]:
        raise Discontinued(gone)
    return tuple(OrderLine(sku, products[sku].name, quantity, products[sku].price) for sku, quantity in lines)


def order_total(lines: Iterable[OrderLine]) -> Money:
    """The sum of the lines. Raises TotalOutOfRange unless it is 1 to `MAX_AMOUNT` minor units of one currency."""
    try:
        amount = total(line.unit_price * line.quantity for line in lines)
    except CurrencyMismatch as exc:
        raise TotalOutOfRange(f"all lines of an order must be priced in one currency ({exc})") from exc
    if amount.amount < 1:
        raise TotalOutOfRange("the order costs nothing; there is nothing to pay")
    if amount.amount > MAX_AMOUNT:
        raise TotalOutOfRange(
            f"the order's total is more than one payment can carry ({Money(MAX_AMOUNT, amount.currency)})"
        )
    return amount


def place(
    *,
    order_id: str,
    customer_id: str,
    lines: tuple[OrderLine, ...],
    shipping_address: Address,
    at: str,
    request_hash: str,
) -> Order:
    """A new order. Raises TotalOutOfRange."""
    return Order(
        id=order_id,
        customer_id=customer_id,
        status="placed",
        version=1,
        lines=lines,
        total=order_total(lines),
        shipping_address=shipping_address,
        placed_at=at,
        history=(HistoryEntry("placed", at),),
        request_hash=request_hash,
    )


def admitted(order: Order, at: str, *, stock_asked: bool, marked_by: tuple[str, ...] = ()) -> Order:
    """The new order as it was let in: since when it counts, whether its stock is held ahead of its money, and which
    rules want a person to look at it."""
    approval = Approval(marked_by) if marked_by else None
    history = (HistoryEntry("placed", at),)
    return replace(order, placed_at=at, history=history, stock_asked=stock_asked, approval=approval)


def decide(replies: Mapping[Subject, Said]) -> tuple[Command, CancelReason | None] | None:
    """What the replies known so far decide: command and reason; `None` while that is open."""
    for said in replies.values():
        if said in REFUSALS:
            return "cancel", REFUSALS[said]
    return ("confirm", None) if replies == GOOD else None


def transition(order: Order, command: Command, at: str, reason: CancelReason | None = None) -> Order:
    """The order after `command`.

    Raises IllegalTransition with id, from and command, ReasonMismatch with what was given.
    """
    if reason not in (get_args(CancelReason) if command in CANCELLING else (None,)):
        raise ReasonMismatch(f"order {order.id} cannot be asked to {command} for the reason {reason!r}")
    status = TRANSITIONS.get((order.status, command))
    if status is None:
        raise IllegalTransition(f"order {order.id} is {order.status}; it cannot be asked to {command}")
    return replace(
        order, status=status, version=order.version + 1, history=(*order.history, HistoryEntry(status, at, reason))
    )
