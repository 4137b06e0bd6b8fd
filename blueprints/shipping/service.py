"""What shipping can do: ship orders, show where they are, and do what carriers and orders tell it.

Whether anything of an order has been shipped is decided here, by one write of its record: shipping it and stopping it
exclude each other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import msgspec

from blueprints.shipping import domain, provider, store
from blueprints.shipping.declaration import SERVICE, TRACKING_SILENT_SECONDS
from blueprints.shipping.domain import Fulfilment, Shipment
from blueprints.shipping.provider import News
from blueprints.shipping.store import ReadShipment
from shared import data_export, ids
from shared.clock import parse_timestamp, timestamp, utc_now
from shared.contracts.accounts import ErasureStarted
from shared.contracts.event import Event, EventData
from shared.contracts.orders import Line, OrderCancellationRequested, OrderConfirmed
from shared.contracts.personal_data import ExportListed
from shared.contracts.shipping import (
    FailureReason,
    ShipmentDelayed,
    ShipmentDelivered,
    ShipmentFailed,
    ShipmentShipped,
    ShipmentStopped,
)
from shared.errors import Conflict, Contention, NotFound, Rejected, Transient
from shared.messaging.republish import republish_last
from shared.patterns import Timestamp, whole
from shared.persistence.cosmos import AlreadyExists, ConditionFailed
from shared.personal_data import answer
from shared.settings import settings
from shared.telemetry.log import Log
from shared.telemetry.span import for_order
from shared.web.auth import Principal
from shared.web.body import Quantity, Sku, fingerprint, same_request
from shared.web.paging import Page

MAX_LINES = 1_000
"""As many as an order has."""
MAX_ATTEMPTS = 8
"""Several people ship parts of one order at once, and each loses to every other at most once."""

log = Log("shipping")


class LineIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many pieces of one product."""

    sku: Sku
    quantity: Quantity


