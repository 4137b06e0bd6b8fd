"""What the operations of this service take and give."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from blueprints.operations.domain import Fate
from shared.patterns import Timestamp, whole
from shared.web.body import Why

Name = Annotated[str, msgspec.Meta(pattern=whole(r"[a-z][a-z-]{0,49}"))]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class QueueView(msgspec.Struct, frozen=True):
    """A subscription. `counted_all` is false where there are more messages than are counted."""

    topic: str
    service: str
    waiting: int
    scheduled: int
    dead_lettered: int
    counted_all: bool
    oldest_waiting_seconds: float | None
    oldest_dead_letter_seconds: float | None


class DeadLetterSummary(msgspec.Struct, frozen=True):
    """A dead letter in a list."""

    id: str
    topic: str
    service: str
    event_id: str
    event_type: str
    subject: str
    reason: str
    problem: str
    enqueued_at: Timestamp
    deliveries: int


class DeadLetterView(msgspec.Struct, frozen=True):
    """A dead letter. Values in `data` that may be personal are left out.

    `reason` and `description` are the broker's. `problem` says why the body is no event, where it is none; why the
    service failed is in its log under `event_id`. `redriven_by` is the task that had sent it again before.
    """

    id: str
    topic: str
    service: str
    event_id: str
    event_type: str
    subject: str
    reason: str
    description: str
    problem: str
    enqueued_at: Timestamp
    deliveries: int
    bytes: int
    sha256: str
    trace_id: str
    redriven_by: str
    data: dict[str, Any] | None


class DeadLetterFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead letters; what is left out is any."""

    event_type: Text | None = None
    reason: Text | None = None
    subject: Text | None = None
    min_age_seconds: Annotated[int, msgspec.Meta(ge=0, le=1_209_600)] | None = None


class StartRedrive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead letters of which subscription go back to it, and how fast.

    Without `dead_letter_ids` it is those that the filter finds, without a filter all. Nothing is sent unless `dry_run`
    is false.
    """

    topic: Name
    service: Name
    why: Why
    rate: Annotated[int, msgspec.Meta(ge=1, le=1_000, description="Dead letters a second.")] = 10
    dry_run: bool = True
    filter: DeadLetterFilter = DeadLetterFilter()
    dead_letter_ids: Annotated[list[Text], msgspec.Meta(max_length=1_000)] = []
    stop_after: Annotated[int, msgspec.Meta(ge=1, le=1_000, description="So many that come back stop it.")] = 3


class SetAsideView(msgspec.Struct, frozen=True):
    """A dead letter that was set aside: why, and by whom."""

    id: str
    topic: str
    service: str
    event_id: str
    event_type: str
    subject: str
    reason: str
    enqueued_at: Timestamp
    why: str
    by: str
    at: Timestamp


class SentView(msgspec.Struct, frozen=True):
    """A dead letter that a redrive has sent again, and what became of it."""

    dead_letter_id: str
    event_id: str
    event_type: str
    subject: str
    fate: Fate


class HeadView(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the audit log of a day had come: the number of its last entry, and that entry's hash."""

    day: Annotated[str, msgspec.Meta(pattern=whole(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
    number: Annotated[int, msgspec.Meta(ge=1, le=999_999_999)]
    hash: Annotated[str, msgspec.Meta(pattern=whole(r"[0-9a-f]{64}"))]


class EntryView(msgspec.Struct, frozen=True):
    """An entry of the audit log. The hash is of day, number, `previous` and `text`; `entry` is `text`, read."""

    number: int
    previous: str
    hash: str
    text: str
    entry: dict[str, Any]


class Verify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which day to verify, and the heads that were noted elsewhere."""

    day: Annotated[str, msgspec.Meta(pattern=whole(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
    heads: Annotated[list[HeadView], msgspec.Meta(max_length=500)] = []


class FindingView(msgspec.Struct, frozen=True):
    """Where the log is not what it was: the number of the entry, and `altered`, `missing`, `inserted`, `reordered`, or
    `rewritten` for one that is not what was noted elsewhere."""

    number: int
    what: str


class VerifiedView(msgspec.Struct, frozen=True):
    """What a verification came to. The log is whole where there are no findings."""

    day: str
    entries: int
    head: HeadView | None
    findings: list[FindingView]
