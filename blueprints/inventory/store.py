"""Inventory in Cosmos DB.

`stock` by /shelf            {on_hand, reserved, cleaned, holds: {order id: {pieces}}}, by conditional patch
`reservations` by /order_id  what each order holds, with the outbox beside it

`holds` makes giving back repeatable: a hold is given back only where the order has one. Taking one is done once for
good, which an item beside the stock says: who was slow, and comes when the order's holds have been given back or
cleaned away, takes none (`docs/decisions/0088`). `reserved` is the sum of `holds`, kept so that a condition can use
it. The good path writes a line's stock once, when it is held: what is held is off the shelf already, and the hold of
a confirmed order stays until the shelf is cleaned, many orders at a time.

A shelf is a partition, so that the lines of a basket that lie on one shelf are held in one batch.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from blueprints.inventory import domain
from blueprints.inventory.declaration import SERVICE
from blueprints.inventory.domain import Hold, Reservation, Status, Stock
from shared.acting import record_act
from shared.contracts.event import EventData
from shared.contracts.orders import Line
from shared.persistence.cosmos import (
    AlreadyExists,
    ConditionFailed,
    Container,
    Document,
    ItemNotFound,
    Operation,
    create,
    patch,
)
from shared.persistence.documents import document_of, read_as, readable
from shared.persistence.outbox import RETENTION, enqueue_event

T = TypeVar("T")

STOCK = Container.of(SERVICE, "stock")
RESERVATIONS = Container.of(SERVICE, "reservations")

SHELVES = 4
"""Partitions of the stock, for good: another number is another place for every SKU (`docs/decisions/0056`)."""
TOGETHER = 25
"""Most lines in one batch. It takes up to 100, but its 900 request units come all at once, and everybody waits behind
them: here for 12 ms, and on Azure as long as a small container's throughput lets them."""
MAX_CONCURRENCY = 16
"""Items read at the same time."""
CLEANED = 7
"""Holds that one patch can clean away: a patch changes at most ten fields, and the figures are three."""

Holding = tuple[list[Stock], Sequence[Line]]
"""The stock of what is held, and what is not."""
Change = tuple[list[dict[str, Any]], str]
"""The fields to change, and the condition on which they may be."""


def shelf_of(sku: str) -> str:
    return str(zlib.crc32(sku.encode()) % SHELVES)


def by_shelf(lines: Iterable[Line]) -> list[Sequence[Line]]:
    """The lines of each shelf, in parts that fit into a batch."""
    shelves: dict[str, list[Line]] = {}
    for line in lines:
        shelves.setdefault(shelf_of(line.sku), []).append(line)
    return [part for shelf in shelves.values() for part in _parts(shelf, TOGETHER)]


def stock_of(document: Mapping[str, Any]) -> Stock:
    """The stock an item holds. Raises Unreadable."""
    return read_as(STOCK, document, Stock)


async def get_stock(sku: str) -> Document | None:
    return await STOCK.read(sku, shelf_of(sku))


async def add_stock(sku: str, on_hand: int) -> Document:
    """Write the first count of a SKU, with the record of who did it. Raises AlreadyExists."""
    document = document_of(Stock(sku, on_hand, 0), id=sku, shelf=shelf_of(sku))
    written = await STOCK.batch(shelf_of(sku), [create(document), *_counted(sku, {}, on_hand)])
    return written[0]


async def set_on_hand(stock: Stock, sold: int, on_hand: int, etag: str | None) -> Document:
    """Set the count of what is on the shelf beside the `sold` pieces that have not been cleaned away yet, with the
    record of who did it.

    Raises ConditionFailed where they have been by now, where more is reserved than that, or `etag` is no longer the
    item's.
    """
    changes = [{"op": "set", "path": "/on_hand", "value": on_hand + sold}]
    as_read = f"from c where c.cleaned = {stock.cleaned} and c.reserved <= {on_hand + sold}"
    counted = _counted(stock.sku, {"on_hand": stock.on_hand - sold}, on_hand)
    written = await STOCK.batch(shelf_of(stock.sku), [patch(stock.sku, changes, as_read, etag), *counted])
    return written[0]


def _counted(sku: str, before: Mapping[str, int], on_hand: int) -> list[Operation]:
    """The record of a count."""
    return record_act(STOCK, shelf_of(sku), sku, before, {"on_hand": on_hand})


