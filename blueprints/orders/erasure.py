"""What orders does when a customer wants to be forgotten: the addresses go, what the law asks for stays.

An order is in its customer's record from before it is written until it has ended, and in the customer's list from soon
after; so the two together have every one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

from blueprints.orders import store
from blueprints.orders.declaration import SERVICE
from blueprints.orders.domain import UNDECIDED, Order, Status
from shared.clock import parse_timestamp, utc_now
from shared.contracts.accounts import ErasureRequested, ErasureStarted
from shared.contracts.event import Event
from shared.contracts.personal_data import ErasureRefused
from shared.personal_data import answer
from shared.telemetry.log import Log

ERASED = "(erased)"
"""What stands in place of what was erased."""
OPEN: frozenset[Status] = UNDECIDED | {"confirmed", "partly_shipped", "shipped"}
"""Statuses of an order that still needs to know where it goes."""
MAX_OPEN = timedelta(days=60)
"""After which an order that was never delivered keeps nobody from being forgotten: parcels are followed for 45 days."""

log = Log("orders")


async def object_to(event: Event, requested: ErasureRequested) -> None:
    """Refuse what is asked for while an order is open, and say which are."""
    if open_orders := [order.id async for order in _orders(requested.account_id) if _is_open(order)]:
        told = ErasureRefused(
            erasure_id=requested.erasure_id, account_id=requested.account_id, orders=sorted(open_orders)
        )
        await store.tell_of_erasure(requested.erasure_id, told)


async def erase(event: Event, started: ErasureStarted) -> None:
    """Redact the addresses of the customer's orders, and answer: not before every order has ended.

    Accounts asks again where there is no answer.
    """
    still_open = 0
    async for order in _orders(started.account_id):
        if _is_open(order):
            still_open += 1
        elif order.shipping_address.name != ERASED:
            await store.redact(redacted(order))
    if still_open:
        log.warning("erasure.orders_open", erasure_id=started.erasure_id, count=still_open)
        return
    known, etag = await store.get_customer(started.account_id)
    if known.methods:
        await store.keep_customer(replace(known, methods={}), etag)
    await answer(SERVICE, store.ORDERS, started)


def _is_open(order: Order) -> bool:
    return order.status in OPEN and utc_now() - parse_timestamp(order.placed_at) < MAX_OPEN


async def _orders(customer_id: str) -> AsyncIterator[Order]:
    """Every order of the customer; one that was let in and is never written is none."""
    known, _ = await store.get_customer(customer_id)
    listed = [order_id async for order_id in store.ids_of(customer_id)]
    for order_id in dict.fromkeys((*listed, *known.open)):
        if (order := await store.get(order_id)) is not None:
            yield order


def redacted(order: Order) -> Order:
    """The order without who it went to and where; the country stays, because taxes are counted by it.

    The fingerprint of the request goes, too: whoever can guess an address could prove it by that.
    """
    address = replace(order.shipping_address, name=ERASED, line1=ERASED, line2=None, city=ERASED, postal_code=ERASED)
    return replace(order, shipping_address=address, request_hash="")
