"""Everything that can set payments in motion: its HTTP operations, the events it hears, its change feed."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from blueprints.payments import provider, service, store
from blueprints.payments.declaration import SERVICE
from blueprints.payments.provider import ORDER_ID
from blueprints.payments.service import PaymentView, Received
from shared.contracts.orders import OrderCancelled, OrderConfirmed, OrderPlaced
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed, reconciliation, subscription
from shared.persistence.feed import as_written
from shared.web.endpoint import Answer, Call, endpoint
from shared.web.operation import Header, PathParameter

bp = func.Blueprint()

ORDER = PathParameter("order_id", "The order's id.", ORDER_ID, "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5")
SIGNATURE = Header("Stripe-Signature", "The provider's signature of the body.", "t=1,v1=00")


@endpoint(
    bp,
    SERVICE,
    "payments_get",
    "GET /orders/{order_id}/payment",
    ORDER,
    scope="payments.read",
    returns=PaymentView,
    problems=(404,),
)
async def get(call: Call[Any]) -> Answer:
    """Read how an order's payment stands."""
    return Answer(await service.get(call.caller, call.path(ORDER)))


@endpoint(bp, SERVICE, "payments_webhook", "POST /payments/webhooks/stripe", returns=Received, signature=SIGNATURE)
async def webhook(call: Call[Any]) -> Answer:
    """Hear what the provider has to tell.

    For the payment provider alone: the signature covers the body's very bytes.
    """
    signature = call.request.headers.get(SIGNATURE.name, "")
    await service.hear(provider.read_webhook(call.request.get_body(), signature))
    return Answer(Received())


@change_feed(bp, store.PAYMENTS)
async def feed(documents: func.DocumentList) -> None:
    """Relay the outbox."""
    await relay(store.PAYMENTS, as_written(documents))


# Hold, take or give back an order's money
subscription(
    bp,
    SERVICE,
    "orders",
    {OrderPlaced: service.authorize, OrderConfirmed: service.capture, OrderCancelled: service.give_back},
)


@reconciliation(bp, SERVICE)
async def reconcile(timer: func.TimerRequest) -> None:
    """Look for what has been waiting too long for orders' decision."""
    await service.reconcile()