async def hold(order_id: str, lines: Sequence[Line]) -> Holding | None:
    """Hold the lines, all of one shelf, for the order: the stock of each that is held, and the lines that are short.

    Where a line is short none is taken, then or later. `None`: the order has been here before; `look` tells what came
    of it.
    """
    done, asked, held = _done(lines, order_id), lines, list[Stock]()
    while True:
        try:
            return [*held, *await _take(done, order_id, lines)], []
        except AlreadyExists:
            return None
        except (ConditionFailed, ItemNotFound):
            held, lines = _held(order_id, asked, found := await _stock(asked))
        if short := _short(lines, found):
            try:
                await _take(done, order_id, ())
            except AlreadyExists:
                return None
            return held, short


async def look(order_id: str, lines: Sequence[Line]) -> Holding:
    """What came of holding the lines, all of one shelf: the stock of each that is held, and the others, or those of
    them that are short."""
    held, others = _held(order_id, lines, found := await _stock(lines))
    return held, _short(others, found) or others


async def _take(done: Document, order_id: str, lines: Sequence[Line]) -> list[Stock]:
    """Raises AlreadyExists where it was `done` before, and ConditionFailed or ItemNotFound where a line is short, or
    is held already: that of an order that came before it was written down."""
    taken = await STOCK.batch(
        done["shelf"], [create(done), *(patch(line.sku, *_hold(order_id, line)) for line in lines)]
    )
    return list(map(stock_of, taken[1:]))


def _held(order_id: str, lines: Sequence[Line], found: Mapping[str, Stock]) -> Holding:
    """The stock of those of the lines that the order holds, and the other lines."""
    held = {sku: stock for sku, stock in found.items() if order_id in stock.holds}
    return list(held.values()), [line for line in lines if line.sku not in held]


def _short(lines: Sequence[Line], found: Mapping[str, Stock]) -> Sequence[Line]:
    return [line for line in lines if line.sku not in found or found[line.sku].available < line.quantity]


async def release(order_id: str, lines: Sequence[Line]) -> None:
    """Give back what the order holds of the lines, all of one shelf."""

    def change(line: Line) -> Change:
        changes: list[dict[str, Any]] = [
            {"op": "incr", "path": "/reserved", "value": -line.quantity},
            {"op": "remove", "path": f"/holds/{order_id}"},
        ]
        return changes, f'from c where is_defined(c.holds["{order_id}"])'

    while lines and not await _together(lines, change):
        found = await _stock(lines)
        lines = [line for line in lines if line.sku in found and order_id in found[line.sku].holds]


async def take_back(order_id: str, lines: Sequence[Line], event_id: str) -> None:
    """Put back what was sold to the order of the lines, all of one shelf, once for each event.

    A hold that has not been cleaned away is given back; what has left the shelf is counted there again. That this was
    done is written in the same batch.
    """

    async def operations() -> list[Operation]:
        stock = await _stock(lines)
        return [
            patch(line.sku, *_take_back(order_id, line, held=order_id in stock[line.sku].holds))
            for line in lines
            if line.sku in stock
        ]

    await _once(lines, event_id, operations)


async def restock(lines: Sequence[Line], event_id: str) -> None:
    """Count pieces of the lines, all of one shelf, there again, once for each event."""

    async def operations() -> list[Operation]:
        stock = await _stock(lines)
        return [
            patch(line.sku, [{"op": "incr", "path": "/on_hand", "value": line.quantity}])
            for line in lines
            if line.sku in stock
        ]

    await _once(lines, event_id, operations)


def _take_back(order_id: str, line: Line, *, held: bool) -> Change:
    condition = f'is_defined(c.holds["{order_id}"])'
    if held:
        gone: list[dict[str, Any]] = [
            {"op": "incr", "path": "/reserved", "value": -line.quantity},
            {"op": "incr", "path": "/cleaned", "value": 1},  # who counts the shelf meanwhile counts it again
            {"op": "remove", "path": f"/holds/{order_id}"},
        ]
        return gone, f"from c where {condition}"
    return [{"op": "incr", "path": "/on_hand", "value": line.quantity}], f"from c where not {condition}"


async def _once(lines: Sequence[Line], event_id: str, operations: Callable[[], Awaitable[list[Operation]]]) -> None:
    """Do `operations` of one shelf, and never again for the same event and lines: its inbox lies on the shelf, too."""
    shelf, done = shelf_of(lines[0].sku), _done(lines, event_id)
    while True:
        try:
            await STOCK.batch(shelf, [create(done), *await operations()])
        except AlreadyExists:
            return
        except ConditionFailed:
            continue
        return


def _done(lines: Sequence[Line], what: str) -> Document:
    """That `what`, an event or an order's turn to hold something, has been dealt with for these lines of a shelf."""
    first = lines[0].sku
    return {"id": f"inbox:{what}:{first}", "shelf": shelf_of(first), "kind": "inbox", "ttl": RETENTION}


