"""Inventory in Cosmos DB.

`stock` by /sku              {on_hand, reserved, holds: {order id: pieces}}; moved by conditional patch alone
`reservations` by /order_id  what each order holds, with the outbox beside it

`holds` makes every move repeatable: a hold is taken only where the order has none, and given back or used up
only where it has one. `reserved` is the sum of `holds`, kept so that a condition can use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from blueprints.inventory.domain import Reservation, Status, Stock
from shared.contracts.event import EventData
from shared.contracts.orders import Line
from shared.persistence.cosmos import AlreadyExists, Changed, Container, Document, Missing, create, patch
from shared.persistence.documents import document_of, read_as
from shared.persistence.outbox import tell

STOCK = Container("inventory", "stock", "sku")
RESERVATIONS = Container("inventory", "reservations", "order_id")


def stock_of(document: Mapping[str, Any]) -> Stock:
    """The stock an item holds. Raises Unreadable."""
    return read_as(STOCK, document, Stock)


async def get_stock(sku: str) -> Document | None:
    return await STOCK.read(sku, sku)


async def set_on_hand(sku: str, on_hand: int, etag: str | None) -> tuple[Document, bool]:
    """Set the count; the flag says that the SKU is new.

    Raises Changed where more is reserved than that, or `etag` is no longer the item's, and Missing for an
    `etag` without an item.
    """
    while True:
        try:
            changes = [{"op": "set", "path": "/on_hand", "value": on_hand}]
            return await STOCK.patch(sku, sku, changes, f"from c where c.reserved <= {on_hand}", etag), False
        except Missing:
            if etag is not None:
                raise
        try:
            return await STOCK.create(document_of(Stock(sku, on_hand, 0), id=sku, holds={})), True
        except AlreadyExists:
            continue


async def hold(order_id: str, line: Line) -> bool:
    """Hold the line's pieces for the order. True also where it holds them already; False: not enough."""
    changes = [
        {"op": "incr", "path": "/reserved", "value": line.quantity},
        {"op": "add", "path": f"/holds/{order_id}", "value": line.quantity},
    ]
    enough = f'from c where c.on_hand - c.reserved >= {line.quantity} and not is_defined(c.holds["{order_id}"])'
    while True:
        try:
            await STOCK.patch(line.sku, line.sku, changes, enough)
            return True
        except Missing:
            return False
        except Changed:
            document = await get_stock(line.sku)
        if document is None:
            return False
        if order_id in document["holds"]:
            return True
        if stock_of(document).available < line.quantity:
            return False


async def release(order_id: str, line: Line) -> None:
    """Give the order's hold on the line back, if it has one."""
    await _end_hold(order_id, line, [])


async def commit(order_id: str, line: Line) -> None:
    """The held pieces leave the shelf, if they have not already."""
    await _end_hold(order_id, line, [{"op": "incr", "path": "/on_hand", "value": -line.quantity}])


async def _end_hold(order_id: str, line: Line, also: list[dict[str, Any]]) -> None:
    changes: list[dict[str, Any]] = [
        {"op": "incr", "path": "/reserved", "value": -line.quantity},
        {"op": "remove", "path": f"/holds/{order_id}"},
        *also,
    ]
    try:
        await STOCK.patch(line.sku, line.sku, changes, f'from c where is_defined(c.holds["{order_id}"])')
    except (Changed, Missing):
        return


async def get_reservation(order_id: str) -> Reservation | None:
    document = await RESERVATIONS.read(order_id, order_id)
    return None if document is None else read_as(RESERVATIONS, document, Reservation)


async def add_reservation(reservation: Reservation, told: EventData | None) -> None:
    """Write a new reservation, and the event that tells of it, if anyone is to hear. Raises AlreadyExists."""
    order_id = reservation.order_id
    document = document_of(reservation, id=order_id, kind="reservation")
    outbox = [] if told is None else [tell(RESERVATIONS, order_id, told, version=reservation.version)]
    await RESERVATIONS.batch(order_id, [create(document), *outbox])


async def advance(reservation: Reservation, status: Status, told: EventData | None) -> None:
    """Write one move. Raises Changed if the reservation has moved since it was read."""
    order_id, version = reservation.order_id, reservation.version + 1
    document_of(replace(reservation, status=status, version=version))
    changes: list[dict[str, Any]] = [
        {"op": "set", "path": "/status", "value": status},
        {"op": "set", "path": "/version", "value": version},
    ]
    outbox = [] if told is None else [tell(RESERVATIONS, order_id, told, version=version)]
    unchanged = f"from c where c.version = {reservation.version}"
    await RESERVATIONS.batch(order_id, [patch(order_id, changes, unchanged), *outbox])
