"""What letters can do: write one to who has joined, and show it."""

from __future__ import annotations

import msgspec
from blueprints.letters import domain, store
from shared.contracts.loyalty import MemberJoined

from shared.contracts.event import Event
from shared.errors import NotFound


class Letter(msgspec.Struct, frozen=True):
    """A letter as the API shows it."""

    text: str


async def write(event: Event, data: MemberJoined) -> None:
    await store.add(data.member_id, domain.text(data.member_id))


async def get(member_id: str) -> Letter:
    """Raises NotFound."""
    text = await store.get(member_id)
    if text is None:
        raise NotFound("there is no such letter")
    return Letter(text)
