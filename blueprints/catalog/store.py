"""The catalog in Cosmos DB.

`products` by /sku        each with its outbox beside it
`tasks` by /task_id       imports; beside each its file in parts, and the rows that were refused
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from blueprints.catalog.declaration import SERVICE
from blueprints.catalog.domain import Product
from shared.acting import record_act
from shared.contracts.event import EventData
from shared.persistence.cosmos import AlreadyExists, Container, Document, create, replace, upsert
from shared.persistence.documents import document_of, read_as, readable
from shared.persistence.outbox import enqueue_event
from shared.settings import TASK_KEEP_SECONDS, settings
from shared.tasks.store import NAME, Tasks

PRODUCTS = Container.of(SERVICE, "products")
TASKS = Tasks.of(SERVICE)
ITEMS = Container.of(SERVICE, NAME)
PART_BYTES = 1024 * 1024
"""Of a file in one item: compressed where that helps, and in Base64, it stays below the 2 MB of an item."""
FILE_SECONDS = 7 * 24 * 3600
"""How long a file is kept: the longest import takes hours."""
LONGER = 24 * 3600
"""Seconds that refused rows outlive the task that they belong to."""
RECORDED = ("name", "category", "price", "description", "listed", "discontinued")
"""Fields of a product whose changes are recorded."""
LISTED, UNLISTED = "product", "unlisted_product"
"""The kinds of items that are products: those that lists show, and those that only their SKU leads to.

Among the latter are those that are discontinued."""
EARLIER: Mapping[str, Any] = {"listed": True, "discontinued": False}
"""What a product of an earlier release does not say of itself."""


class ImportedRow(msgspec.Struct, frozen=True):
    """The row of an import that a version of a product was written for."""

    task: str
    line: int


class FilePart(msgspec.Struct, frozen=True):
    """A part of a file, compressed (zlib)."""

    content: bytes


class RefusedLine(msgspec.Struct, frozen=True):
    """A row that was not imported, by the line that it begins in."""

    line: int
    code: str
    detail: str


async def get(sku: str) -> Document | None:
    return await PRODUCTS.read(sku, sku)


def product_of(document: Mapping[str, Any]) -> Product:
    """The product an item holds. Raises Unreadable."""
    return read_as(PRODUCTS, document, Product)


def imported_row(document: Mapping[str, Any] | None) -> ImportedRow | None:
    """The row that this version of a product was written for; `None` where it was none."""
    row = None if document is None else document.get("imported_row")
    return None if row is None else msgspec.convert(row, ImportedRow)


async def get_many(skus: Sequence[str]) -> dict[str, Document]:
    """Those of the products that are there, by SKU."""
    return {document["id"]: document for document in await PRODUCTS.read_many(skus)}


async def save(
    product: Product, before: Document | None, *events: EventData, row: ImportedRow | None = None
) -> Document:
    """Write a new product, or the next version of the one that `before` holds, with the events that tell of it and the
    record of who did it.

    Raises AlreadyExists or ConditionFailed where someone else was faster.
    """
    search_text = f"{product.name} {product.sku}".lower()
    kind = LISTED if product.listed and not product.discontinued else UNLISTED
    document = document_of(product, id=product.sku, kind=kind, search_text=search_text)
    if row is not None:
        document["imported_row"] = msgspec.to_builtins(row)
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


async def record_import(task_id: str, after: Mapping[str, Any], version: int) -> None:
    """Record that somebody starts an import (version 1) or cancels it (2); once, however often it is said."""
    act = record_act(PRODUCTS, task_id, task_id, {}, after, version)
    if act:
        with suppress(AlreadyExists):
            await PRODUCTS.batch(task_id, act)


async def keep_file(task_id: str, content: bytes) -> None:
    """Keep a file beside its task, in parts, one after the other: one is in memory twice at most."""
    for number in range(-(-len(content) // PART_BYTES)):
        part = memoryview(content)[number * PART_BYTES : (number + 1) * PART_BYTES]
        compressed = await asyncio.to_thread(zlib.compress, part, 1)
        await ITEMS.upsert(
            document_of(FilePart(compressed), id=f"part:{number}", task_id=task_id, type="part", ttl=FILE_SECONDS)
        )


async def file_part(task_id: str, number: int) -> bytes | None:
    """A part of the file, by its number from 0; `None` where it is gone. Raises Unreadable."""
    document = await ITEMS.read(f"part:{number}", task_id)
    return None if document is None else zlib.decompress(read_as(ITEMS, document, FilePart).content)


async def note_refused(task_id: str, lines: Iterable[RefusedLine]) -> None:
    """Note rows as refused, at most 100; those that are noted already stay as they are."""
    keep = int(settings().seconds(TASK_KEEP_SECONDS)) + LONGER
    documents = [
        document_of(
            line,
            id=f"refused:{line.line}",
            task_id=task_id,
            type="refused",
            sort_key=f"{line.line:020}",
            ttl=keep,
        )
        for line in lines
    ]
    if documents:
        await ITEMS.batch(task_id, [upsert(document) for document in documents])


async def refused(task_id: str, after: str | None, limit: int) -> list[RefusedLine]:
    """At most `limit` refused rows of an import, by line, after the line `after`."""
    condition = "" if after is None else " AND c.sort_key > @after"
    query = f"SELECT * FROM c WHERE c.type = 'refused'{condition} ORDER BY c.sort_key"  # noqa: S608 - fixed texts
    parameters = {} if after is None else {"@after": f"{int(after):020}"}
    return list(readable(ITEMS, await ITEMS.first(query, parameters, limit, task_id), RefusedLine))
