"""What loyalty can do: let people join, and show them."""

from __future__ import annotations

import base64
import hashlib
import re

import msgspec
from blueprints.loyalty import store
from blueprints.loyalty.declaration import LOYALTY_POINTS
from blueprints.loyalty.domain import Member

from shared.contracts.event import Event
from shared.contracts.orders import OrderConfirmed
from shared.errors import NotFound
from shared.persistence.cosmos import AlreadyExists
from shared.settings import settings
from shared.telemetry.log import Log
from shared.web.auth import Principal

MEMBER_ID = re.compile(r"mem_[a-z2-7]{26}")
log = Log("loyalty")


class Join(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who wants to be a member."""

    greeting: str


class MemberView(msgspec.Struct, frozen=True):
    """A member as the API shows it."""

    id: str
    welcomed: bool


async def join(caller: Principal) -> MemberView:
    """The caller's membership, which a repeat finds."""
    digest = hashlib.sha256(caller.subject.encode()).digest()
    member = Member("mem_" + base64.b32encode(digest).decode().lower()[:26])
    try:
        await store.add(member)
    except AlreadyExists:
        return await get(member.id)
    return MemberView(member.id, member.welcomed)


async def get(member_id: str) -> MemberView:
    """Raises NotFound."""
    member = await store.get(member_id)
    if member is None:
        raise NotFound("there is no such member")
    return MemberView(member.id, member.welcomed)


async def reward(event: Event, data: OrderConfirmed) -> None:
    log.info("loyalty.rewarded", points=settings().text(LOYALTY_POINTS))
