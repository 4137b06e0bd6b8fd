"""What every service tells that holds something of a person: what became of it, or why it cannot go yet.

Subject of each: the erasure's id.
"""

from __future__ import annotations

import msgspec

from shared.contracts.event import EventData, event_type


class Kept(msgspec.Struct, frozen=True):
    """Something that is still there, and why."""

    what: str
    why: str


@event_type("erasure.answered.v1")
class ErasureAnswered(EventData, frozen=True, kw_only=True):
    """The service has erased what it names, and keeps what it names."""

    erasure_id: str
    account_id: str
    erased: list[str]
    kept: list[Kept]


@event_type("erasure.refused.v1")
class ErasureRefused(EventData, frozen=True, kw_only=True):
    """These orders of the customer are open: goods and money are still on their way."""

    erasure_id: str
    account_id: str
    orders: list[str]
