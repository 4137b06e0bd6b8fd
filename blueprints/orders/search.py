"""How staff find orders: by the lists that the change feed keeps of all customers, and by the orders themselves.

A list's entry is written once, so it says what never changes: whose the order is, when it was placed, which products it
is of. What became of it is read from the order; so a page reads so many orders at most, and the next goes on there.
"""

from __future__ import annotations

from blueprints.orders import store
from blueprints.orders.domain import Order
from blueprints.orders.shapes import FindOrders, FoundOrder
from shared.clock import parse_timestamp, timestamp
from shared.errors import InvalidRequest
from shared.telemetry.log import Log
from shared.web.auth import Principal
from shared.web.body import fingerprint
from shared.web.paging import MAX_LIMIT, Page, decode_cursor, encode_cursor

MOST_READ = 300
"""Orders that a page reads at most, looking for a status: about as many request units."""

log = Log("orders")


async def find(caller: Principal, wanted: FindOrders, cursor: str | None, limit: int) -> Page[FoundOrder]:
    """The orders of which all of `wanted` holds, newest first; a page of a status may have fewer than `limit`.

    Raises InvalidRequest for a cursor of another search, and for a day that no month has.
    """
    scope = fingerprint(wanted)
    position = decode_cursor(cursor, scope)
    since, until = _moment(wanted.placed_from, "placed_from"), _moment(wanted.placed_before, "placed_before")
    if wanted.order_id is not None:
        order = await store.get(wanted.order_id)
        found = [order] if order is not None and _fits(order, wanted, since, until) else []
        following = None
    else:
        before = position or until or store.AFTER_ALL
        found, following = await _walk(wanted, before, since, limit)
    log.info("orders.found", subject=caller.subject, count=len(found))
    return Page(
        items=[FoundOrder(each.id, each.customer_id, each.status, each.total, each.placed_at) for each in found],
        next_cursor=None if following is None else encode_cursor(following, scope),
    )


async def _walk(wanted: FindOrders, before: str, since: str | None, limit: int) -> tuple[list[Order], str | None]:
    """Those that fit among the next orders, and the sort key of the last that was looked at where there are more.

    Each look is twice as wide as the one before: most searches are done with the first.
    """
    found: list[Order] = []
    read, width = 0, limit
    while True:
        width = min(width, MAX_LIMIT, MOST_READ - read)
        keys = await store.listed(width + 1, before, since=since, customer_id=wanted.customer_id, sku=wanted.sku)
        looked_at = list(keys.items())[:width]
        orders = await store.get_many(order_id for order_id, _ in looked_at)
        for place, (order_id, before) in enumerate(looked_at, start=1):
            order = orders.get(order_id)
            if order is not None and wanted.status in (None, order.status):
                found.append(order)
                if len(found) == limit:
                    return found, before if place < len(keys) else None
        read += len(looked_at)
        if len(keys) <= width:
            return found, None
        if read >= MOST_READ:
            return found, before
        width *= 2


def _fits(order: Order, wanted: FindOrders, since: str | None, until: str | None) -> bool:
    return (
        wanted.customer_id in (None, order.customer_id)
        and wanted.status in (None, order.status)
        and (wanted.sku is None or any(line.sku == wanted.sku for line in order.lines))
        and (since is None or since <= order.placed_at)
        and (until is None or order.placed_at < until)
    )


def _moment(text: str | None, name: str) -> str | None:
    """The time as orders have it. Raises InvalidRequest."""
    if text is None:
        return None
    try:
        return timestamp(parse_timestamp(text))
    except (ValueError, OverflowError) as exc:
        raise InvalidRequest(f"there is no such time - at `$.{name}`") from exc
