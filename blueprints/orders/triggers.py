"""Everything that can set orders in motion: its HTTP operations, the events it hears, its change feed, its saga."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextvars import Context, copy_context
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from blueprints.orders import (
    approval_service,
    approval_triggers,
    erasure,
    export,
    return_service,
    return_triggers,
    saga,
    search,
    service,
    store,
)
from blueprints.orders.declaration import SERVICE
from blueprints.orders.sagas import KINDS
from blueprints.orders.shapes import FindOrders, FoundOrder, OrderSummary, OrderView, PlaceOrder, TimelineEntry
from shared.contracts.accounts import ErasureRequested, ErasureStarted, ExportStarted
from shared.contracts.carts import CartChanged
from shared.contracts.catalog import ProductChanged
from shared.contracts.event import Event, EventData
from shared.contracts.inventory import StockRejected, StockReleased, StockReserved
from shared.contracts.orders import OrderCancelled, OrderConfirmed, OrderPlaced
from shared.contracts.payments import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentVoided,
)
from shared.contracts.shipping import (
    ShipmentDelayed,
    ShipmentDelivered,
    ShipmentFailed,
    ShipmentShipped,
    ShipmentStopped,
)
from shared.errors import Forbidden
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed, reconciliation, subscription
from shared.orchestration import activity, durable_subscription, reported
from shared.persistence.feed import as_written
from shared.sagas import sagas
from shared.web.body import ORDER
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import Parameter
from shared.web.paging import CURSOR, LIMIT, Page, read_limit

bp = approval_triggers.bp
"""One blueprint a service: what is said of returns and approvals stands on it already."""

CUSTOMER_ID = Parameter(
    "customer_id", "Whose orders; staff may name anyone.", {"type": "string", "minLength": 1, "maxLength": 100}
)


@endpoint(
    bp,
    SERVICE,
    "orders_place",
    "POST /orders",
    scope="orders.write",
    body=PlaceOrder,
    idempotency_key="required",
    returns=OrderView,
    status=202,
    problems=(404, 409, 422),
    location=True,
)
async def place(request: Request[PlaceOrder]) -> Response:
    """Place an order.

    Send `items` or `cart_id`, not both. An order of a cart names `expected_total`, what the shopper saw: where it costs
    anything else now, the answer is 409 with the new `total`. The answer comes as soon as the order is safe; read it
    again to see it `confirmed` or `cancelled`, usually within a second. At the gateway two other dialects are
    understood as well, camel case and that of the former partner interface; docs/api.md has the table.
    """
    order = await service.place(request.caller, request.idempotency_key, request.body)
    return Response(order, 202, {"Location": f"/v1/orders/{order.id}"})


@endpoint(
    bp,
    SERVICE,
    "orders_list",
    "GET /orders",
    scope="orders.read",
    returns=Page[OrderSummary],
    query=(CUSTOMER_ID, LIMIT, CURSOR),
)
async def list_by_customer(request: Request[Any]) -> Response:
    """List the caller's orders, or, for staff, those of `customer_id`."""
    query = request.query
    customer_id = query.get("customer_id", request.caller.subject)
    if customer_id != request.caller.subject and not request.caller.is_staff:
        raise Forbidden("only staff may list the orders of others", code="insufficient-role")
    return Response(await service.list_by_customer(customer_id, query.get("cursor"), read_limit(query)))


@endpoint(
    bp,
    SERVICE,
    "orders_find",
    "POST /order-search",
    scope="orders.find",
    body=FindOrders,
    returns=Page[FoundOrder],
    query=(LIMIT, CURSOR),
)
async def find(request: Request[FindOrders]) -> Response:
    """Find orders by what is known of them, the newest first.

    What is left out is not looked at. A page may be short, or empty, where few of many orders have the `status`: it is
    the last one when `next_cursor` is null. An order that was just placed is found by its id at once, and by the rest a
    moment later. Who knows an e-mail address finds the `customer_id` first.
    """
    query = request.query
    return Response(await search.find(request.caller, request.body, query.get(CURSOR.name), read_limit(query)))


@endpoint(
    bp, SERVICE, "orders_get", "GET /orders/{order_id}", ORDER, scope="orders.read", returns=OrderView, problems=(404,)
)
async def get(request: Request[Any]) -> Response:
    """Read one order."""
    return Response(await service.get(request.caller, request.path(ORDER)))


@endpoint(
    bp,
    SERVICE,
    "orders_timeline",
    "GET /orders/{order_id}/timeline",
    ORDER,
    scope="orders.read",
    returns=Page[TimelineEntry],
    problems=(404,),
)
async def timeline(request: Request[Any]) -> Response:
    """Read everything that happened to one order."""
    return Response(await service.timeline(request.caller, request.path(ORDER)))


