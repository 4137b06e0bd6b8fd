"""Everything that can set a return in motion, beside the events and the change feed that `triggers` takes."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from blueprints.orders import return_saga, return_service
from blueprints.orders.declaration import SERVICE
from blueprints.orders.return_service import CountReturn, Decide, RequestReturn, ReturnView
from blueprints.orders.returns import Status
from shared.contracts.event import EventData
from shared.contracts.orders import (
    ReturnApproved,
    ReturnExpired,
    ReturnReceived,
    ReturnRefunded,
    ReturnRefused,
    ReturnRequested,
)
from shared.orchestration import activity, reported
from shared.web.body import ORDER
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import PathParameter
from shared.web.paging import Page

bp = df.Blueprint()

RETURN = PathParameter(
    "return_id", "The return's id.", re.compile(r"ret_[a-z2-7]{26}"), "ret_5o7p2a4s6d3f5g7h2j4k6l3z5x"
)


@endpoint(
    bp,
    SERVICE,
    "returns_request",
    "POST /orders/{order_id}/returns",
    ORDER,
    scope="returns.write",
    body=RequestReturn,
    idempotency_key="required",
    returns=ReturnView,
    status=202,
    problems=(404, 409, 422),
    location=True,
)
async def request(request: Request[RequestReturn]) -> Response:
    """Ask to send something back.

    Within 30 days of the order's delivery. A small return approves itself, usually within a second; read it again to
    see it. Others wait for the shop's decision, a week at most.
    """
    case = await return_service.request(request.caller, request.path(ORDER), request.idempotency_key, request.body)
    return Response(case, 202, {"Location": f"/v1/orders/{case.order_id}/returns/{case.id}"})


@endpoint(
    bp,
    SERVICE,
    "returns_list",
    "GET /orders/{order_id}/returns",
    ORDER,
    scope="orders.read",
    returns=Page[ReturnView],
    problems=(404,),
)
async def list_of_order(request: Request[Any]) -> Response:
    """List what of an order is on its way back, or has come."""
    return Response(await return_service.list_of_order(request.caller, request.path(ORDER)))


@endpoint(
    bp,
    SERVICE,
    "returns_get",
    "GET /orders/{order_id}/returns/{return_id}",
    ORDER,
    RETURN,
    scope="orders.read",
    returns=ReturnView,
    problems=(404,),
)
async def get(request: Request[Any]) -> Response:
    """Read one return."""
    return Response(await return_service.get(request.caller, request.path(ORDER), request.path(RETURN)))


@endpoint(
    bp,
    SERVICE,
    "returns_decide",
    "POST /orders/{order_id}/returns/{return_id}/decision",
    ORDER,
    RETURN,
    scope="returns.decide",
    body=Decide,
    returns=ReturnView,
    problems=(404, 409),
)
async def decide(request: Request[Decide]) -> Response:
    """Approve or refuse a return.

    The first decision counts. The same one sent again has the same answer, another one is a 409.
    """
    return Response(await return_service.decide(request.path(ORDER), request.path(RETURN), request.body.decision))


@endpoint(
    bp,
    SERVICE,
    "returns_receive",
    "POST /orders/{order_id}/returns/{return_id}/receipt",
    ORDER,
    RETURN,
    scope="returns.decide",
    body=CountReturn,
    returns=ReturnView,
    problems=(404, 409, 422),
)
async def receive(request: Request[CountReturn]) -> Response:
    """Count what of an approved return came back.

    Per product, what goes back on the shelf and what is written off. All of it is paid back. The same count sent again
    has the same answer.
    """
    return Response(await return_service.receive(request.path(ORDER), request.path(RETURN), request.body))


async def before(data: EventData, client: df.DurableOrchestrationClient) -> None:
    """Ahead of the publication of what orders tells: start a return's saga, or wake it."""
    if isinstance(data, ReturnRequested):
        await return_saga.start(client, data)
    elif isinstance(data, ReturnApproved | ReturnRefused | ReturnExpired | ReturnReceived | ReturnRefunded):
        await return_saga.signal(client, data.return_id)


@bp.function_name(return_saga.NAME)
@bp.orchestration_trigger(context_name="context")
def saga(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Status]:
    """See `return_saga.return_saga`."""
    return (yield from reported(context, SERVICE.name, return_saga.NAME, return_saga.return_saga(context)))


@bp.function_name(return_saga.BEGIN)
@bp.activity_trigger(input_name="about")
async def begin(about: return_saga.About) -> Status:
    """Approve a return that is worth little. Answers the status it now has."""
    with activity(SERVICE.name, return_saga.BEGIN, about.get("traceparent"), about["return_id"]):
        return await return_service.begin(about["order_id"], about["return_id"])


@bp.function_name(return_saga.LOOK_UP)
@bp.activity_trigger(input_name="about")
async def look_up(about: return_saga.About) -> Status:
    """The status of a return."""
    with activity(SERVICE.name, return_saga.LOOK_UP, about.get("traceparent")):
        return await return_service.look_up(about["order_id"], about["return_id"])


@bp.function_name(return_saga.REMIND)
@bp.activity_trigger(input_name="about")
async def remind(about: return_saga.About) -> Status:
    """Tell that a return waits for somebody. Answers its status."""
    with activity(SERVICE.name, return_saga.REMIND, about.get("traceparent")):
        return await return_service.remind(about["order_id"], about["return_id"])


@bp.function_name(return_saga.TIME_OUT)
@bp.activity_trigger(input_name="about")
async def time_out(about: return_saga.About) -> Status:
    """Refuse a return that nobody has decided, or close one of which nothing came. Answers the status it now has."""
    with activity(SERVICE.name, return_saga.TIME_OUT, about.get("traceparent")):
        return await return_service.time_out(about["order_id"], about["return_id"])
