"""Everything that can set inventory in motion: its HTTP operations, the events it hears, its change feed."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from blueprints.inventory import service, store
from blueprints.inventory.declaration import SERVICE
from blueprints.inventory.service import SetStock, StockView
from shared.contracts.orders import OrderCancelled, OrderConfirmed, OrderPlaced
from shared.messaging.consumer import consume
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed, reconciliation, subscription
from shared.persistence.feed import as_written
from shared.web.body import SKU
from shared.web.endpoint import STAFF, Answer, Call, endpoint

bp = func.Blueprint()


@bp.function_name("stock_get")
@bp.route("v1/stock/{sku}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@endpoint("inventory", scope="stock.read", roles=STAFF, returns=StockView, problems=(404,), etag=True)
async def get(call: Call[Any]) -> Answer:
    """Read the stock of one SKU."""
    stock, etag = await service.get(call.path("sku", SKU))
    return Answer(stock, headers={"ETag": etag})


@bp.function_name("stock_put")
@bp.route("v1/stock/{sku}", methods=["PUT"], auth_level=func.AuthLevel.ANONYMOUS)
@endpoint(
    "inventory",
    scope="stock.write",
    roles=STAFF,
    body=SetStock,
    returns=StockView,
    status=(200, 201),
    problems=(404, 409),
    etag=True,
    if_match=True,
)
async def put(call: Call[SetStock]) -> Answer:
    """Set how many pieces are on hand."""
    stock, etag, new = await service.set_on_hand(call.path("sku", SKU), call.body.on_hand, call.if_match)
    return Answer(stock, 201 if new else 200, {"ETag": etag})


@change_feed(bp, store.RESERVATIONS)
async def feed(documents: func.DocumentList) -> None:
    """Relay the outbox."""
    await relay(store.RESERVATIONS, as_written(documents))


@subscription(bp, SERVICE, "orders")
async def on_orders(message: func.ServiceBusMessage) -> None:
    """Hold, use up or give back an order's stock."""
    await consume(
        "inventory",
        message,
        {OrderPlaced: service.reserve, OrderConfirmed: service.commit, OrderCancelled: service.release},
    )


@reconciliation(bp, SERVICE)
async def reconcile(timer: func.TimerRequest) -> None:
    """Look for what has been waiting too long for orders' decision."""
    await service.reconcile()