class Ship(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Give these pieces to a carrier; all that is left, where no `items` are named."""

    carrier: Annotated[
        str, msgspec.Meta(pattern=whole("[A-Za-z0-9][A-Za-z0-9 ]{0,39}"), description="As EasyPost names it")
    ]
    tracking_number: Annotated[str, msgspec.Meta(pattern=whole("[A-Za-z0-9][A-Za-z0-9-]{3,39}"))]
    items: Annotated[list[LineIn], msgspec.Meta(min_length=1, max_length=MAX_LINES)] | None = None


class TrackingView(msgspec.Struct, frozen=True):
    """What the carrier says, and since when."""

    status: domain.Tracking
    since: Timestamp


class ShipmentView(msgspec.Struct, frozen=True):
    """A shipment as the API shows it. `delayed`: its carrier has been silent for too long."""

    id: str
    order_id: str
    status: domain.Status
    items: tuple[Line, ...]
    carrier: str
    tracking_number: str
    shipped_at: Timestamp
    tracking: TrackingView
    delayed: bool
    reason: FailureReason | None


class WebhookAck(msgspec.Struct, frozen=True):
    """What the provider is told when it has told us something."""

    received: bool = True


async def keep(event: Event, confirmed: OrderConfirmed) -> None:
    """The order goes through: from now on it can be shipped, unless it was stopped before."""
    if not confirmed.lines:
        raise Rejected("the event does not say what is to be shipped; a release before shipping told it")
    ordered = domain.pieces(confirmed.lines)
    try:
        await store.add(Fulfilment(confirmed.order_id, confirmed.customer_id, ordered))
    except AlreadyExists:
        return
    log.spanned("fulfilment.opened", order_id=confirmed.order_id, lines=len(ordered))


async def stop(event: Event, requested: OrderCancellationRequested) -> None:
    """The order is to be cancelled: ship nothing of it from now on, unless something has been shipped already."""
    order_id = requested.order_id
    told = ShipmentStopped(order_id=order_id)
    read = await store.get(order_id)
    if read is None:
        try:
            await store.add(Fulfilment(order_id, "", {}, stopped=True), told)
        except AlreadyExists as exc:
            raise Transient("someone else wrote first; look again") from exc
        return
    stopped = domain.stop(read.fulfilment)
    if stopped is None:
        return
    if stopped is read.fulfilment:  # who asks once more has not heard it
        await republish_last(store.SHIPMENTS, order_id)
        return
    await store.stop(read, stopped, told)
    log.info("fulfilment.stopped", order_id=order_id)


async def erase(event: Event, started: ErasureStarted) -> None:
    """Nothing here names anybody: answer what is kept."""
    await answer(SERVICE, store.SHIPMENTS, started)


async def export(event: Event, listed: ExportListed) -> None:
    """Tell what was shipped for the customer's orders: those of the list that are theirs."""
    found: list[Shipment] = []
    for order_id in listed.orders:
        read = await store.get(order_id)
        if read is not None and read.fulfilment.customer_id == listed.account_id:
            found += await store.shipments(order_id)
    await data_export.answer(store.SHIPMENTS, listed, data_export.held(shipments=list(map(view, found))))


async def ship(caller: Principal, order_id: str, key: str, asked: Ship) -> ShipmentView:
    """Write a shipment and tell it; its parcel is followed behind.

    The shipment's id is derived from order and key: a repeat finds the shipment it made. Raises NotFound for an order
    that is not confirmed, Conflict for one that is being cancelled or of which less is left, Unprocessable for a key
    that was used for another request.
    """
    shipment_id, request_hash = derive_id(order_id, key), fingerprint(asked)
    wanted = None if asked.items is None else domain.pieces(Line(item.sku, item.quantity) for item in asked.items)
    for _ in range(MAX_ATTEMPTS):
        known = await store.get_shipment(order_id, shipment_id)
        if known is not None:
            return _repeated(known.shipment, request_hash)
        read = await store.get(order_id)
        if read is None:
            raise NotFound("there is no such order to ship")
        after, lines = _shipped(read.fulfilment, wanted)
        now = timestamp()
        shipment = Shipment(
            shipment_id, order_id, "shipped", lines, asked.carrier, asked.tracking_number, now, now, request_hash
        )
        event = ShipmentShipped(order_id=order_id, shipment_id=shipment_id, lines=list(lines), progress=after.progress)
        try:
            with _in_trace_of(read.fulfilment, "shipping_ship", shipment_id):
                await store.ship(read, after, shipment, event)
        except (ConditionFailed, AlreadyExists):
            continue
        log.info("shipment.shipped", order_id=order_id, shipment_id=shipment_id, progress=after.progress)
        return view(shipment)
    raise Contention("the order's shipments keep changing", retry_after=1)


def derive_id(order_id: str, key: str) -> str:
    """The id of the shipment that is made of the order under `key`."""
    return ids.derived("shp", order_id, key)


async def list_of_order(caller: Principal, order_id: str) -> Page[ShipmentView]:
    """The shipments of the caller's own order, the first one first; staff may see any. Raises NotFound."""
    await _visible(caller, order_id)
    return Page(items=[view(shipment) for shipment in await store.shipments(order_id)], next_cursor=None)


async def get(caller: Principal, order_id: str, shipment_id: str) -> ShipmentView:
    """One shipment of the caller's own order; staff may see any. Raises NotFound."""
    await _visible(caller, order_id)
    found = await store.get_shipment(order_id, shipment_id)
    if found is None:
        raise NotFound("there is no such shipment")
    return view(found.shipment)


async def handle_webhook(news: News | None) -> None:
    """Act on the provider's word: it may come before our own call's answer, long after, or twice."""
    if news is None:
        return
    for shipment in await store.tracked_as(news.tracker_id):
        if domain.RANK[news.tracking] <= domain.RANK[shipment.tracking]:
            continue
        read = await store.get(shipment.order_id)
        assert read is not None, "what has shipments has a record"
        with _in_trace_of(read.fulfilment, "shipping_hear", f"{shipment.id}/{news.tracking}"):
            await _record(shipment.order_id, shipment.id, news)


async def poll(order_id: str, shipment_id: str) -> domain.Status:
    """Ask the provider where the parcel is and write down what is new; the shipment's status now.

    A provider that does not answer has told nothing new. Silence that has lasted for too long is told, once.
    """
    shipment = (await _shipment(order_id, shipment_id)).shipment
    if shipment.status != "shipped":
        return shipment.status
    try:
        if shipment.tracker_id:
            news = await provider.look(shipment.tracker_id)
        else:
            news = await provider.follow(shipment.carrier, shipment.tracking_number)
    except (Transient, Rejected) as exc:
        log.warning("shipment.unheard", order_id=order_id, shipment_id=shipment_id, code=exc.code)
    else:
        shipment = await _record(order_id, shipment_id, news)
    if shipment.status == "shipped" and not shipment.delayed and _is_silent(shipment):
        shipment = await _delay(order_id, shipment_id)
    return shipment.status


async def give_up(order_id: str, shipment_id: str) -> domain.Status:
    """The parcel has been under way for so long that it counts as lost; the shipment's status now."""

    def lost(shipment: Shipment) -> Shipment:
        return domain.end(shipment, "fail", "not_heard_of") if shipment.status == "shipped" else shipment

    return (await _change(order_id, shipment_id, lost)).status


def _in_trace_of(fulfilment: Fulfilment, name: str, key: str) -> AbstractContextManager[None]:
    """See `for_order`."""
    return for_order("shipping", name, fulfilment.order_id, fulfilment.traceparent, f"{name}/{key}")


def _is_silent(shipment: Shipment) -> bool:
    patience = timedelta(seconds=settings().seconds(TRACKING_SILENT_SECONDS))
    return utc_now() >= parse_timestamp(shipment.heard_at) + patience


async def _record(order_id: str, shipment_id: str, news: News) -> Shipment:
    at = timestamp()
    return await _change(
        order_id, shipment_id, lambda shipment: domain.hear(shipment, news.tracking, at, news.tracker_id)
    )


async def _delay(order_id: str, shipment_id: str) -> Shipment:
    def silent(shipment: Shipment) -> Shipment:
        return replace(shipment, delayed=True) if shipment.status == "shipped" and _is_silent(shipment) else shipment

    return await _change(order_id, shipment_id, silent)


async def _change(order_id: str, shipment_id: str, change: Callable[[Shipment], Shipment]) -> Shipment:
    """The shipment after `change`, which is written and, where it matters to others, told."""
    for _ in range(MAX_ATTEMPTS):
        found = await _shipment(order_id, shipment_id)
        before, after = found.shipment, change(found.shipment)
        if after == before:
            return before
        try:
            if (after.status, after.delayed) == (before.status, before.delayed):
                await store.note(found, after)
            else:
                await _advance(found, after)
        except ConditionFailed:
            continue
        log.info("shipment.heard", order_id=order_id, shipment_id=shipment_id, status=after.status, said=after.tracking)
        return after
    raise Contention("the order's shipments keep changing", retry_after=1)


async def _advance(found: ReadShipment, after: Shipment) -> None:
    read = await store.get(after.order_id)
    assert read is not None, "what has shipments has a record"
    record = domain.counted(read.fulfilment, found.shipment.status, after.status)
    await store.advance(read, record, found, after, _event_of(found.shipment, after, record))


def _event_of(before: Shipment, after: Shipment, record: Fulfilment) -> EventData:
    if after.status == before.status:
        return ShipmentDelayed(order_id=after.order_id, shipment_id=after.id)
    if after.status == "delivered":
        return ShipmentDelivered(order_id=after.order_id, shipment_id=after.id, progress=record.progress)
    assert after.reason is not None, "a shipment fails for a reason"
    return ShipmentFailed(order_id=after.order_id, shipment_id=after.id, reason=after.reason, progress=record.progress)


def _shipped(fulfilment: Fulfilment, wanted: dict[str, int] | None) -> tuple[Fulfilment, tuple[Line, ...]]:
    try:
        return domain.ship(fulfilment, wanted)
    except domain.Stopped as exc:
        raise Conflict(str(exc), code="order-being-cancelled") from exc
    except domain.NotToShip as exc:
        raise Conflict(str(exc), code="nothing-left-to-ship") from exc


def _repeated(shipment: Shipment, request_hash: str) -> ShipmentView:
    same_request(shipment.request_hash, request_hash, "shipment")
    return view(shipment)


def view(shipment: Shipment) -> ShipmentView:
    return ShipmentView(
        shipment.id,
        shipment.order_id,
        shipment.status,
        shipment.lines,
        shipment.carrier,
        shipment.tracking_number,
        shipment.shipped_at,
        TrackingView(shipment.tracking, shipment.heard_at),
        shipment.delayed,
        shipment.reason,
    )


async def _shipment(order_id: str, shipment_id: str) -> ReadShipment:
    found = await store.get_shipment(order_id, shipment_id)
    if found is None:
        raise NotFound(f"there is no shipment {shipment_id}")
    return found


async def _visible(caller: Principal, order_id: str) -> Fulfilment:
    read = await store.get(order_id)
    if read is None or not (read.fulfilment.customer_id == caller.subject or caller.is_staff):
        raise NotFound("there are no shipments of such an order")
    return read.fulfilment
