"""Everything that can set the catalog in motion: its HTTP operations and its change feed."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from blueprints.catalog import service, store
from blueprints.catalog.declaration import SERVICE
from blueprints.catalog.service import ProductView, PutProduct
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed
from shared.persistence.feed import as_written
from shared.web.body import PRODUCT
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import Parameter
from shared.web.paging import CURSOR, LIMIT, Page, read_limit

bp = func.Blueprint()

CACHE = "public, max-age=10"
CATEGORY = Parameter(
    "category", "Only products of this category.", {"type": "string", "minLength": 1, "maxLength": 100}
)
TEXT = Parameter("q", "Only products whose name holds this text.", {"type": "string", "minLength": 1, "maxLength": 100})


@endpoint(
    bp,
    SERVICE,
    "products_list",
    "GET /products",
    returns=Page[ProductView],
    query=(CATEGORY, TEXT, LIMIT, CURSOR),
    etag=True,
    if_none_match=True,
)
async def browse(request: Request[Any]) -> Response:
    """Browse products by category and text.

    By SKU. Answers are kept for a few seconds at the gateway, unless the request has a token.
    """
    query = request.query
    page, etag = await service.browse(query.get("category"), query.get("q"), query.get("cursor"), read_limit(query))
    return request.or_not_modified(Response(page, headers={"ETag": etag, "Cache-Control": CACHE}))


@endpoint(
    bp,
    SERVICE,
    "products_get",
    "GET /products/{sku}",
    PRODUCT,
    returns=ProductView,
    problems=(404,),
    etag=True,
    if_none_match=True,
)
async def get(request: Request[Any]) -> Response:
    """Read one product."""
    product, etag = await service.get(request.path(PRODUCT))
    return request.or_not_modified(Response(product, headers={"ETag": etag, "Cache-Control": CACHE}))


@endpoint(
    bp,
    SERVICE,
    "products_put",
    "PUT /products/{sku}",
    PRODUCT,
    scope="catalog.write",
    body=PutProduct,
    returns=ProductView,
    status=(200, 201),
    problems=(404, 422, 428),
    etag=True,
    if_match=True,
)
async def put(request: Request[PutProduct]) -> Response:
    """Create or replace one product."""
    product, etag, new = await service.put(request.path(PRODUCT), request.body, request.if_match)
    return Response(product, 201 if new else 200, {"ETag": etag})


@change_feed(bp, SERVICE, store.PRODUCTS)
async def feed(documents: func.DocumentList) -> None:
    """Relay the outbox."""
    await relay(store.PRODUCTS, as_written(documents))
