"""What the catalog can do: show products, and take new and changed ones."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Annotated, Literal

import msgspec

from blueprints.catalog import domain, store
from blueprints.catalog.domain import Product
from shared.contracts.catalog import ProductChanged, ProductDiscontinued, ProductReinstated
from shared.contracts.event import EventData
from shared.errors import (
    Contention,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Unprocessable,
)
from shared.money import Money, minor_unit_digits
from shared.patterns import NOT_BLANK, whole
from shared.persistence.cosmos import AlreadyExists, ConditionFailed, Document
from shared.telemetry.log import Log
from shared.web.body import Sku
from shared.web.paging import Page, decode_cursor, encode_cursor

MAX_ATTEMPTS = 5

log = Log("catalog")

Category = Annotated[str, msgspec.Meta(pattern=whole("[a-z0-9][a-z0-9-]{0,39}"))]


RowOutcome = Literal["created", "changed", "unchanged"]


class PutProduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product as staff describe it. `sku` may be repeated, and must then be the one in the path."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=NOT_BLANK)]
    category: Category
    price: Money
    description: Annotated[str, msgspec.Meta(max_length=4000)] | None = None
    sku: Sku | None = None
    free: Annotated[bool, msgspec.Meta(description="That a price of 0 is meant.")] = False
    listed: Annotated[
        bool,
        msgspec.Meta(description="Whether lists show it; one that they do not can be read and ordered by its SKU."),
    ] = True
    discontinued: Annotated[
        bool, msgspec.Meta(description="Whether it is sold no more: no list shows it, and no order takes it.")
    ] = False


class ProductView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A product as the API shows it."""

    sku: str
    name: str
    category: str
    price: Money
    description: str | None = None
    listed: Annotated[bool, msgspec.Meta(description="False: it is in no list.")] = True
    discontinued: Annotated[bool, msgspec.Meta(description="True: it is sold no more.")] = False


async def browse(
    category: str | None, text: str | None, cursor: str | None, limit: int
) -> tuple[Page[ProductView], str]:
    """A page of products by SKU, and the page's ETag. Raises InvalidRequest for a cursor of another list."""
    for name, value in (("category", category), ("q", text)):
        if value is not None and not 1 <= len(value) <= 100:
            raise InvalidRequest(f"{name} must have 1 to 100 characters")
    scope = msgspec.json.encode([category, text]).decode()
    found = await store.page(category, text, decode_cursor(cursor, _digest(scope)), limit + 1)
    page = Page(
        items=[_view(product) for product in found[:limit]],
        next_cursor=encode_cursor(found[limit - 1].sku, _digest(scope)) if len(found) > limit else None,
    )
    return page, f'"{_digest(msgspec.json.encode(page).decode())}"'


async def get(sku: str) -> tuple[ProductView, str]:
    """The product and its ETag. Raises NotFound."""
    document = await store.get(sku)
    if document is None:
        raise NotFound("there is no such product")
    return _view(store.product_of(document)), document["_etag"]


async def put(sku: str, request: PutProduct, etag: str | None) -> tuple[ProductView, str, bool]:
    """Create the product or replace it; answers it, its ETag and whether it is new.

    Raises PreconditionFailed where the product is not, or no longer, at `etag`, PreconditionRequired without one for
    another price or for whether it is sold, Unprocessable for a price of 0 that is not said to be meant.
    """
    wanted = product_of(sku, request)
    for _ in range(MAX_ATTEMPTS):
        present = await store.get(sku)
        if etag is not None and (present is None or present["_etag"] != etag):
            raise PreconditionFailed("the product has changed since you read it; read it again")
        known = None if present is None else store.product_of(present)
        if etag is None and known is not None and (unseen := domain.needs_etag(known, wanted)):
            raise PreconditionRequired(f"{unseen} needs the product's ETag as If-Match; read the product first")
        try:
            document = await _write(present, known, domain.revised(known, wanted))
        except (AlreadyExists, ConditionFailed):
            continue
        return _view(store.product_of(document)), document["_etag"], present is None
    raise Contention(f"product {sku} keeps changing", retry_after=1)


async def put_row(product: Product, row: store.ImportedRow, present: Document | None) -> RowOutcome:
    """Have the product as a row of an import says, where it was last seen as `present`; what that came to.

    A row that was written before comes to the same again, whatever was forgotten in between. Whether the product is
    sold stays as it is: a file knows nothing of what happened since it was written. Raises Contention.
    """
    for _ in range(MAX_ATTEMPTS):
        written = store.imported_row(present)
        known = None if present is None else store.product_of(present)
        if known is not None and written is not None and written.task == row.task and written.line >= row.line:
            return "created" if known.version == 1 else "changed"
        wanted = domain.revised(known, product if known is None else replace(product, discontinued=known.discontinued))
        if wanted is None:
            return "unchanged"
        try:
            await _write(present, known, wanted, row)
        except (AlreadyExists, ConditionFailed):
            present = await store.get(product.sku)
            continue
        return "created" if present is None else "changed"
    raise Contention(f"product {product.sku} keeps changing", retry_after=1)


async def _write(
    present: Document | None, known: Product | None, product: Product | None, row: store.ImportedRow | None = None
) -> Document:
    """Write the next version of the product at `present`; `None`: nothing changes.

    Raises AlreadyExists, ConditionFailed.
    """
    if product is None:
        assert present is not None, "a product that is not there cannot be unchanged"
        return present
    document = await store.save(product, present, *_events(known, product), row=row)
    log.info("product.changed", sku=product.sku, version=product.version, discontinued=product.discontinued)
    return document


def _events(known: Product | None, product: Product) -> list[EventData]:
    """The product as it now is, and whether it has just been taken off the shop or brought back."""
    changed = ProductChanged(
        sku=product.sku,
        name=product.name,
        category=product.category,
        price=product.price,
        discontinued=product.discontinued,
    )
    if product.discontinued == (known is not None and known.discontinued):
        return [changed]
    moved = ProductDiscontinued if product.discontinued else ProductReinstated
    return [changed, moved(sku=product.sku)]


def product_of(sku: str, request: PutProduct) -> Product:
    """The product that is asked for. Raises InvalidRequest, Unprocessable."""
    if request.sku not in (None, sku):
        raise InvalidRequest("the body is about another product than the path - at `$.sku`")
    try:
        minor_unit_digits(request.price.currency)
    except ValueError as exc:
        raise InvalidRequest("not an ISO 4217 currency code in use - at `$.price.currency`") from exc
    if request.price.amount == 0 and not request.free:
        raise Unprocessable("a price of 0 gives the product away; say so with `free`: true", code="price-zero")
    return Product(
        sku,
        request.name,
        request.category,
        request.price,
        request.description,
        request.listed,
        request.discontinued,
    )


def _view(product: Product) -> ProductView:
    return ProductView(
        product.sku,
        product.name,
        product.category,
        product.price,
        product.description,
        product.listed,
        product.discontinued,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
