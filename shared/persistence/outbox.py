"""The outbox: an event is written beside the state it tells of, in one transactional batch, and relayed from there.

The inbox: what a consumer has already dealt with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from shared.clock import timestamp
from shared.contracts.event import Event, EventData, make_event
from shared.persistence.cosmos import Container, Document, Operation, create
from shared.telemetry import export, trace

FAILURES = frozenset({"OrderCancelled", "PaymentDeclined", "StockRejected"})
"""Events that tell of an order which fails: its trace is kept whole."""
RETENTION = 30 * 24 * 3600
"""Seconds that outbox and inbox items stay: far longer than a message can live, and long enough to ask about."""


def enqueue_event(
    container: Container, key: str, data: EventData, *, version: int, time: str | None = None, subject: str = ""
) -> Operation:
    """Batch operation that puts the event "`data` happened at `version` of `subject`" into the outbox of `key`.

    The subject is `key`, where it is not something else whose state lies in the same partition.
    """
    if type(data).__name__ in FAILURES:
        export.keep(trace.current().trace_id)
    event = make_event(
        data,
        source=container.database,
        subject=subject or key,
        version=version,
        time=time or timestamp(),
        traceparent=trace.current().traceparent,
    )
    return create(outbox_document(container, key, event))


def outbox_document(container: Container, key: str, event: Event) -> Document:
    """The item that holds `event` in the partition of the state it tells of.

    Its data is JSON text: the change feed's trigger rewrites what looks like a date (`shared.persistence.feed`).
    """
    content = {**msgspec.structs.asdict(event), "data": bytes(event.data).decode()}
    return item_of(container, key, "outbox", f"outbox:{event.id}", content)


def inbox_document(container: Container, key: str, event: Event) -> Document:
    """The item that records `event` as dealt with: that it exists already says that it was before."""
    content = {"id": event.id, "type": event.type, "time": event.time, "source": event.source}
    return item_of(container, key, "inbox", f"inbox:{event.id}", content)


def item_of(
    container: Container, key: str, kind: Literal["outbox", "inbox"], item_id: str, content: Mapping[str, Any]
) -> Document:
    """An item of either, with what it holds of an event."""
    return {"id": item_id, container.partition_key: key, "kind": kind, "event": content, "ttl": RETENTION}


def event_of(document: Document) -> Event:
    """The event an outbox item holds. Raises msgspec.ValidationError where it holds something else."""
    event = document.get("event")
    if isinstance(event, dict) and isinstance(event.get("data"), str):
        event = {**event, "data": msgspec.Raw(event["data"].encode())}
    return msgspec.json.decode(msgspec.json.encode(event), type=Event)
