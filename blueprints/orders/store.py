"""Orders in Cosmos DB.

`orders` by /order_id      the order and its outbox: one partition, so one batch can write them together
`answers` by /order_id     the inbox: what the other services said of an order. Nothing is relayed from it, so it
                           lies where no change feed has to look at it
`orders-by-customer` by /customer_id   which orders a customer has, in their order, and of which products: written once,
                           by the change feed. What became of them is in the orders
`customers` by /customer_id   what a customer has under way, has paid, and was declined
`products` by /sku         what the catalog told: names, prices, and what is sold no more
`carts` by /cart_id        what carts told: whose basket holds what
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from typing import Any, Literal

import msgspec

from blueprints.orders.customer import Customer
from blueprints.orders.declaration import PRODUCT_CACHE_SECONDS, SERVICE
from blueprints.orders.domain import Order, ProductPrice
from shared.acting import record_act
from shared.contracts.audit import ActRecorded
from shared.contracts.event import Event, EventData, data_of, type_of
from shared.contracts.orders import Line
from shared.persistence.cosmos import AlreadyExists, Container, Document, create, keep_latest, patch, replace
from shared.persistence.documents import document_of, read_as, readable
from shared.persistence.memory import ReadCache
from shared.persistence.outbox import enqueue_event, event_of, inbox_document
from shared.settings import settings
from shared.telemetry import trace

ORDERS = Container.of(SERVICE, "orders")
ANSWERS = Container.of(SERVICE, "answers")
BY_CUSTOMER = Container.of(SERVICE, "orders-by-customer")
CUSTOMERS = Container.of(SERVICE, "customers")
PRODUCTS = Container.of(SERVICE, "products")
CARTS = Container.of(SERVICE, "carts")

CART_RETENTION = 7 * 24 * 3600
AFTER_ALL = "9999"
"""A sort key behind all others: years have four digits."""


async def add(order: Order, placed: EventData) -> None:
    """Write a new order and the event that tells of it. Raises AlreadyExists."""
    order = dataclasses.replace(order, traceparent=trace.current().traceparent)
    document = document_of(order, order_id=order.id, kind="order")
    await ORDERS.batch(
        order.id, [create(document), enqueue_event(ORDERS, order.id, placed, version=1, time=order.placed_at)]
    )


async def get(order_id: str) -> Order | None:
    document = await ORDERS.read(order_id, order_id)
    return None if document is None else order_of(document)


def order_of(document: Mapping[str, Any]) -> Order:
    """The order an `orders` item holds. Raises Unreadable."""
    return read_as(ORDERS, document, Order)


async def get_many(order_ids: Iterable[str]) -> dict[str, Order]:
    """Those of the orders that exist, by id."""
    return {order.id: order for order in readable(ORDERS, await ORDERS.read_many(list(order_ids)), Order)}


async def advance(before: Order, after: Order, event: EventData | None) -> None:
    """Write one move and the event that tells of it, if anyone is to hear.

    Raises ConditionFailed if the order has moved since it was read.
    """
    entry = document_of(after)["history"][-1]
    changes: list[dict[str, Any]] = [
        {"op": "set", "path": "/status", "value": after.status},
        {"op": "set", "path": "/version", "value": after.version},
        {"op": "add", "path": "/history/-", "value": entry},
    ]
    if after.approval != before.approval:
        changes.append({"op": "set", "path": "/approval", "value": document_of(after)["approval"]})
    unchanged = f"from c where c.version = {before.version}"
    outbox = (
        []
        if event is None
        else [enqueue_event(ORDERS, after.id, event, version=after.version, time=after.history[-1].at)]
    )
    act = record_act(ORDERS, after.id, after.id, {"status": before.status}, {"status": after.status}, after.version)
    await ORDERS.batch(after.id, [patch(after.id, changes, unchanged), *outbox, *act])


async def redact(order: Order) -> None:
    """Write the order's address and request as they are given: nothing else of it, and no event tells of it."""
    document = document_of(order)
    names = ("shipping_address", "request_hash")
    changes = [{"op": "set", "path": f"/{name}", "value": document[name]} for name in names]
    await ORDERS.patch(order.id, order.id, changes)


async def tell_of_erasure(erasure_id: str, event: EventData) -> None:
    """Put an event about an erasure into the outbox, unless it is there already."""
    with suppress(AlreadyExists):
        await ORDERS.batch(erasure_id, [enqueue_event(ORDERS, erasure_id, event, version=1)])


async def ids_of(customer_id: str) -> AsyncIterator[str]:
    """The ids of the customer's orders."""
    query = "SELECT c.id FROM c WHERE c.customer_id = @customer"
    async for document in BY_CUSTOMER.query(query, {"@customer": customer_id}, key=customer_id):
        yield document["id"]


async def ask(order: Order, asked: Literal["stock_asked", "cancel_requested"], event: EventData) -> None:
    """Write that another service is asked for something, and the event that asks. Raises ConditionFailed."""
    version = order.version + 1
    changes: list[dict[str, Any]] = [
        {"op": "set", "path": f"/{asked}", "value": True},
        {"op": "set", "path": "/version", "value": version},
    ]
    unchanged = f"from c where c.version = {order.version}"
    act = record_act(ORDERS, order.id, order.id, {asked: False}, {asked: True}, version)
    told_of = enqueue_event(ORDERS, order.id, event, version=version)
    await ORDERS.batch(order.id, [patch(order.id, changes, unchanged), told_of, *act])


class RecordedEvent(msgspec.Struct, frozen=True):
    """What an outbox or inbox item says of its event."""

    id: str
    type: str
    time: str
    source: str


