"""Everything that can set shipping in motion: HTTP operations, the events it hears, its change feed, its monitor."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from blueprints.shipping import domain, monitor, provider, service, store
from blueprints.shipping.declaration import SERVICE
from blueprints.shipping.sagas import KINDS
from blueprints.shipping.service import Ship, ShipmentView, WebhookAck
from shared.contracts.accounts import ErasureStarted
from shared.contracts.event import Event, EventData
from shared.contracts.orders import OrderCancellationRequested, OrderConfirmed
from shared.contracts.personal_data import ExportListed
from shared.contracts.shipping import ShipmentDelivered, ShipmentFailed, ShipmentShipped
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed, subscription
from shared.orchestration import activity, reported
from shared.persistence.feed import as_written
from shared.sagas import sagas
from shared.web.body import ORDER
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import Header, PathParameter
from shared.web.paging import Page

bp = df.Blueprint()

SHIPMENT = PathParameter(
    "shipment_id", "The shipment's id.", re.compile(r"shp_[a-z2-7]{26}"), "shp_3w5r7t2y4u6i3o5p7a2s4d6f2g"
)
SIGNATURE = Header(provider.SIGNATURE, "The provider's signature of the body.", "hmac-sha256-hex=00")


@endpoint(
    bp,
    SERVICE,
    "shipments_ship",
    "POST /orders/{order_id}/shipments",
    ORDER,
    scope="shipments.write",
    body=Ship,
    idempotency_key="required",
    returns=ShipmentView,
    status=201,
    problems=(404, 409, 422),
    location=True,
)
async def ship(request: Request[Ship]) -> Response:
    """Ship an order, or some of it.

    Without `items` all that is left is shipped. From then on the parcel is followed at its carrier. An order that is
    being cancelled, or of which less is left, is a 409.
    """
    shipment = await service.ship(request.caller, request.path(ORDER), request.idempotency_key, request.body)
    return Response(shipment, 201, {"Location": f"/v1/orders/{shipment.order_id}/shipments/{shipment.id}"})


@endpoint(
    bp,
    SERVICE,
    "shipments_list",
    "GET /orders/{order_id}/shipments",
    ORDER,
    scope="shipments.read",
    returns=Page[ShipmentView],
    problems=(404,),
)
async def list_of_order(request: Request[Any]) -> Response:
    """List what of an order was shipped.

    Someone else's order is a 404, and so is one that is not confirmed.
    """
    return Response(await service.list_of_order(request.caller, request.path(ORDER)))


@endpoint(
    bp,
    SERVICE,
    "shipments_get",
    "GET /orders/{order_id}/shipments/{shipment_id}",
    ORDER,
    SHIPMENT,
    scope="shipments.read",
    returns=ShipmentView,
    problems=(404,),
)
async def get(request: Request[Any]) -> Response:
    """Read one shipment, and where it is."""
    return Response(await service.get(request.caller, request.path(ORDER), request.path(SHIPMENT)))


@endpoint(
    bp, SERVICE, "shipments_webhook", "POST /shipments/webhooks/easypost", returns=WebhookAck, signature=SIGNATURE
)
async def webhook(request: Request[Any]) -> Response:
    """Take a webhook event of a carrier.

    For the carriers' provider alone: the signature covers the body's very bytes.
    """
    signature = request.http.headers.get(SIGNATURE.name, "")
    await service.handle_webhook(provider.read_webhook(request.http.get_body(), signature))
    return Response(WebhookAck())


sagas(bp, SERVICE, KINDS)


@change_feed(bp, SERVICE, store.SHIPMENTS)
@bp.durable_client_input(client_name="client")
async def feed(documents: func.DocumentList, client: df.DurableOrchestrationClient) -> None:
    """Relay the outbox, and start and wake monitors ahead of it."""

    async def before(event: Event, data: EventData) -> None:
        if isinstance(data, ShipmentShipped):
            await monitor.start(client, event, data)
        elif isinstance(data, ShipmentDelivered | ShipmentFailed):
            await monitor.signal(client, data.shipment_id)

    await relay(store.SHIPMENTS, as_written(documents), before)


# Know what is to be shipped, and what is not any more; say what was
subscription(
    bp,
    SERVICE,
    "orders",
    {OrderConfirmed: service.keep, OrderCancellationRequested: service.stop, ExportListed: service.export},
)
subscription(bp, SERVICE, "accounts", {ErasureStarted: service.erase})


@bp.function_name(monitor.NAME)
@bp.orchestration_trigger(context_name="context")
def tracking_monitor(context: df.DurableOrchestrationContext) -> Generator[Any, Any, domain.Status | None]:
    """See `monitor.tracking_monitor`."""
    return (yield from reported(context, SERVICE.name, monitor.NAME, monitor.tracking_monitor(context)))


@bp.function_name(monitor.POLL)
@bp.activity_trigger(input_name="about")
async def poll(about: monitor.About) -> domain.Status:
    """Ask where a parcel is, and write down what is new. Answers the shipment's status."""
    with activity(SERVICE.name, monitor.POLL, about.get("traceparent")):
        return await service.poll(about["order_id"], about["shipment_id"])


@bp.function_name(monitor.GIVE_UP)
@bp.activity_trigger(input_name="about")
async def give_up(about: monitor.About) -> domain.Status:
    """Count a parcel as lost. Answers the shipment's status."""
    with activity(SERVICE.name, monitor.GIVE_UP, about.get("traceparent")):
        return await service.give_up(about["order_id"], about["shipment_id"])
