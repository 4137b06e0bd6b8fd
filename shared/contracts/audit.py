"""What any service tells of those with special rights: one of them has changed something."""

from __future__ import annotations

from typing import Any

from shared.contracts.event import EventData, event_type


@event_type("act.recorded.v1")
class ActRecorded(EventData, frozen=True, kw_only=True):
    """Subject: the partition of what was changed. `target` is the thing, `act` the operation that changed it.

    `subject`, `client` and `roles` are those of the access token. `before` and `after` hold what is different, and
    nothing that is personal; `reason` is what the actor gave.
    """

    act: str
    target: str
    subject: str
    client: str
    roles: list[str]
    reason: str
    before: dict[str, Any]
    after: dict[str, Any]