async def record(order_id: str, event: Event) -> bool:
    """Put an answer into the order's inbox. False if it was there already."""
    try:
        await ANSWERS.create(inbox_document(ANSWERS, order_id, event))
    except AlreadyExists:
        return False
    return True


async def recorded(order_id: str) -> list[RecordedEvent]:
    """The events in the order's inbox: what the other services said of it."""
    return await _events(ANSWERS, "inbox", order_id)


async def events(order_id: str) -> list[RecordedEvent]:
    """The events in the order's outbox and inbox, oldest first."""
    found = [*await _events(ORDERS, "outbox", order_id), *await recorded(order_id)]
    return sorted(found, key=lambda event: event.time)


async def acts(order_id: str) -> dict[str, ActRecorded]:
    """What people with special rights did to the order and its returns, by the id of the event that tells of it."""
    query = "SELECT * FROM c WHERE c.kind = 'outbox' AND c.event.type = @type"
    found = ORDERS.query(query, {"@type": type_of(ActRecorded)}, key=order_id)
    events = [event_of(document) async for document in found]
    return {event.id: data for event in events if isinstance(data := data_of(event), ActRecorded)}


async def _events(container: Container, kind: str, order_id: str) -> list[RecordedEvent]:
    query = "SELECT c.event.id, c.event.type, c.event.time, c.event.source FROM c WHERE c.kind = @kind"
    documents = [document async for document in container.query(query, {"@kind": kind}, key=order_id)]
    return list(readable(container, documents, RecordedEvent))


async def enlist(customer_id: str, order_id: str, placed_at: str, skus: Iterable[str]) -> None:
    """Enter a new order into its customer's list, if it is not there already."""
    entry = {
        "id": order_id,
        "customer_id": customer_id,
        "sort_key": f"{placed_at}|{order_id}",
        "skus": sorted(set(skus)),
    }
    with suppress(AlreadyExists):
        await BY_CUSTOMER.create(entry)


async def list_by_customer(customer_id: str, before: str | None, limit: int) -> list[tuple[str, Order]]:
    """At most `limit` of the customer's orders, newest first, after the sort key `before`, each behind its sort key."""
    keys = await listed(limit, before or AFTER_ALL, customer_id=customer_id)
    orders = await get_many(keys)
    return [(key, orders[order_id]) for order_id, key in keys.items() if order_id in orders]


async def listed(
    limit: int, before: str, *, since: str | None = None, customer_id: str | None = None, sku: str | None = None
) -> dict[str, str]:
    """At most `limit` orders of all lists, or of one customer's: id → sort key, newest first.

    Those after the sort key `before`, not before that of `since`, and of an order of `sku`. A sort key is the time at
    which the order was placed, and its id: the bare time is before all of its moment.
    """
    given = {"@before": before}
    conditions = ["c.sort_key < @before"]
    if since is not None:
        given["@since"] = since
        conditions.append("c.sort_key >= @since")
    if customer_id is not None:
        given["@customer"] = customer_id
        conditions.append("c.customer_id = @customer")
    if sku is not None:
        given["@sku"] = sku
        conditions.append("ARRAY_CONTAINS(c.skus, @sku)")
    query = f"SELECT c.id, c.sort_key FROM c WHERE {' AND '.join(conditions)} ORDER BY c.sort_key DESC"  # noqa: S608 - fixed texts
    keys: dict[str, str] = {}  # by id: the client gives some twice where a physical range splits meanwhile
    async for document in BY_CUSTOMER.query(query, given, key=customer_id, limit=limit):
        keys[document["id"]] = document["sort_key"]
        if len(keys) == limit:
            break
    return keys


async def get_customer(customer_id: str) -> tuple[Customer, str]:
    """What is known of a customer, and the record's ETag: empty where there is no record yet."""
    document = await CUSTOMERS.read(customer_id, customer_id)
    if document is None:
        return Customer(customer_id), ""
    return read_as(CUSTOMERS, document, Customer), document["_etag"]


async def keep_customer(customer: Customer, etag: str) -> str:
    """Write what is known of a customer; the record's new ETag.

    Raises ConditionFailed, AlreadyExists or ItemNotFound where somebody else has written or deleted it since it was
    read.
    """
    document = document_of(customer, id=customer.customer_id)
    change = replace(document, etag) if etag else create(document)
    [written] = await CUSTOMERS.batch(customer.customer_id, [change])
    return str(written["_etag"])


class ProductCache(ReadCache[ProductPrice]):
    """Names and prices of the products that the catalog has told of, by SKU."""

    def __init__(self) -> None:
        super().__init__(PRODUCTS, _product, lambda: settings().seconds(PRODUCT_CACHE_SECONDS))


def _product(document: Document | None) -> ProductPrice | None:
    return None if document is None else read_as(PRODUCTS, document, ProductPrice)


product_cache = ProductCache()


async def keep_product(version: int, document: Document) -> None:
    """Keep what the catalog told, unless a later version is already here."""
    sku = document["sku"]
    await keep_latest(PRODUCTS, sku, {**document, "id": sku, "version": version})
    product_cache.forget(sku)


class CartCopy(msgspec.Struct, frozen=True):
    """What carts told of a cart."""

    customer_id: str
    version: int
    lines: list[Line]


async def keep_cart(version: int, document: Document) -> None:
    """Keep what carts told, unless a later version is already here."""
    cart_id = document["cart_id"]
    await keep_latest(CARTS, cart_id, {**document, "id": cart_id, "version": version, "ttl": CART_RETENTION})


async def get_cart(cart_id: str) -> CartCopy | None:
    document = await CARTS.read(cart_id, cart_id)
    return None if document is None else read_as(CARTS, document, CartCopy)
