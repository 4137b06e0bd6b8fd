"""Everything that can set carts in motion: its HTTP operations, its change feed, and what people ask of their data."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from blueprints.carts import service, store
from blueprints.carts.declaration import SERVICE
from blueprints.carts.service import CART_ID, GUEST_CART_ID, CartView, MergeCart, SetLine
from shared.contracts.accounts import ErasureStarted, ExportStarted
from shared.contracts.catalog import ProductDiscontinued, ProductReinstated
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed, subscription
from shared.persistence.feed import as_written
from shared.web.body import PRODUCT
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import PathParameter

bp = func.Blueprint()

PRIVATE = {"Cache-Control": "no-store"}
"""A guest's cart is open to who knows its id, and to no cache between."""

CART = PathParameter("cart_id", "The cart's id.", CART_ID, "crt_4q2n5xk7d6h3w2m5r7t2y4u6i3")


GUEST_CART = PathParameter(
    "guest_cart_id",
    "The guest cart's id, which is its secret.",
    GUEST_CART_ID,
    "gst_4q2n5xk7d6h3w2m5r7t2y4u6i34q2n5xk7d6h3w2m5r7t2y4u6i3",
)


@endpoint(
    bp,
    SERVICE,
    "carts_open",
    "POST /carts",
    scope="carts.write",
    idempotency_key="optional",
    returns=CartView,
    status=201,
    etag=True,
    location=True,
)
async def open_cart(request: Request[Any]) -> Response:
    """Open an empty cart."""
    cart, etag = await service.open_cart(request.caller, request.idempotency_key)
    return Response(cart, 201, {"Location": f"/v1/carts/{cart.id}", "ETag": etag})


@endpoint(
    bp,
    SERVICE,
    "carts_get",
    "GET /carts/{cart_id}",
    CART,
    scope="carts.read",
    returns=CartView,
    problems=(404,),
    etag=True,
)
async def get(request: Request[Any]) -> Response:
    """Read a cart."""
    cart, etag = await service.get(request.caller, request.path(CART))
    return Response(cart, headers={"ETag": etag})


@endpoint(
    bp,
    SERVICE,
    "carts_set_line",
    "PUT /carts/{cart_id}/items/{sku}",
    CART,
    PRODUCT,
    scope="carts.write",
    body=SetLine,
    returns=CartView,
    problems=(404, 422),
    etag=True,
    if_match=True,
)
async def set_line(request: Request[SetLine]) -> Response:
    """Have so many pieces of a product in the cart."""
    cart, etag = await service.set_line(
        request.caller, request.path(CART), request.path(PRODUCT), request.body.quantity, request.if_match
    )
    return Response(cart, headers={"ETag": etag})


@endpoint(
    bp,
    SERVICE,
    "carts_remove_line",
    "DELETE /carts/{cart_id}/items/{sku}",
    CART,
    PRODUCT,
    scope="carts.write",
    returns=CartView,
    problems=(404,),
    etag=True,
    if_match=True,
)
async def remove_line(request: Request[Any]) -> Response:
    """Take a product out of the cart."""
    cart, etag = await service.remove_line(request.caller, request.path(CART), request.path(PRODUCT), request.if_match)
    return Response(cart, headers={"ETag": etag})


@endpoint(
    bp,
    SERVICE,
    "carts_merge",
    "POST /carts/{cart_id}/merge",
    CART,
    scope="carts.write",
    body=MergeCart,
    returns=CartView,
    problems=(404, 422),
    etag=True,
)
async def merge(request: Request[MergeCart]) -> Response:
    """Take what a guest's cart holds into the cart.

    Pieces of the same product are added up. The guest's cart is gone then. Sent again, it changes nothing more.
    """
    cart, etag = await service.merge(request.caller, request.path(CART), request.body.guest_cart_id)
    return Response(cart, headers={"ETag": etag})


@endpoint(bp, SERVICE, "guest_carts_open", "POST /guest-carts", returns=CartView, status=201, etag=True, location=True)
async def open_guest_cart(request: Request[Any]) -> Response:
    """Open an empty cart without signing in.

    Its id is a secret: who knows it may use the cart. Sign in, open a cart and merge it to order what it holds.
    """
    cart, etag = await service.open_guest_cart()
    return Response(cart, 201, {"Location": f"/v1/guest-carts/{cart.id}", "ETag": etag, **PRIVATE})


@endpoint(
    bp,
    SERVICE,
    "guest_carts_get",
    "GET /guest-carts/{guest_cart_id}",
    GUEST_CART,
    returns=CartView,
    problems=(404,),
    etag=True,
)
async def get_guest_cart(request: Request[Any]) -> Response:
    """Read a guest's cart."""
    cart, etag = await service.get_guest_cart(request.path(GUEST_CART))
    return Response(cart, headers={"ETag": etag, **PRIVATE})


@endpoint(
    bp,
    SERVICE,
    "guest_carts_set_line",
    "PUT /guest-carts/{guest_cart_id}/items/{sku}",
    GUEST_CART,
    PRODUCT,
    body=SetLine,
    returns=CartView,
    problems=(404, 422),
    etag=True,
    if_match=True,
)
async def set_guest_line(request: Request[SetLine]) -> Response:
    """Have so many pieces of a product in a guest's cart."""
    cart, etag = await service.set_guest_line(
        request.path(GUEST_CART), request.path(PRODUCT), request.body.quantity, request.if_match
    )
    return Response(cart, headers={"ETag": etag, **PRIVATE})


@endpoint(
    bp,
    SERVICE,
    "guest_carts_remove_line",
    "DELETE /guest-carts/{guest_cart_id}/items/{sku}",
    GUEST_CART,
    PRODUCT,
    returns=CartView,
    problems=(404,),
    etag=True,
    if_match=True,
)
async def remove_guest_line(request: Request[Any]) -> Response:
    """Take a product out of a guest's cart."""
    cart, etag = await service.remove_guest_line(request.path(GUEST_CART), request.path(PRODUCT), request.if_match)
    return Response(cart, headers={"ETag": etag, **PRIVATE})


@change_feed(bp, SERVICE, store.CARTS)
async def feed(documents: func.DocumentList) -> None:
    """Relay the outbox."""
    await relay(store.CARTS, as_written(documents))


subscription(bp, SERVICE, "accounts", {ErasureStarted: service.erase, ExportStarted: service.export})
subscription(bp, SERVICE, "catalog", {ProductDiscontinued: service.discontinue, ProductReinstated: service.reinstate})
