"""Shipping in Cosmos DB: `shipments` by /order_id.

An order's record, its shipments and the outbox lie in one partition, so one batch writes them together. The record is
replaced at the ETag it was read with, and is in every batch that tells something: so it orders whatever happens to the
order's shipments.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any

from blueprints.shipping.declaration import SERVICE
from blueprints.shipping.domain import Fulfilment, Shipment
from shared.acting import record_act
from shared.contracts.event import EventData
from shared.persistence.cosmos import Container, create, replace
from shared.persistence.documents import document_of, read_as, readable
from shared.persistence.outbox import enqueue_event
from shared.telemetry import trace

SHIPMENTS = Container.of(SERVICE, "shipments")


@dataclass(frozen=True)
class Read:
    """What was read of an order or a shipment, and at which ETag."""

    fulfilment: Fulfilment
    etag: str


@dataclass(frozen=True)
class ReadShipment:
    """A shipment as it was read, and at which ETag."""

    shipment: Shipment
    etag: str


async def get(order_id: str) -> Read | None:
    document = await SHIPMENTS.read(order_id, order_id)
    return None if document is None else Read(read_as(SHIPMENTS, document, Fulfilment), document["_etag"])


async def get_shipment(order_id: str, shipment_id: str) -> ReadShipment | None:
    document = await SHIPMENTS.read(shipment_id, order_id)
    return None if document is None else ReadShipment(read_as(SHIPMENTS, document, Shipment), document["_etag"])


async def shipments(order_id: str) -> list[Shipment]:
    """The order's shipments, the first one first."""
    query = "SELECT * FROM c WHERE c.kind = 'shipment'"
    found = [read_as(SHIPMENTS, document, Shipment) async for document in SHIPMENTS.query(query, {}, key=order_id)]
    return sorted(found, key=lambda shipment: (shipment.shipped_at, shipment.id))


async def tracked_as(tracker_id: str) -> list[Shipment]:
    """The shipments that the provider follows under this id: several may have left in one parcel."""
    query = "SELECT * FROM c WHERE c.kind = 'shipment' AND c.tracker_id = @tracker"
    found = [document async for document in SHIPMENTS.query(query, {"@tracker": tracker_id})]
    return list(readable(SHIPMENTS, found, Shipment))


async def add(fulfilment: Fulfilment, event: EventData | None = None) -> None:
    """Write a new order's record. Raises AlreadyExists."""
    order_id = fulfilment.order_id
    fulfilment = changed(fulfilment, traceparent=trace.current().traceparent)
    outbox = [] if event is None else [enqueue_event(SHIPMENTS, order_id, event, version=fulfilment.version)]
    await SHIPMENTS.batch(order_id, [create(_record(fulfilment)), *outbox])


async def stop(read: Read, after: Fulfilment, event: EventData) -> None:
    """Raises ConditionFailed."""
    operations = [
        replace(_record(after), read.etag),
        enqueue_event(SHIPMENTS, after.order_id, event, version=after.version),
    ]
    await SHIPMENTS.batch(after.order_id, operations)


async def ship(read: Read, after: Fulfilment, shipment: Shipment, event: EventData) -> None:
    """Write a new shipment, with the record of who shipped it. Raises ConditionFailed, or AlreadyExists."""
    operations = [
        create(_item(shipment)),
        replace(_record(after), read.etag),
        enqueue_event(SHIPMENTS, after.order_id, event, version=after.version),
        *record_act(SHIPMENTS, after.order_id, shipment.id, {}, _act(shipment), after.version),
    ]
    await SHIPMENTS.batch(after.order_id, operations)


def _act(shipment: Shipment) -> dict[str, Any]:
    return {"order_id": shipment.order_id, "pieces": sum(line.quantity for line in shipment.lines)}


def _state(shipment: Shipment) -> dict[str, Any]:
    return {"status": shipment.status}


async def note(read: ReadShipment, after: Shipment) -> None:
    """Write what is new of a shipment and nobody is told. Raises ConditionFailed."""
    await SHIPMENTS.batch(after.order_id, [replace(_item(after), read.etag)])


async def advance(
    read: Read, after: Fulfilment, read_shipment: ReadShipment, shipment: Shipment, event: EventData
) -> None:
    """Write what became of a shipment and tell it. Raises ConditionFailed."""
    operations = [
        replace(_item(shipment), read_shipment.etag),
        replace(_record(after), read.etag),
        enqueue_event(SHIPMENTS, after.order_id, event, version=after.version),
        *record_act(SHIPMENTS, after.order_id, shipment.id, _state(read_shipment.shipment), _state(shipment)),
    ]
    await SHIPMENTS.batch(after.order_id, operations)


def _record(fulfilment: Fulfilment) -> dict[str, Any]:
    return document_of(fulfilment, id=fulfilment.order_id, kind="fulfilment")


def _item(shipment: Shipment) -> dict[str, Any]:
    return document_of(shipment, kind="shipment")
