"""What inventory can do: count stock, hold it for orders, and let it go or use it up.

An order's lines lie in as many partitions, so no batch can hold them all. Instead each hold is one conditional
patch that can be repeated, and the reservation, written once all holds are known, is the decision: whoever
finds another decision there gives its holds back. A crash in between is repaired by the event's next delivery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, TypeVar

import msgspec

from blueprints.inventory import domain, store
from blueprints.inventory.domain import Reservation
from shared.contracts.event import Event
from shared.contracts.inventory import StockRejected, StockReleased, StockReserved
from shared.contracts.orders import Line, OrderCancelled, OrderConfirmed, OrderPlaced
from shared.errors import Conflict, NotFound, PreconditionFailed, Transient
from shared.messaging.again import ask_again
from shared.persistence.cosmos import AlreadyExists, Changed, Document, Missing
from shared.telemetry.log import Log

T = TypeVar("T")

AT_ONCE = 16
"""Stock items changed at the same time for one order."""

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
    return _view(document)


async def set_on_hand(sku: str, on_hand: int, etag: str | None) -> tuple[StockView, str, bool]:
    """Set the count; answers the stock, its ETag and whether the SKU is new.

    Raises PreconditionFailed for an outdated `etag`, Conflict where more than that is reserved.
    """
    try:
        document, new = await store.set_on_hand(sku, on_hand, etag)
    except (Changed, Missing) as exc:
        present = await store.get_stock(sku)
        if present is None or (etag is not None and present["_etag"] != etag):
            raise PreconditionFailed("the stock has changed since you read it") from exc
        reserved = store.stock_of(present).reserved
        if reserved <= on_hand:
            raise Transient("the stock changes too fast at present", retry_after=1) from exc
        raise Conflict(f"{reserved} pieces are reserved; on_hand cannot be less", code="stock-reserved") from exc
    return (*_view(document), new)


async def reserve(event: Event, placed: OrderPlaced) -> None:
    """Hold every line of the order, or none of them, and say which."""
    order_id, lines = placed.order_id, domain.pieces_by_sku(placed.lines)
    existing = await store.get_reservation(order_id)
    if existing is None:
        held = await _each(lines, lambda line: store.hold(order_id, line))
        short = [line for line, success in zip(lines, held, strict=True) if not success]
        answer = StockRejected(order_id=order_id, short=short) if short else StockReserved(order_id=order_id)
        existing = Reservation(order_id, "rejected" if short else "reserved", lines, 1)
        try:
            await store.add_reservation(existing, answer)
            log.info(f"stock.{existing.status}", order_id=order_id, lines=len(lines), short=len(short))
        except AlreadyExists:
            existing = await _reservation(order_id)
    if existing.status != "reserved":
        # What a slow repeat has taken after the order was settled is given back; what was used up is not held.
        await _each(lines, lambda line: store.release(order_id, line))


async def commit(event: Event, confirmed: OrderConfirmed) -> None:
    """The order goes through: what it holds leaves the shelf."""
    reservation = await _reservation(confirmed.order_id)
    if (status := domain.next_status(reservation, "confirm")) is not None:
        await _each(reservation.lines, lambda line: store.commit(reservation.order_id, line))
        await store.advance(reservation, status, None)


async def release(event: Event, cancelled: OrderCancelled) -> None:
    """The order does not go through: what it holds is available again, and it will hold nothing later."""
    order_id = cancelled.order_id
    reservation = await store.get_reservation(order_id)
    if reservation is None:
        try:
            await store.add_reservation(Reservation(order_id, "released", (), 1), None)
            return
        except AlreadyExists:
            reservation = await _reservation(order_id)
    if (status := domain.next_status(reservation, "cancel")) is not None:
        await _each(reservation.lines, lambda line: store.release(order_id, line))
        await store.advance(reservation, status, StockReleased(order_id=order_id))
        log.info("stock.released", order_id=order_id, reason=cancelled.reason)


async def reconcile() -> None:
    """Pieces that have been held for too long: tell orders again that they are."""
    await ask_again(store.RESERVATIONS, "reservation", "reserved")


async def _reservation(order_id: str) -> Reservation:
    reservation = await store.get_reservation(order_id)
    if reservation is None:
        raise Transient(f"the reservation of {order_id} is not here yet")
    return reservation


async def _each(lines: Iterable[Line], action: Callable[[Line], Awaitable[T]]) -> list[T]:
    """Do `action` for every line, a few at once; all are finished before an error is raised."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(line: Line) -> T:
        async with places:
            return await action(line)

    results = await asyncio.gather(*(one(line) for line in lines), return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


def _view(document: Document) -> tuple[StockView, str]:
    stock = store.stock_of(document)
    return StockView(stock.sku, stock.on_hand, stock.reserved, stock.available), document["_etag"]
