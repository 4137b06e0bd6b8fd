"""Everything that can set the catalog in motion: its HTTP operations and its change feed."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df
import azure.functions as func

from blueprints.catalog import imports, service, store
from blueprints.catalog.declaration import SERVICE
from blueprints.catalog.imports import RefusedLineView
from blueprints.catalog.service import ProductView, PutProduct
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed
from shared.persistence.feed import as_written
from shared.tasks.task import TaskView
from shared.tasks.triggers import TASK, long_tasks
from shared.web.body import PRODUCT, Uploaded
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import Parameter
from shared.web.paging import CURSOR, LIMIT, Page, read_limit

bp = df.Blueprint()

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


tasks = long_tasks(
    bp,
    SERVICE,
    "/catalog/imports",
    "catalog.write",
    "catalog.write",
    {imports.KIND: imports.step},
    imports.intend_cancel,
)


@endpoint(
    bp,
    SERVICE,
    "catalog_imports_start",
    "POST /catalog/imports",
    scope="catalog.write",
    upload=imports.UPLOAD,
    idempotency_key="optional",
    returns=TaskView,
    status=202,
    problems=(422,),
    location=True,
    durable=True,
)
async def start_import(request: Request[Uploaded]) -> Response:
    """Import products from a file: CSV or NDJSON, at most 100 MB.

    A long task that has each product as its row says, and lists the rows that it refuses. The same file again is the
    same task; with another Idempotency-Key it is imported anew. A row that says what is there already changes nothing.
    """
    name, given = await imports.receive(request.caller, request.body, request.idempotency_key)
    return await tasks.start(request.client, imports.KIND, request.caller, name, given)


@endpoint(
    bp,
    SERVICE,
    "catalog_imports_errors",
    "GET /catalog/imports/{task_id}/errors",
    TASK,
    scope="catalog.write",
    returns=Page[RefusedLineView],
    problems=(404,),
    query=(LIMIT, CURSOR),
)
async def import_errors(request: Request[Any]) -> Response:
    """Read which rows an import has refused, and why, by line."""
    task = await tasks.owned(request.caller, request.path(TASK))
    query = request.query
    return Response(await imports.refused_page(task, query.get("cursor"), read_limit(query)))


@change_feed(bp, SERVICE, store.PRODUCTS)
async def feed(documents: func.DocumentList) -> None:
    """Relay the outbox."""
    await relay(store.PRODUCTS, as_written(documents))
