"""Everything by which an order that waits for a person is seen and decided."""

from __future__ import annotations

from typing import Any

from blueprints.orders import approval_saga, approval_service, return_triggers
from blueprints.orders.approval_saga import Standing
from blueprints.orders.declaration import SERVICE
from blueprints.orders.domain import Status
from blueprints.orders.saga import About
from blueprints.orders.shapes import DecideOrder, OrderView, WaitingOrder
from shared.orchestration import activity
from shared.web.body import ORDER
from shared.web.endpoint import Request, Response, endpoint
from shared.web.paging import CURSOR, LIMIT, Page, read_limit

bp = return_triggers.bp
"""One blueprint a service."""


@endpoint(
    bp,
    SERVICE,
    "approvals_list",
    "GET /approvals",
    scope="orders.approve",
    returns=Page[WaitingOrder],
    query=(LIMIT, CURSOR),
)
async def list_waiting(request: Request[Any]) -> Response:
    """List the orders that wait for a person; those first that have waited for the longest time."""
    query = request.query
    return Response(await approval_service.list_waiting(query.get(CURSOR.name), read_limit(query)))


@endpoint(
    bp,
    SERVICE,
    "approvals_decide",
    "POST /orders/{order_id}/approval",
    ORDER,
    scope="orders.approve",
    body=DecideOrder,
    returns=OrderView,
    problems=(404, 409),
)
async def decide(request: Request[DecideOrder]) -> Response:
    """Approve or refuse an order that waits.

    Approved, it is confirmed; refused, it is cancelled as `not_approved`. The first decision counts: the same one sent
    again has the same answer, another one, or one after the time that it waits, is a 409. Nobody decides about an order
    of their own.
    """
    body = request.body
    return Response(await approval_service.decide(request.caller, request.path(ORDER), body.decision, body.why))


@bp.function_name(approval_saga.LOOK_UP)
@bp.activity_trigger(input_name="about")
async def look_up(about: About) -> Standing:
    """How an order's approval stands."""
    with activity(SERVICE.name, approval_saga.LOOK_UP, about.get("traceparent")):
        status, until = await approval_service.stands(about["order_id"])
    return {"status": status} if until is None else {"status": status, "until": until}


@bp.function_name(approval_saga.TIME_OUT)
@bp.activity_trigger(input_name="about")
async def time_out(about: About) -> Status:
    """Cancel an order that nobody has decided in time. Answers the status it now has."""
    with activity(SERVICE.name, approval_saga.TIME_OUT, about.get("traceparent"), about["order_id"]):
        return (await approval_service.time_out(about["order_id"])).status
