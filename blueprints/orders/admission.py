"""Whether an order is let in: the customer's record is read, the limits are applied, and the order is noted there.

One conditional write for each order, before the order itself is written. Orders of one customer take turns within a
process; between processes the record's ETag decides, and whoever loses looks again. That write also tells whether the
record is still as this process left it, so one that it wrote lately is not read again. Nobody is refused by such a
one: a refusal writes nothing, so it is decided on what was just read.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from blueprints.orders import approval, customer, domain, store
from blueprints.orders.approval import Rule
from blueprints.orders.customer import Customer, Exceeded, Limits
from blueprints.orders.declaration import (
    APPROVAL_RULES,
    ORDER_CREDIT,
    ORDER_DECLINES_PER_HOUR,
    ORDER_LINES_PER_MINUTE,
    ORDER_MOST_OPEN,
    ORDER_PARTNER_FACTOR,
)
from blueprints.orders.domain import Order
from shared.backoff import pauses
from shared.clock import utc_now
from shared.errors import Contention, LimitReached
from shared.persistence.cosmos import AlreadyExists, ConditionFailed, ItemNotFound
from shared.settings import settings
from shared.turns import Turns
from shared.web.auth import Principal

BUDGET = 10.0
"""Seconds for which whoever loses goes on trying; orders of one customer that come at the same moment are few."""
FIRST_PAUSE, MAX_PAUSE = 0.02, 0.3
"""Seconds that whoever lost waits at most before looking again; the bound doubles each time."""
REMEMBERED = 2_000
"""Customers whose record is kept in memory: about 4 MB."""
SAID = {
    "order-lines": "you have ordered very many lines within a short time",
    "open-orders": "too many of your orders are still being worked on",
    "declined-orders": "the payment of too many of your orders was declined",
}

_turns = Turns()
_remembered: dict[str, tuple[Customer, str]] = {}
"""Customer → record and ETag as this process wrote them last, the latest customers at the end."""


class Admission:
    """One customer at the door. Made by `at_the_door`."""

    def __init__(self, customer_id: str, limits: Limits, rules: tuple[Rule, ...] = ()) -> None:
        self._id, self._limits, self._rules = customer_id, limits, rules
        self._customer, self._etag = Customer(customer_id), ""
        self._as_read = self._customer
        self._fresh = False

    async def check(self, order_id: str, lines: int) -> None:
        """Raises LimitReached where the order, of so many lines, cannot come now; one that was let in before can."""
        await self._recall(order_id)
        if order_id in self._customer.open:
            return
        try:
            customer.check(self._customer, lines, _now(), self._limits)
        except Exceeded:
            await self._look()
            if order_id in self._customer.open:
                return
            try:
                customer.check(self._customer, lines, _now(), self._limits)
            except Exceeded as exc:
                raise await self._refused(exc) from exc

    async def admit(self, order: Order, payment_method: str) -> Order:
        """Let the order in; the order as it is to be written, with the rules that mark it.

        Raises LimitReached, Contention.
        """
        deadline, rests = time.monotonic() + BUDGET, pauses(FIRST_PAUSE, MAX_PAUSE)
        while True:
            try:
                admitted = self._admitted(order, payment_method)
                if not admitted.open[order.id].ahead or len(self._customer.open) >= customer.UNSEEN:
                    await self._look()
                    admitted = self._admitted(order, payment_method)
            except Exceeded as exc:
                raise await self._refused(exc) from exc
            try:
                if admitted != self._customer:
                    await self._keep(admitted)
            except (ConditionFailed, AlreadyExists, ItemNotFound) as exc:
                if time.monotonic() > deadline:
                    raise Contention("too many of your orders come at the same moment", retry_after=1) from exc
                await asyncio.sleep(next(rests))
                await self.check(order.id, len(order.lines))
                continue
            entry = admitted.open[order.id]
            marked_by = approval.marked_by(self._rules, order, admitted.methods, _now())
            return domain.admitted(order, entry.placed_at, stock_asked=entry.ahead, marked_by=marked_by)

    def _admitted(self, order: Order, payment_method: str) -> Customer:
        """The customer with the order let in, as `customer.admit`, and with how it is paid where a rule asks that."""
        admitted = customer.admit(self._customer, order, _now(), self._limits)
        if admitted is self._customer or not approval.looks_at_methods(self._rules):
            return admitted
        return replace(admitted, methods=approval.with_method(admitted.methods, payment_method, _now()))

    async def _refused(self, exceeded: Exceeded) -> LimitReached:
        """The refusal. What was seen before it is written down, so that the next one need not look."""
        if self._customer != self._as_read:
            with suppress(ConditionFailed, ItemNotFound):
                await self._keep(self._customer)
        return LimitReached(
            SAID[exceeded.limit], code=f"too-many-{exceeded.limit}", retry_after=math.ceil(exceeded.wait)
        )

    async def _recall(self, order_id: str) -> None:
        """The record as this process left it; read where it did not, or where it knows the order already."""
        known = _remembered.get(self._id)
        if known is None or order_id in known[0].open:
            await self._read()
        else:
            self._customer, self._etag = known
            self._as_read = self._customer

    async def _read(self) -> None:
        self._customer, self._etag = await store.get_customer(self._id)
        self._as_read, self._fresh = self._customer, True

    async def _keep(self, customer: Customer) -> None:
        """Write the record. Raises ConditionFailed, AlreadyExists, ItemNotFound."""
        _remembered.pop(self._id, None)
        self._etag = await store.keep_customer(customer, self._etag)
        _remember(self._id, customer, self._etag)

    async def _look(self) -> None:
        """See what became of the customer's open orders."""
        if not self._fresh:
            await self._read()
        if looked_at := customer.oldest(self._customer, self._limits):
            orders = await store.get_many(looked_at)
            self._customer = customer.after(self._customer, looked_at, orders, _now())


def _remember(customer_id: str, record: Customer, etag: str) -> None:
    _remembered[customer_id] = record, etag
    while len(_remembered) > REMEMBERED:
        del _remembered[next(iter(_remembered))]


async def withdrawn(order: Order) -> None:
    """What was paid for the order is given back: note it in the customer's record, once. Raises ConditionFailed."""
    found, etag = await store.get_customer(order.customer_id)
    left = customer.withdrawn(found, order)
    if left != found:
        await store.keep_customer(left, etag)


@asynccontextmanager
async def at_the_door(caller: Principal) -> AsyncIterator[Admission]:
    """The admission of one order, while no other of that customer is being admitted in this process.

    A partner orders for its own customers: how many ways of paying they have says nothing of any of them.
    """
    read = settings()
    rules = approval.read_rules(read.text(APPROVAL_RULES))
    limits = Limits(
        lines_per_minute=read.count(ORDER_LINES_PER_MINUTE),
        open_orders=read.count(ORDER_MOST_OPEN),
        declines_per_hour=read.count(ORDER_DECLINES_PER_HOUR),
        credit=read.count(ORDER_CREDIT, least=0),
    )
    if "partner" in caller.roles:
        limits = limits.times(read.count(ORDER_PARTNER_FACTOR))
        rules = tuple(rule for rule in rules if not approval.looks_at_methods((rule,)))
    async with _turns.of(caller.subject):
        yield Admission(caller.subject, limits, rules)


def _now() -> float:
    return utc_now().timestamp()
