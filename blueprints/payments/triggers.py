"""Everything that can set payments in motion: its HTTP operations, the events it hears, its change feed."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from blueprints.payments import refunds, service, store
from blueprints.payments.declaration import SERVICE
from blueprints.payments.refunds import RefundOrder, RefundView
from blueprints.payments.service import PaymentView, WebhookAck
from blueprints.payments.webhook import read_webhook
from shared.contracts.accounts import ErasureStarted
from shared.contracts.orders import OrderApprovalRequested, OrderCancelled, OrderConfirmed, OrderPlaced, ReturnReceived
from shared.contracts.personal_data import ExportListed
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed, reconciliation, subscription
from shared.persistence.feed import as_written
from shared.web.body import ORDER
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import Header

bp = func.Blueprint()

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
async def get(request: Request[Any]) -> Response:
    """Read how an order's payment stands."""
    return Response(await service.get(request.caller, request.path(ORDER)))


@endpoint(
    bp,
    SERVICE,
    "payments_refund",
    "POST /orders/{order_id}/refunds",
    ORDER,
    scope="payments.refund",
    body=RefundOrder,
    idempotency_key="required",
    returns=RefundView,
    status=201,
    problems=(404, 409, 422),
)
async def refund(request: Request[RefundOrder]) -> Response:
    """Pay back an order, or some of it.

    Without `amount` all that is left is paid back. More than that is a 409. What the payment provider has not answered
    yet is `pending`; sent again under the same key it goes on.
    """
    return Response(
        await refunds.by_staff(request.caller, request.path(ORDER), request.idempotency_key, request.body), 201
    )


@endpoint(bp, SERVICE, "payments_webhook", "POST /payments/webhooks/stripe", returns=WebhookAck, signature=SIGNATURE)
async def webhook(request: Request[Any]) -> Response:
    """Take a webhook event of the provider.

    For the payment provider alone: the signature covers the body's very bytes.
    """
    signature = request.http.headers.get(SIGNATURE.name, "")
    await service.handle_webhook(read_webhook(request.http.get_body(), signature))
    return Response(WebhookAck())


@change_feed(bp, SERVICE, store.PAYMENTS)
async def feed(documents: func.DocumentList) -> None:
    """Relay the outbox."""
    await relay(store.PAYMENTS, as_written(documents))


# Hold, take or give back an order's money, and say what was paid
subscription(
    bp,
    SERVICE,
    "orders",
    {
        OrderPlaced: service.authorize,
        OrderApprovalRequested: service.wait,
        OrderConfirmed: service.capture,
        OrderCancelled: service.void_or_refund,
        ReturnReceived: refunds.of_return,
        ExportListed: service.export,
    },
)
subscription(bp, SERVICE, "accounts", {ErasureStarted: service.erase})


@reconciliation(bp, SERVICE)
async def reconcile(timer: func.TimerRequest) -> None:
    """Look for what has been waiting too long for orders' decision."""
    await service.reconcile()
