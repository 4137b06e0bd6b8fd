"""Everything that can set carts in motion: its HTTP operations and its change feed."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from blueprints.carts import service, store
from blueprints.carts.declaration import SERVICE
from blueprints.carts.service import CART_ID, CartView, SetLine
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed
from shared.persistence.feed import as_written
from shared.web.body import PRODUCT
from shared.web.endpoint import Answer, Call, endpoint
from shared.web.operation import PathParameter

bp = func.Blueprint()


CART = PathParameter("cart_id", "The cart's id.", CART_ID, "crt_4q2n5xk7d6h3w2m5r7t2y4u6i3")


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
async def open_cart(call: Call[Any]) -> Answer:
    """Open an empty cart."""
    cart, etag = await service.open_cart(call.caller, call.idempotency_key)
    return Answer(cart, 201, {"Location": f"/v1/carts/{cart.id}", "ETag": etag})


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
async def get(call: Call[Any]) -> Answer:
    """Read a cart."""
    cart, etag = await service.get(call.caller, call.path(CART))
    return Answer(cart, headers={"ETag": etag})


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
async def set_line(call: Call[SetLine]) -> Answer:
    """Have so many pieces of a product in the cart."""
    cart, etag = await service.set_line(
        call.caller, call.path(CART), call.path(PRODUCT), call.body.quantity, call.if_match
    )
    return Answer(cart, headers={"ETag": etag})


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
async def remove_line(call: Call[Any]) -> Answer:
    """Take a product out of the cart."""
    cart, etag = await service.remove_line(call.caller, call.path(CART), call.path(PRODUCT), call.if_match)
    return Answer(cart, headers={"ETag": etag})


@change_feed(bp, store.CARTS)
async def feed(documents: func.DocumentList) -> None:
    """Relay the outbox."""
    await relay(store.CARTS, as_written(documents))
