"""What inventory can do: count stock, hold it for orders, and let it go or use it up.

An order's lines lie on several shelves, so no batch can hold them all. Instead the lines of each shelf are held by one
batch of conditional patches, once for good, and the reservation, written once all holds are known, is the decision:
whoever finds a refusal or a cancellation there gives the holds back. A crash in between is repaired by the event's
next delivery, and once one delivery is through, none that was slower can hold anything. A confirmed order writes its
reservation alone: its pieces left what is available when they were held, and the figures of a shelf take its
reservation into account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import Annotated, TypeVar

import msgspec

from blueprints.inventory import domain, store
from blueprints.inventory.domain import Hold, Reservation, Stock
from shared.clock import parse_timestamp, utc_now
from shared.contracts.event import Event
from shared.contracts.inventory import StockRejected, StockReleased, StockReserved
from shared.contracts.orders import (
    Line,
    OrderApprovalRequested,
    OrderAuthorized,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    ReturnReceived,
)
from shared.errors import Conflict, NotFound, PreconditionFailed, Transient
from shared.messaging.relay import relay_waiting
from shared.messaging.republish import hold_until, republish_overdue
from shared.persistence.cosmos import AlreadyExists, ConditionFailed, Document, ItemNotFound
from shared.persistence.outbox import RETENTION
from shared.telemetry.log import Log
from shared.turns import Turns

T = TypeVar("T")

CROWDED = 8
"""After so many holds on one item it is looked at whether some of them are sold and can be cleaned away."""
MAX_ATTEMPTS = 5
LARGE = "large orders"

_turns = Turns()
log = Log("inventory")


class SetStock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many pieces are on the shelf."""

    on_hand: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]


class StockView(msgspec.Struct, frozen=True):
    """The stock of one SKU as the API shows it."""

    sku: str
    on_hand: int
    reserved: int
    available: int


async def get(sku: str) -> tuple[StockView, str]:
    """The stock of `sku` and its ETag. Raises NotFound."""
    document = await store.get_stock(sku)
    if document is None:
        raise NotFound("there is no stock record of this SKU")
    stock = store.stock_of(document)
    return _view(document, await _sold(stock))


async def set_on_hand(sku: str, on_hand: int, etag: str | None) -> tuple[StockView, str, bool]:
    """Set the count; answers the stock, its ETag and whether the SKU is new.

    Raises PreconditionFailed for an outdated `etag`, Conflict where more than that is reserved.
    """
    for _ in range(MAX_ATTEMPTS):
        document = await store.get_stock(sku)
        try:
            if document is None:
                if etag is not None:
                    raise PreconditionFailed("there is no stock record of this SKU to be changed")
                return (*_view(await store.add_stock(sku, on_hand), {}), True)
            stock = store.stock_of(document)
            sold = await _sold(stock)
            _, present = _view(document, sold)
            if etag not in (None, present):
                raise PreconditionFailed("the stock has changed since you read it")
            if (reserved := domain.without(stock, sold).reserved) > on_hand:
                raise Conflict(f"{reserved} pieces are reserved; on_hand cannot be less", code="stock-reserved")
            as_read = None if etag is None else document["_etag"]
            document = await store.set_on_hand(stock, domain.pieces(sold), on_hand, as_read)
        except (ConditionFailed, AlreadyExists):
            continue
        return (*_view(document, sold), False)
    raise Transient("the stock changes too fast at present", retry_after=1)


async def reserve(event: Event, asking: OrderPlaced | OrderAuthorized) -> None:
    """Hold every line of the order, or none of them, and say which; nothing yet where the money comes first."""
    if isinstance(asking, OrderPlaced) and asking.money_first:
        return
    order_id, lines = asking.order_id, domain.pieces_by_sku(asking.lines)
    reservation = await store.get_reservation(order_id) if _outlived(event) else None
    parts = [] if reservation else await _each(lines, lambda part: store.hold(order_id, part))
    if None in parts:  # another delivery has been there, before this one or beside it
        reservation = await store.get_reservation(order_id)
        parts = [] if reservation else await _each(lines, lambda part: store.look(order_id, part))
    held = [stock for part in parts if part for stock in part[0]]
    reservation = reservation or await _decide(order_id, lines, [line for part in parts if part for line in part[1]])
    if reservation.status in domain.UNSOLD:
        await _each(lines, lambda part: store.release(order_id, part))
    await _clean([stock for stock in held if len(stock.holds) % CROWDED == 0])


async def _decide(order_id: str, lines: tuple[Line, ...], short: list[Line]) -> Reservation:
    """Write what has come of the order, and tell of it, unless that was decided before."""
    reservation = Reservation(order_id, "rejected" if short else "reserved", lines, 1)
    answer = StockRejected(order_id=order_id, short=short) if short else StockReserved(order_id=order_id)
    try:
        await store.add_reservation(reservation, answer)
    except AlreadyExists:
        return await _reservation(order_id)
    tell = log.info if short else log.spanned
    tell(f"stock.{reservation.status}", order_id=order_id, lines=len(lines), short=len(short))
    return reservation


