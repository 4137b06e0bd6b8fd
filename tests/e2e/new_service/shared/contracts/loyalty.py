"""What loyalty tells: somebody has joined."""

from __future__ import annotations

from shared.contracts.event import EventData, event_type


@event_type("member.joined.v1")
class MemberJoined(EventData, frozen=True, kw_only=True):
    """Subject: the member's id."""

    member_id: str
