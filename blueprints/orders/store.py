"""Orders in Cosmos DB.

`orders` by /order_id      the order, its outbox and its inbox: one partition, so one batch can write them together
`orders-by-customer`       a projection that answers "my orders" from one partition
`products` by /sku         what the catalog told: names and prices
`carts` by /cart_id        what carts told: whose basket holds what
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from blueprints.orders.domain import Order, Priced
from shared.contracts.event import Event, EventData
from shared.money import Money
from shared.persistence.cosmos import AlreadyExists, Container, Document, create, keep_latest, patch
from shared.persistence.outbox import seen, tell
from shared.settings import settings

ORDERS = Container("orders", "orders", "order_id")
BY_CUSTOMER = Container("orders", "orders-by-customer", "customer_id")
PRODUCTS = Container("orders", "products", "sku")
CARTS = Container("orders", "carts", "cart_id")

CART_RETENTION = 7 * 24 * 3600


async def add(order: Order, placed: EventData) -> None:
    """Write a new order and the event that tells of it. Raises AlreadyExists."""
    document = {**msgspec.to_builtins(order), "order_id": order.id, "kind": "order"}
    await ORDERS.batch(order.id, [create(document), tell(ORDERS, order.id, placed, version=1, time=order.placed_at)])


async def get(order_id: str) -> Order | None:
    document = await ORDERS.read(order_id, order_id)
    return None if document is None else order_of(document)


def order_of(document: Mapping[str, Any]) -> Order:
    """The order an `orders` item holds."""
    return msgspec.convert(document, Order)


async def advance(before: Order, after: Order, told: EventData) -> None:
    """Write one move and the event that tells of it. Raises Changed if the order has moved since it was read."""
    entry = msgspec.to_builtins(after.history[-1])
    changes: list[dict[str, Any]] = [
        {"op": "set", "path": "/status", "value": after.status},
        {"op": "set", "path": "/version", "value": after.version},
        {"op": "add", "path": "/history/-", "value": entry},
    ]
    unchanged = f"from c where c.version = {before.version}"
    await ORDERS.batch(
        after.id,
        [
            patch(after.id, changes, unchanged),
            tell(ORDERS, after.id, told, version=after.version, time=after.history[-1].at),
        ],
    )


async def record(order_id: str, event: Event) -> bool:
    """Put an answer into the order's inbox. False if it was there already."""
    try:
        await ORDERS.batch(order_id, [seen(ORDERS, order_id, event)])
    except AlreadyExists:
        return False
    return True


async def events(order_id: str) -> list[Document]:
    """The events in the order's outbox and inbox, oldest first."""
    query = "SELECT VALUE c.event FROM c WHERE c.kind IN ('outbox', 'inbox')"
    found = [document async for document in ORDERS.query(query, {}, key=order_id)]
    return sorted(found, key=lambda event: str(event["time"]))


async def project(document: Mapping[str, Any]) -> None:
    """Bring the customer's list up to date with one `orders` item as the change feed shows it."""
    order = order_of(document)
    await keep_latest(
        BY_CUSTOMER,
        order.customer_id,
        {
            "id": order.id,
            "customer_id": order.customer_id,
            "sort_key": f"{order.placed_at}|{order.id}",
            "status": order.status,
            "total": msgspec.to_builtins(order.total),
            "placed_at": order.placed_at,
            "version": order.version,
        },
    )


async def list_by_customer(customer_id: str, before: str | None, limit: int) -> list[Document]:
    """At most `limit` of the customer's orders, newest first, after the sort key `before`."""
    condition = "" if before is None else " AND c.sort_key < @before"
    query = f"SELECT * FROM c WHERE c.customer_id = @customer{condition} ORDER BY c.sort_key DESC"  # noqa: S608 - fixed text
    parameters = {"@customer": customer_id} | ({} if before is None else {"@before": before})
    found: list[Document] = []
    async for document in BY_CUSTOMER.query(query, parameters, key=customer_id, limit=limit):
        found.append(document)
        if len(found) == limit:
            break
    return found


class ProductCopy:
    """Names and prices by SKU, kept in memory for a few seconds: a busy shop asks for the same ones all the time."""

    LARGEST = 50_000

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, Priced]] = {}

    async def find(self, skus: Iterable[str]) -> dict[str, Priced]:
        """The products among `skus` that are for sale."""
        now, lifetime = time.monotonic(), settings().seconds("PRODUCT_CACHE_SECONDS")
        wanted = list(dict.fromkeys(skus))
        found = {
            sku: held[1] for sku in wanted if (held := self._held.get(sku)) is not None and now - held[0] < lifetime
        }
        missing = [sku for sku in wanted if sku not in found]
        if len(missing) == 1:
            document = await PRODUCTS.read(missing[0], missing[0])
            documents = [] if document is None else [document]
        else:
            documents = await PRODUCTS.read_many(missing)
        if len(self._held) + len(documents) > self.LARGEST:
            self._held.clear()
        for document in documents:
            product = Priced(document["name"], msgspec.convert(document["price"], Money))
            self._held[document["sku"]] = (now, product)
            found[document["sku"]] = product
        return found

    def forget(self, sku: str) -> None:
        self._held.pop(sku, None)


product_copy = ProductCopy()


async def keep_product(version: int, document: Document) -> None:
    """Keep what the catalog told, unless a later version is already here."""
    sku = document["sku"]
    await keep_latest(PRODUCTS, sku, {**document, "id": sku, "version": version})
    product_copy.forget(sku)


async def keep_cart(version: int, document: Document) -> None:
    """Keep what carts told, unless a later version is already here."""
    cart_id = document["cart_id"]
    await keep_latest(CARTS, cart_id, {**document, "id": cart_id, "version": version, "ttl": CART_RETENTION})


async def get_cart(cart_id: str) -> Document | None:
    return await CARTS.read(cart_id, cart_id)
