"""What a customer may order, and when stock is held for it: limits by lines, open orders and declines, and credit.
Pure: no clock, no I/O. Times are seconds since the epoch.

The record of a customer names the orders that were open when it was last looked at; what became of them the orders
themselves say. So nothing has to be given back when an order ends, and nothing is lost where it does so unnoticed.

Credit is what stock may be held ahead of money for: what the customer has paid so far, less what is held ahead now, and
less what was declined within the last hour. An order beyond it holds its stock after its money.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from blueprints.orders.domain import MAX_LINES, UNDECIDED, Order
from shared.clock import parse_timestamp
from shared.money import Money
from shared.recovery import PASS_SECONDS

Limit = Literal["order-lines", "open-orders", "declined-orders"]

HOUR = 3600.0
"""How long a declined order counts."""
ABANDONED = 60.0
"""Seconds until an order that was let in and is not there is taken for one that was never written."""
LOOKED_AT = 2
"""Most open orders that are looked at when a new one comes, which adds one: so their number goes down."""
REMEMBERED = 50
"""Withdrawn orders whose ids are kept: an event is delivered again within days, and few withdraw so many in them."""
UNSEEN = 4
"""Fewer open orders than that are not looked at where they make no difference."""


class Exceeded(Exception):
    """One of the limits does not let the order in. `wait`: seconds until it may."""

    def __init__(self, limit: Limit, wait: float) -> None:
        super().__init__(f"{limit}: {wait:g} s")
        self.limit = limit
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Limits:
    """So many lines a minute, orders at a time, declined orders an hour; `credit` in minor units is everybody's."""

    lines_per_minute: int
    open_orders: int
    declines_per_hour: int
    credit: int = 0

    def times(self, factor: int) -> Limits:
        """The limits of somebody who orders for so many customers. Credit is nobody else's."""
        return Limits(
            self.lines_per_minute * factor, self.open_orders * factor, self.declines_per_hour * factor, self.credit
        )

    @property
    def seconds_per_line(self) -> float:
        return 60.0 / self.lines_per_minute

    @property
    def burst(self) -> float:
        """Seconds' worth of lines that may come at once: a minute's, and always those of the largest order."""
        return max(MAX_LINES, self.lines_per_minute) * self.seconds_per_line


@dataclass(frozen=True, slots=True)
class Open:
    """An order that was let in. `ahead`: its stock is held ahead of its money.

    `placed_at` tells the order from an earlier one under the same key, which has been counted.
    """

    placed_at: str
    total: Money
    ahead: bool


@dataclass(frozen=True, slots=True)
class Decline:
    """An order whose payment was declined."""

    at: float
    total: Money


@dataclass(frozen=True, slots=True)
class Customer:
    """What is known of a customer. `lines_until`: when the lines ordered so far are worked off at the rate allowed;
    `paid`: minor units by currency, `withdrawn`: the last orders of which it was taken off again. `methods`: how they
    paid, as fingerprints, and since when, where a rule of approval asks for it."""

    customer_id: str
    lines_until: float = 0.0
    open: dict[str, Open] = field(default_factory=dict)
    declines: tuple[Decline, ...] = ()
    paid: dict[str, int] = field(default_factory=dict)
    withdrawn: tuple[str, ...] = ()
    methods: dict[str, float] = field(default_factory=dict)


def check(customer: Customer, lines: int, now: float, limits: Limits) -> None:
    """Raises Exceeded unless an order of so many lines may come now."""
    recent = sorted(decline.at for decline in _recent(customer, now))
    if len(recent) >= limits.declines_per_hour:
        raise Exceeded("declined-orders", recent[-limits.declines_per_hour] + HOUR - now)
    if len(customer.open) >= limits.open_orders:
        raise Exceeded("open-orders", PASS_SECONDS)
    wait = _after(customer, lines, now, limits) - limits.burst - now
    if wait > 0:
        raise Exceeded("order-lines", wait)


def admit(customer: Customer, order: Order, now: float, limits: Limits) -> Customer:
    """The customer with the order let in. One that was let in before is as it was. Raises Exceeded."""
    if order.id in customer.open:
        return customer
    lines = len(order.lines)
    check(customer, lines, now, limits)
    ahead = order.total.amount <= credit(customer, order.total.currency, now, limits)
    return replace(
        customer,
        lines_until=_after(customer, lines, now, limits),
        open={**customer.open, order.id: Open(order.placed_at, order.total, ahead)},
        declines=_recent(customer, now),
    )


def credit(customer: Customer, currency: str, now: float, limits: Limits) -> int:
    """Minor units that stock may still be held ahead of money for. It may be below zero."""
    ahead = [entry.total for entry in customer.open.values() if entry.ahead]
    declined = [decline.total for decline in _recent(customer, now)]
    used = sum(total.amount for total in (*ahead, *declined) if total.currency == currency)
    return limits.credit + customer.paid.get(currency, 0) - used


def oldest(customer: Customer, limits: Limits) -> list[str]:
    """The ids of the open orders to look at: a few, and all of them where there are too many."""
    by_age = sorted(customer.open, key=lambda order_id: customer.open[order_id].placed_at)
    return by_age if len(by_age) >= limits.open_orders else by_age[:LOOKED_AT]


def after(customer: Customer, looked_at: list[str], orders: Mapping[str, Order], now: float) -> Customer:
    """The customer after what became of the orders `looked_at`; those that exist are in `orders`, by id."""
    left, declines, paid = dict(customer.open), list(customer.declines), dict(customer.paid)
    for order_id in looked_at:
        order = orders.get(order_id)
        if order is None:
            if now - _moment(left[order_id].placed_at) > ABANDONED:
                del left[order_id]
        elif order.placed_at != left[order_id].placed_at:
            del left[order_id]
        elif order.status not in UNDECIDED:
            del left[order_id]
            if order.status != "cancelled":
                paid[order.total.currency] = paid.get(order.total.currency, 0) + order.total.amount
            elif order.reason == "payment_declined":
                declines.append(Decline(_moment(order.history[-1].at), order.total))
    return replace(customer, open=left, declines=tuple(declines), paid=paid)


def withdrawn(customer: Customer, order: Order) -> Customer:
    """The customer after a confirmed order was cancelled: what was paid for it and counted is credit no more."""
    if order.id in customer.open or order.id in customer.withdrawn:
        return customer
    currency = order.total.currency
    paid = {**customer.paid, currency: max(0, customer.paid.get(currency, 0) - order.total.amount)}
    return replace(customer, paid=paid, withdrawn=(*customer.withdrawn, order.id)[-REMEMBERED:])


def _after(customer: Customer, lines: int, now: float, limits: Limits) -> float:
    return max(customer.lines_until, now) + lines * limits.seconds_per_line


def _moment(text: str) -> float:
    return parse_timestamp(text).timestamp()


def _recent(customer: Customer, now: float) -> tuple[Decline, ...]:
    return tuple(decline for decline in customer.declines if decline.at > now - HOUR)
