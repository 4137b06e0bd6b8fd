"""What a return is, who may ask for one, and what is paid back. Pure: no clock, no I/O.

A return has its own statuses beside its order's. What is paid back is what came back, piece by piece at the price it
was bought for, whether it goes back on the shelf or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from blueprints.orders.domain import Order
from shared.clock import parse_timestamp
from shared.contracts.orders import Line, ReturnRefusal
from shared.money import Money, total
from shared.patterns import Timestamp

Status = Literal["requested", "approved", "refused", "expired", "received", "refunded"]
Command = Literal["approve", "refuse", "expire", "receive", "refund"]
Reason = Literal["damaged", "wrong_item", "not_as_described", "unwanted", "other"]
DecidedBy = Literal["rule", "staff", "time"]

TRANSITIONS: dict[tuple[Status, Command], Status] = {
    ("requested", "approve"): "approved",
    ("requested", "refuse"): "refused",
    ("approved", "receive"): "received",
    ("approved", "expire"): "expired",
    ("received", "refund"): "refunded",
}
CLOSED: frozenset[Status] = frozenset({"refused", "expired"})
"""Where nothing comes back: the pieces may be asked for again."""

WINDOW = timedelta(days=30)
"""How long after its delivery an order can be returned."""
MAX_RETURNS = 50
"""Of one order: their documents are read together."""


class NotReturnable(ValueError):
    """The order, or that many of its pieces, cannot be returned. `code` is public."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class IllegalTransition(ValueError):
    """The return's status does not allow the move."""


class Miscounted(ValueError):
    """More came back of something than was to come, or something that was not."""


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """So many pieces of one product that are to come back, at what each was bought for, and what has come."""

    sku: str
    quantity: int
    unit_price: Money
    restocked: int = 0
    written_off: int = 0

    @property
    def came_back(self) -> int:
        return self.restocked + self.written_off


@dataclass(frozen=True, slots=True)
class ReturnEntry:
    """When the return came into a status."""

    status: Status
    at: Timestamp


@dataclass(frozen=True, slots=True)
class Return:
    """Some of an order on its way back. `refunded`: what was paid back; `overdue`: people were told that it waits."""

    id: str
    order_id: str
    customer_id: str
    status: Status
    lines: tuple[ReturnLine, ...]
    reason: Reason
    history: tuple[ReturnEntry, ...]
    request_hash: str
    decided_by: DecidedBy | None = None
    refusal: ReturnRefusal | None = None
    refunded: Money | None = None
    overdue: frozenset[Status] = frozenset()

    @property
    def value(self) -> Money:
        """What was paid for all that is to come back."""
        return total(line.unit_price * line.quantity for line in self.lines)

    @property
    def due(self) -> Money:
        """What is paid back for what has come."""
        return total(line.unit_price * line.came_back for line in self.lines)


def request(
    order: Order,
    before: Iterable[Return],
    wanted: Mapping[str, int],
    *,
    return_id: str,
    reason: Reason,
    at: str,
    request_hash: str,
) -> Return:
    """A new return of these pieces, by SKU. Raises NotReturnable."""
    delivered = next((entry.at for entry in order.history if entry.status == "delivered"), None)
    if delivered is None:
        raise NotReturnable("order-not-delivered", "an order can be returned once it is delivered")
    if parse_timestamp(at) > parse_timestamp(delivered) + WINDOW:
        raise NotReturnable("return-too-late", f"an order can be returned within {WINDOW.days} days of its delivery")
    earlier = list(before)
    if len(earlier) >= MAX_RETURNS:
        raise NotReturnable("too-many-returns", f"an order has at most {MAX_RETURNS} returns")
    left = returnable(order, earlier)
    if more := sum(count > left[sku] for sku, count in wanted.items()):
        raise NotReturnable(
            "nothing-left-to-return", f"of {more} of the products less was delivered, or is left, than that"
        )
    prices = {line.sku: line.unit_price for line in order.lines}
    lines = tuple(ReturnLine(sku, count, prices[sku]) for sku, count in wanted.items())
    return Return(
        return_id,
        order.id,
        order.customer_id,
        "requested",
        lines,
        reason,
        (ReturnEntry("requested", at),),
        request_hash,
    )


def returnable(order: Order, returns: Iterable[Return]) -> Counter[str]:
    """Pieces by SKU that are not on their way back, and have not come. What did not come of a return is left."""
    left = Counter[str]()
    for line in order.lines:
        left[line.sku] += line.quantity
    for earlier in returns:
        if earlier.status in CLOSED:
            continue
        for returned in earlier.lines:
            done = earlier.status in ("received", "refunded")
            left[returned.sku] -= returned.came_back if done else returned.quantity
    return left


def approves_itself(case: Return, limit: int) -> bool:
    """Whether nobody has to look at it: it is worth no more than `limit` minor units."""
    return case.value.amount <= limit


def transition(case: Return, command: Command, at: str) -> Return:
    """The return after `command`. Raises IllegalTransition with id, from and command."""
    status = TRANSITIONS.get((case.status, command))
    if status is None:
        raise IllegalTransition(f"the return {case.id} is {case.status}; it cannot be asked to {command}")
    return replace(case, status=status, history=(*case.history, ReturnEntry(status, at)))


def receive(case: Return, counted: Mapping[str, tuple[int, int]], at: str) -> Return:
    """The return after what came back was counted: pieces for the shelf and written off, by SKU.

    Raises IllegalTransition, or Miscounted.
    """
    known = {line.sku: line.quantity for line in case.lines}
    if wrong := sum(sum(pieces) > known.get(sku, 0) for sku, pieces in counted.items()):
        raise Miscounted(f"of {wrong} of the products less was to come back than that")
    if not any(sum(pieces) for pieces in counted.values()):
        raise Miscounted("nothing has come back")
    lines = tuple(
        replace(line, restocked=counted[line.sku][0], written_off=counted[line.sku][1]) if line.sku in counted else line
        for line in case.lines
    )
    return replace(transition(case, "receive", at), lines=lines)


def restocked(case: Return) -> list[Line]:
    """What goes back on the shelf."""
    return [Line(line.sku, line.restocked) for line in case.lines if line.restocked]