async def clean(sold: Mapping[str, Mapping[str, Hold]]) -> None:
    """Write that pieces have left a shelf, a few orders' of each item: `sold`, by SKU, all of one shelf, by order id.

    Where somebody else has cleaned one of the items meanwhile, they are left for the next time.
    """
    while sold := {sku: holds for sku, holds in sold.items() if holds}:
        some = {sku: dict(list(holds.items())[:CLEANED]) for sku, holds in sold.items()}
        lines = [Line(sku, domain.pieces(holds)) for sku, holds in some.items()]
        if not await _together(lines, partial(_clean, some)):
            return
        sold = {sku: dict(list(holds.items())[CLEANED:]) for sku, holds in sold.items()}


def _clean(sold: Mapping[str, Mapping[str, Hold]], line: Line) -> Change:
    holds = sold[line.sku]
    changes: list[dict[str, Any]] = [
        {"op": "incr", "path": "/on_hand", "value": -line.quantity},
        {"op": "incr", "path": "/reserved", "value": -line.quantity},
        {"op": "incr", "path": "/cleaned", "value": 1},
        *({"op": "remove", "path": f"/holds/{order_id}"} for order_id in holds),
    ]
    there = " and ".join(f'is_defined(c.holds["{order_id}"])' for order_id in holds)
    return changes, f"from c where {there}"


def _hold(order_id: str, line: Line) -> Change:
    changes: list[dict[str, Any]] = [
        {"op": "incr", "path": "/reserved", "value": line.quantity},
        {"op": "add", "path": f"/holds/{order_id}", "value": document_of(Hold(line.quantity))},
    ]
    enough = f'from c where c.on_hand - c.reserved >= {line.quantity} and not is_defined(c.holds["{order_id}"])'
    return changes, enough


async def _together(lines: Sequence[Line], change: Callable[[Line], Change]) -> bool:
    """Change the items of one shelf, all or none. False where a condition did not hold."""
    shelf = shelf_of(lines[0].sku)
    try:
        if len(lines) == 1:
            await STOCK.patch(lines[0].sku, shelf, *change(lines[0]))
        else:
            await STOCK.batch(shelf, [patch(line.sku, *change(line)) for line in lines])
    except (ConditionFailed, ItemNotFound):
        return False
    return True


async def _stock(lines: Sequence[Line]) -> dict[str, Stock]:
    """The stock of those of the lines that there is a record of, by SKU."""
    found: dict[str, Stock] = {}
    for some in _parts(lines, MAX_CONCURRENCY):
        for document in await asyncio.gather(*(get_stock(line.sku) for line in some)):
            if document is not None:
                found[document["sku"]] = stock_of(document)
    return found


def _parts(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


async def get_reservation(order_id: str) -> Reservation | None:
    document = await RESERVATIONS.read(order_id, order_id)
    return None if document is None else read_as(RESERVATIONS, document, Reservation)


async def get_reservations(order_ids: Iterable[str]) -> dict[str, Reservation]:
    """Those of the reservations that exist, by order id."""
    documents = await RESERVATIONS.read_many(list(order_ids))
    return {found.order_id: found for found in readable(RESERVATIONS, documents, Reservation)}


async def add_reservation(reservation: Reservation, event: EventData | None) -> None:
    """Write a new reservation, and the event that tells of it, if anyone is to hear. Raises AlreadyExists."""
    order_id = reservation.order_id
    document = document_of(reservation, id=order_id, kind="reservation")
    outbox = [] if event is None else [enqueue_event(RESERVATIONS, order_id, event, version=reservation.version)]
    await RESERVATIONS.batch(order_id, [create(document), *outbox])


async def commit(order_id: str) -> None:
    """Write that what the order holds is sold. Raises ItemNotFound, and ConditionFailed unless it is reserved."""
    changes: list[dict[str, Any]] = [
        {"op": "set", "path": "/status", "value": "committed"},
        {"op": "incr", "path": "/version", "value": 1},
    ]
    await RESERVATIONS.patch(order_id, order_id, changes, 'from c where c.status = "reserved"')


async def advance(reservation: Reservation, status: Status, event: EventData | None) -> None:
    """Write one move. Raises ConditionFailed if the reservation has moved since it was read."""
    order_id, version = reservation.order_id, reservation.version + 1
    document_of(replace(reservation, status=status, version=version))
    changes: list[dict[str, Any]] = [
        {"op": "set", "path": "/status", "value": status},
        {"op": "set", "path": "/version", "value": version},
    ]
    outbox = [] if event is None else [enqueue_event(RESERVATIONS, order_id, event, version=version)]
    unchanged = f"from c where c.version = {reservation.version}"
    await RESERVATIONS.batch(order_id, [patch(order_id, changes, unchanged), *outbox])
