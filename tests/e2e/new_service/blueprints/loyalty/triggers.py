"""Everything that can set loyalty in motion."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from blueprints.loyalty import service, store
from blueprints.loyalty.declaration import SERVICE
from blueprints.loyalty.service import MEMBER_ID, Join, MemberView

from shared.contracts.event import Event, EventData
from shared.contracts.orders import OrderConfirmed
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed, subscription
from shared.persistence.feed import as_written
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import PathParameter

bp = df.Blueprint()

MEMBER = PathParameter("member_id", "The member's id.", MEMBER_ID, "mem_4q2n5xk7d6h3w2m5r7t2y4u6i3")


@endpoint(
    bp,
    SERVICE,
    "members_join",
    "POST /members",
    scope="loyalty.write",
    body=Join,
    returns=MemberView,
    status=202,
    location=True,
)
async def join(request: Request[Join]) -> Response:
    """Become a member."""
    member = await service.join(request.caller)
    return Response(member, 202, {"Location": f"/v1/members/{member.id}"})


@endpoint(bp, SERVICE, "members_get", "GET /members/{member_id}", MEMBER, returns=MemberView, problems=(404,))
async def get(request: Request[Any]) -> Response:
    """Read a member."""
    return Response(await service.get(request.path(MEMBER)))


@change_feed(bp, SERVICE, store.MEMBERS)
@bp.durable_client_input(client_name="client")
async def feed(documents: func.DocumentList, client: df.DurableOrchestrationClient) -> None:
    """Relay the outbox, and start to welcome ahead of it."""

    async def before(event: Event, _: EventData) -> None:
        await client.start_new("loyalty_welcome", event.subject, event.subject)

    await relay(store.MEMBERS, as_written(documents), before)


subscription(bp, SERVICE, "orders", {OrderConfirmed: service.reward})


@bp.function_name("loyalty_welcome")
@bp.orchestration_trigger(context_name="context")
def welcome(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """Welcome a member."""
    yield context.call_activity("loyalty_note", context.get_input())
    return "welcomed"


@bp.function_name("loyalty_note")
@bp.activity_trigger(input_name="member")
async def note(member: str) -> None:
    await store.welcome(member)
