"""The catalog in Cosmos DB: `products` by /sku, each with its outbox beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blueprints.catalog.declaration import SERVICE
from blueprints.catalog.domain import Product
from shared.acting import record_act
from shared.contracts.event import EventData
from shared.persistence.cosmos import Container, Document, create, replace
from shared.persistence.documents import document_of, read_as, readable
from shared.persistence.outbox import enqueue_event

PRODUCTS = Container.of(SERVICE, "products")
RECORDED = ("name", "category", "price", "description", "listed", "discontinued")
"""Fields of a product whose changes are recorded."""
LISTED, UNLISTED = "product", "unlisted_product"
"""The kinds of items that are products: those that lists show, and those that only their SKU leads to.

Among the latter are those that are discontinued."""
EARLIER: Mapping[str, Any] = {"listed": True, "discontinued": False}
"""What a product of an earlier release does not say of itself."""


async def get(sku: str) -> Document | None:
    return await PRODUCTS.read(sku, sku)


def product_of(document: Mapping[str, Any]) -> Product:
    """The product an item holds. Raises Unreadable."""
    return read_as(PRODUCTS, document, Product)


async def save(product: Product, before: Document | None, *events: EventData) -> Document:
    """Write a new product, or the next version of the one that `before` holds, with the events that tell of it and the
    record of who did it.

    Raises AlreadyExists or ConditionFailed where someone else was faster.
    """
    search_text = f"{product.name} {product.sku}".lower()
    kind = LISTED if product.listed and not product.discontinued else UNLISTED
    document = document_of(product, id=product.sku, kind=kind, search_text=search_text)
    write = create(document) if before is None else replace(document, before["_etag"])
    outbox = [enqueue_event(PRODUCTS, product.sku, event, version=product.version) for event in events]
    known = {} if before is None else {name: before.get(name, EARLIER.get(name)) for name in RECORDED}
    act = record_act(
        PRODUCTS, product.sku, product.sku, known, {name: document[name] for name in RECORDED}, product.version
    )
    written = await PRODUCTS.batch(product.sku, [write, *outbox, *act])
    return written[0]


async def page(category: str | None, text: str | None, after: str | None, limit: int) -> list[Product]:
    """At most `limit` listed products by SKU: of `category`, with `text` in name or SKU, and after the SKU `after`."""
    conditions, parameters = ["c.kind = @kind"], {"@kind": LISTED}
    if category is not None:
        conditions.append("c.category = @category")
        parameters["@category"] = category
    if text is not None:
        conditions.append("CONTAINS(c.search_text, @text)")
        parameters["@text"] = text.lower()
    if after is not None:
        conditions.append("c.sku > @after")
        parameters["@after"] = after
    query = f"SELECT * FROM c WHERE {' AND '.join(conditions)} ORDER BY c.sku"  # noqa: S608 - fixed texts
    found: dict[str, Product] = {}
    async for document in PRODUCTS.query(query, parameters, limit=limit):
        # the client gives items twice where a physical range splits while it asks all of them (azure-cosmos 4.17)
        found |= {product.sku: product for product in readable(PRODUCTS, [document], Product)}
        if len(found) == limit:
            break
    return list(found.values())
