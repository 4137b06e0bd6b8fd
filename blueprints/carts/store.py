"""Carts in Cosmos DB.

`carts` by /cart_id        each with its outbox beside it, gone a week after its last change
`discontinued` by /sku     what the catalog told: whether a product that was once taken off the shop is back
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from blueprints.carts.declaration import SERVICE
from blueprints.carts.domain import Cart
from shared.contracts.event import EventData
from shared.persistence.cosmos import Container, Document, create, keep_latest, replace
from shared.persistence.documents import document_of, read_as
from shared.persistence.memory import ReadCache
from shared.persistence.outbox import enqueue_event

CARTS = Container.of(SERVICE, "carts")
DISCONTINUED = Container.of(SERVICE, "discontinued")

RETENTION = 7 * 24 * 3600
KNOWN_SECONDS = 10.0
"""How old what a cart says of its products may be: as old as an answer of the catalog. An order looks for itself."""


async def get(cart_id: str) -> Document | None:
    return await CARTS.read(cart_id, cart_id)


def cart_of(document: Mapping[str, Any]) -> Cart:
    """The cart an item holds. Raises Unreadable."""
    return read_as(CARTS, document, Cart)


async def save(cart: Cart, etag: str | None, event: EventData | None) -> Document:
    """Write a new cart (no `etag`) or the next version of the one at `etag`, and the event that tells of it, if any.

    Raises AlreadyExists or ConditionFailed where someone else was faster.
    """
    kind = "cart" if cart.customer_id else "guest"
    document = document_of(cart, cart_id=cart.id, kind=kind, ttl=RETENTION)
    write = create(document) if etag is None else replace(document, etag)
    outbox = [] if event is None else [enqueue_event(CARTS, cart.id, event, version=cart.version)]
    written = await CARTS.batch(cart.id, [write, *outbox])
    return written[0]


async def ids_of(customer_id: str) -> list[str]:
    """The ids of the customer's carts."""
    query = "SELECT c.id FROM c WHERE c.customer_id = @customer AND c.kind = 'cart'"
    return [document["id"] async for document in CARTS.query(query, {"@customer": customer_id})]


def _is_discontinued(document: Document | None) -> bool:
    return document is not None and bool(document["discontinued"])


_discontinued = ReadCache(DISCONTINUED, _is_discontinued, lambda: KNOWN_SECONDS)


async def keep_discontinued(sku: str, version: int, *, discontinued: bool) -> None:
    """Keep whether a product is sold no more, unless a later version is already here."""
    await keep_latest(DISCONTINUED, sku, {"id": sku, "sku": sku, "version": version, "discontinued": discontinued})
    _discontinued.forget(sku)


async def discontinued_among(skus: Collection[str]) -> list[str]:
    """Those of the products that are sold no more. What this process was told a moment ago is not asked again."""
    found = await _discontinued.find(skus)
    return [sku for sku in skus if found[sku]]


async def remove(cart_id: str) -> None:
    await CARTS.delete(cart_id, cart_id)