@endpoint(
    bp,
    SERVICE,
    "orders_cancel",
    "POST /orders/{order_id}/cancel",
    ORDER,
    scope="orders.write",
    returns=OrderView,
    status=202,
    problems=(404, 409),
    location=True,
)
async def cancel(request: Request[Any]) -> Response:
    """Cancel an order of which nothing has been shipped.

    A confirmed one stays so until it is sure that nothing of it leaves the house; read it again to see it `cancelled`.
    Sent again, it has the same answer. Once something is shipped, the answer is 409.
    """
    order = await service.cancel(request.caller, request.path(ORDER))
    return Response(order, 202, {"Location": f"/v1/orders/{order.id}"})


sagas(bp, SERVICE, KINDS)


@change_feed(bp, SERVICE, store.ORDERS)
@bp.durable_client_input(client_name="client")
async def feed(documents: func.DocumentList, client: df.DurableOrchestrationClient) -> None:
    """Relay the outbox, start and stop sagas ahead of it, and enter new orders into their customers' lists."""
    new: list[tuple[Context, Event, OrderPlaced]] = []

    async def before(event: Event, data: EventData) -> None:
        if isinstance(data, OrderPlaced):
            await saga.start(client, event, data)
            new.append((copy_context(), event, data))
        elif isinstance(data, OrderCancelled) or (isinstance(data, OrderConfirmed) and data.approved):
            await saga.signal(client, event.subject, data)
        else:
            await return_triggers.before(data, client)

    await relay(store.ORDERS, as_written(documents), before)
    entries = (
        (store.enlist(placed.customer_id, placed.order_id, event.time, (line.sku for line in placed.lines)), span)
        for span, event, placed in new
    )
    await asyncio.gather(*(asyncio.create_task(entry, context=span) for entry, span in entries))


async def decisive(event: Event, data: EventData, client: df.DurableOrchestrationClient) -> None:
    """An answer that the saga waits for."""
    await service.record_reply(event)
    await saga.signal(client, event.subject, data)


async def refunded(event: Event, data: PaymentRefunded, _: df.DurableOrchestrationClient) -> None:
    """Money was paid back: for what has come back, or for another reason."""
    await service.record_reply(event)
    await return_service.refunded(event, data)


async def informative(event: Event, _: EventData, __: object = None) -> None:
    """An answer that belongs to the order's story alone."""
    await service.record_reply(event)


subscription(bp, SERVICE, "catalog", {ProductChanged: service.keep_product})
subscription(bp, SERVICE, "carts", {CartChanged: service.keep_cart})
subscription(
    bp,
    SERVICE,
    "accounts",
    {ErasureRequested: erasure.object_to, ErasureStarted: erasure.erase, ExportStarted: export.export},
)
durable_subscription(
    bp, SERVICE, "inventory", {StockReserved: decisive, StockRejected: decisive, StockReleased: informative}
)
durable_subscription(
    bp,
    SERVICE,
    "payments",
    {
        PaymentAuthorized: decisive,
        PaymentDeclined: decisive,
        PaymentCaptured: informative,
        PaymentVoided: informative,
        PaymentRefunded: refunded,
        PaymentRefundFailed: informative,
        PaymentDisputed: informative,
        PaymentDisputeClosed: informative,
    },
)


subscription(
    bp,
    SERVICE,
    "shipping",
    {
        ShipmentShipped: service.follow_shipments,
        ShipmentDelivered: service.follow_shipments,
        ShipmentFailed: service.follow_shipments,
        ShipmentDelayed: informative,
        ShipmentStopped: service.withdraw,
    },
)


@reconciliation(bp, SERVICE)
async def reconcile(timer: func.TimerRequest) -> None:
    """Look for orders that nobody has decided."""
    await service.reconcile()
    await approval_service.reconcile()


@bp.function_name(saga.NAME)
@bp.orchestration_trigger(context_name="context")
def order_saga(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """See `saga.order_saga`."""
    return (yield from reported(context, SERVICE.name, saga.NAME, saga.order_saga(context)))


@bp.function_name(saga.SETTLE)
@bp.activity_trigger(input_name="decision")
async def settle(decision: saga.Decision) -> str:
    """Confirm or cancel: the saga says when, the recorded replies say what. Answers the status the order now has."""
    with activity(SERVICE.name, saga.SETTLE, decision.get("traceparent"), decision["order_id"]):
        timed_out = decision.get("reason") == "timed_out"
        return (await service.decide(decision["order_id"], timed_out=timed_out)).status


@bp.function_name(saga.LOOK_UP)
@bp.activity_trigger(input_name="about")
async def look_up(about: saga.About) -> saga.Facts:
    """What is recorded of an order, for a saga that may have missed an event."""
    with activity(SERVICE.name, saga.LOOK_UP, about.get("traceparent")):
        status, replies = await service.look_up(about["order_id"])
    return {"status": status, "replies": replies}


@bp.function_name(saga.ASK)
@bp.activity_trigger(input_name="about")
async def ask_for_stock(about: saga.About) -> saga.Facts:
    """Ask inventory for the goods of an order whose money is authorised. Answers what is recorded of the order."""
    with activity(SERVICE.name, saga.ASK, about.get("traceparent")):
        status, replies = await service.ask_for_stock(about["order_id"])
    return {"status": status, "replies": replies}
