"""Everything that can set inventory in motion: its HTTP operations, the events it hears, its change feed."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from blueprints.inventory import service, store
from blueprints.inventory.declaration import SERVICE
from blueprints.inventory.service import SetStock, StockView
from shared.contracts.orders import (
    OrderApprovalRequested,
    OrderAuthorized,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    ReturnReceived,
)
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed, reconciliation, subscription
from shared.persistence.feed import as_written
from shared.web.body import PRODUCT
from shared.web.endpoint import Request, Response, endpoint

bp = func.Blueprint()


@endpoint(
    bp,
    SERVICE,
    "stock_get",
    "GET /stock/{sku}",
    PRODUCT,
    scope="stock.read",
    returns=StockView,
    problems=(404,),
    etag=True,
)
async def get(request: Request[Any]) -> Response:
    """Read the stock of one SKU."""
    stock, etag = await service.get(request.path(PRODUCT))
    return Response(stock, headers={"ETag": etag})


@endpoint(
    bp,
    SERVICE,
    "stock_put",
    "PUT /stock/{sku}",
    PRODUCT,
    scope="stock.write",
    body=SetStock,
    returns=StockView,
    status=(200, 201),
    problems=(404, 409),
    etag=True,
    if_match=True,
)
async def put(request: Request[SetStock]) -> Response:
    """Set how many pieces are on hand.

    What is reserved for orders cannot be taken away: 409.
    """
    stock, etag, new = await service.set_on_hand(request.path(PRODUCT), request.body.on_hand, request.if_match)
    return Response(stock, 201 if new else 200, {"ETag": etag})


@change_feed(bp, SERVICE, store.RESERVATIONS, store.STOCK)
async def feed(documents: func.DocumentList) -> None:
    """Relay the outbox."""
    await relay(store.RESERVATIONS, as_written(documents))


# Hold, use up, give back or take back an order's stock
subscription(
    bp,
    SERVICE,
    "orders",
    {
        OrderPlaced: service.reserve,
        OrderAuthorized: service.reserve,
        OrderApprovalRequested: service.wait,
        OrderConfirmed: service.commit,
        OrderCancelled: service.release,
        ReturnReceived: service.restock,
    },
)


@reconciliation(bp, SERVICE)
async def reconcile(timer: func.TimerRequest) -> None:
    """Look for what has been waiting too long for orders' decision."""
    await service.reconcile()
