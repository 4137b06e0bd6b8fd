"""What every service tells that holds something of a person: what became of it, why it cannot go yet, or what it is.

Subject of each: the id of the erasure or the export.
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


@event_type("export.answered.v1")
class ExportAnswered(EventData, frozen=True, kw_only=True):
    """One part of what the service holds, from 1 to `parts`: put together, it is text that is sealed for the export.

    Nobody but accounts can read it, and accounts no longer than the export is kept.
    """

    export_id: str
    account_id: str
    part: int
    parts: int
    sealed: str


@event_type("export.listed.v1")
class ExportListed(EventData, frozen=True, kw_only=True):
    """The orders of whose is exported: who keeps something by order looks there, and answers as if it had been asked.

    `key`: as in `export.started`.
    """

    export_id: str
    account_id: str
    key: str
    orders: list[str]
