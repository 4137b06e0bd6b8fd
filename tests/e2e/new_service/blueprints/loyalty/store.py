"""Members in Cosmos DB: `members` by /member_id, each with its outbox beside it."""

from __future__ import annotations

from blueprints.loyalty.declaration import SERVICE
from blueprints.loyalty.domain import Member
from shared.contracts.loyalty import MemberJoined

from shared.persistence.cosmos import Container, create
from shared.persistence.documents import document_of, read_as
from shared.persistence.outbox import enqueue_event

MEMBERS = Container.of(SERVICE, "members")


async def get(member_id: str) -> Member | None:
    document = await MEMBERS.read(member_id, member_id)
    return None if document is None else read_as(MEMBERS, document, Member)


async def add(member: Member) -> None:
    """Raises AlreadyExists."""
    item = document_of(member, member_id=member.id, kind="member")
    told = enqueue_event(MEMBERS, member.id, MemberJoined(member_id=member.id), version=1)
    await MEMBERS.batch(member.id, [create(item), told])


async def welcome(member_id: str) -> None:
    await MEMBERS.patch(member_id, member_id, [{"op": "set", "path": "/welcomed", "value": True}])
