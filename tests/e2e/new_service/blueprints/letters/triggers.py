"""Everything that can set letters in motion."""

from __future__ import annotations

import re
from typing import Any

import azure.functions as func
from blueprints.letters import service
from blueprints.letters.declaration import SERVICE
from blueprints.letters.service import Letter
from shared.contracts.loyalty import MemberJoined

from shared.messaging.triggers import subscription
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import PathParameter

bp = func.Blueprint()

MEMBER = PathParameter(
    "member_id", "The member's id.", re.compile(r"mem_[a-z2-7]{26}"), "mem_4q2n5xk7d6h3w2m5r7t2y4u6i3"
)


@endpoint(
    bp,
    SERVICE,
    "letters_get",
    "GET /letters/{member_id}",
    MEMBER,
    scope="letters.read",
    returns=Letter,
    problems=(404,),
)
async def get(request: Request[Any]) -> Response:
    """Read the letter to a member."""
    return Response(await service.get(request.path(MEMBER)))


subscription(bp, SERVICE, "loyalty", {MemberJoined: service.write})