def _outlived(event: Event) -> bool:
    """Whether the event, a dead letter that was sent again, may be older than what says that it was dealt with."""
    return parse_timestamp(event.time) < utc_now() - timedelta(seconds=RETENTION) + timedelta(days=1)


async def wait(event: Event, asked: OrderApprovalRequested) -> None:
    """A person decides about the order: what it holds is not overdue until then."""
    await hold_until(store.RESERVATIONS, asked.order_id, "reserved", asked.until)


async def commit(event: Event, confirmed: OrderConfirmed) -> None:
    """The order goes through: what it holds is sold."""
    order_id = confirmed.order_id
    try:
        await store.commit(order_id)
    except ItemNotFound as exc:
        raise Transient(f"the reservation of {order_id} is not here yet") from exc
    except ConditionFailed:
        if domain.next_status(await _reservation(order_id), "confirm") is not None:
            raise


async def release(event: Event, cancelled: OrderCancelled) -> None:
    """The order does not go through: what it holds, or what was sold to it, is available again, and it will hold
    nothing later."""
    order_id = cancelled.order_id
    reservation = await store.get_reservation(order_id)
    if reservation is None:
        try:
            await store.add_reservation(Reservation(order_id, "released", (), 1), None)
            return
        except AlreadyExists:
            reservation = await _reservation(order_id)
    if (status := domain.next_status(reservation, "cancel")) is not None:
        await store.advance(reservation, status, StockReleased(order_id=order_id))
        log.info("stock.released", order_id=order_id, reason=cancelled.reason)
    else:
        status = reservation.status
    # decided first: what is given back can be sold no more, and a repeat knows whether it had been sold
    if status == "taken_back":
        await _each(reservation.lines, lambda part: store.take_back(order_id, part, event.id))
    elif status == "released":
        await _each(reservation.lines, lambda part: store.release(order_id, part))


async def restock(event: Event, received: ReturnReceived) -> None:
    """Something has come back: what can be sold again is on the shelf again, once for each event."""
    lines = domain.pieces_by_sku(received.restocked)
    await _each(lines, lambda part: store.restock(part, event.id))
    log.info("stock.restocked", order_id=received.order_id, lines=len(lines))


async def reconcile() -> None:
    """Pieces that have been held for too long: tell orders again that they are. Counts of stock that staff have made,
    which no change feed is read for: tell of them."""
    await relay_waiting(store.STOCK)
    await republish_overdue(store.RESERVATIONS, "reservation", "reserved")


async def _reservation(order_id: str) -> Reservation:
    reservation = await store.get_reservation(order_id)
    if reservation is None:
        raise Transient(f"the reservation of {order_id} is not here yet")
    return reservation


async def _each(lines: Iterable[Line], action: Callable[[Sequence[Line]], Awaitable[T]]) -> list[T]:
    """Do `action` for the lines of every shelf, all at once; all are finished before an error is raised.

    An order with more than one batch on a shelf, or as many lines, is large: the batches of all large orders of a
    process take turns, so that there is never more than one ahead of anybody else's.
    """
    parts = store.by_shelf(lines)
    large = sum(map(len, parts)) > store.TOGETHER

    async def one(part: Sequence[Line]) -> T:
        async with _turns.of(LARGE) if large else nullcontext():
            return await action(part)

    results = await asyncio.gather(*map(one, parts), return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


async def _clean(crowded: Sequence[Stock]) -> None:
    """Write of what is sold that it has left its shelf. The orders are looked up once for all shelves."""
    if not crowded:
        return
    reservations = await store.get_reservations({order_id for stock in crowded for order_id in stock.holds})
    sold = {stock.sku: holds for stock in crowded if (holds := domain.sold(stock, reservations))}
    lines = [Line(sku, domain.pieces(holds)) for sku, holds in sold.items()]
    await _each(lines, lambda part: store.clean({line.sku: sold[line.sku] for line in part}))


async def _sold(stock: Stock) -> dict[str, Hold]:
    """The holds on the shelf whose orders have been confirmed."""
    return domain.sold(stock, await store.get_reservations(stock.holds))


def _view(document: Document, sold: Mapping[str, Hold]) -> tuple[StockView, str]:
    """The figures without what is sold, and their ETag: the item's own, until an order is confirmed."""
    stock = domain.without(store.stock_of(document), sold)
    etag = document["_etag"] if not sold else f'"{document["_etag"].strip(chr(34))}-{len(sold)}"'
    return StockView(stock.sku, stock.on_hand, stock.reserved, stock.available), etag
