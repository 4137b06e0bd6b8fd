"""The outbox relay: what the change feed shows as new in an outbox goes to the service's topic, in its order.

A transient fault fails the whole batch; the trigger's retry policy redelivers it (`shared.messaging.triggers`). An item
that can never be published is parked beside the state it tells of, with the reason, where it stops nobody and
can be found.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress

import msgspec

from shared.clock import parse_timestamp, utc_now
from shared.contracts.event import Event, EventData, data_of
from shared.errors import Rejected
from shared.faultpoints import crash_point
from shared.messaging.publisher import publish
from shared.persistence.cosmos import Container, Document
from shared.persistence.outbox import event_of
from shared.telemetry.log import Log
from shared.telemetry.span import COSMOS, Span, request

UNFIT = (ValueError, LookupError, TypeError, msgspec.MsgspecError)
"""What code raises over data that it did not expect: trying again gives the same."""

AT_MOST = 100
"""Events that one round publishes; the rest waits for the next."""
GONE = 1
"""Seconds that an item lives on which nobody needs any more."""

BeforePublishing = Callable[[Event, EventData], Awaitable[None]]


async def relay(container: Container, documents: Iterable[Document], before: BeforePublishing | None = None) -> None:
    """Publish the outbox items among `documents` to the topic named like the container's database.

    `before` is awaited for each event ahead of its publication, with the same guarantee: at least once.
    Raises Transient, upon which the whole batch is to be given again.
    """
    log = Log(container.database)
    events: list[Event] = []
    spans: dict[str, Span] = {}
    written: dict[str, Document] = {}
    for document in documents:
        if document.get("kind") != "outbox":
            continue
        try:
            event = event_of(document)
            data = data_of(event)
        except (msgspec.ValidationError, LookupError) as exc:
            await _park(container, document, f"not a known event: {exc}", log)
            continue
        name = f"{container.database}_feed"
        with request(
            container.database, name, event.traceparent, key=f"{name}/{event.id}", source=f"{COSMOS}/{container.name}"
        ) as span:
            span.note("event_id", event.id)
            span.note("order_id", getattr(data, "order_id", None))
            with suppress(ValueError):  # an invalid time does not keep an event from being published
                span.note("feed_ms", max(0, round((utc_now() - parse_timestamp(event.time)).total_seconds() * 1000)))
            spans[event.id] = span
            try:
                if before is not None:
                    await before(event, data)
            except UNFIT as exc:
                await _park(container, document, f"cannot be handled: {type(exc).__name__}", log)
                continue
            log.spanned("event.relayed", event_id=event.id, event_subject=event.subject)
        events.append(event)
        written[event.id] = document
    await _publish(container, events, written, spans, log)
    crash_point("feed.handled", container.database)


async def relay_waiting(container: Container) -> None:
    """Publish what waits in the outbox of a container whose change feed nobody reads, at most `AT_MOST` events.

    For events that are rare in a container that often changes. An item goes when it is published. Raises Transient.
    """
    query = f"SELECT TOP {AT_MOST} * FROM c WHERE c.kind = 'outbox' AND c.ttl != {GONE}"  # noqa: S608 - fixed text
    documents = [document async for document in container.query(query, {})]
    await relay(container, documents)
    for document in documents:
        gone = [{"op": "set", "path": "/ttl", "value": GONE}]
        await container.patch(document["id"], document[container.partition_key], gone)


async def _publish(
    container: Container, events: list[Event], written: Mapping[str, Document], spans: Mapping[str, Span], log: Log
) -> None:
    try:
        await publish(container.database, events, spans=spans)
        return
    except Rejected:
        if not events:
            raise
    for event in events:
        try:
            await publish(container.database, [event], spans=spans)
        except Rejected as exc:
            await _park(container, written[event.id], exc.detail, log)


async def _park(container: Container, document: Document, reason: str, log: Log) -> None:
    """Park an item with its event, which would else be gone with the item in time."""
    event_id, key = str(document["id"]).removeprefix("outbox:"), document.get(container.partition_key)
    await container.upsert(
        {
            "id": f"parked:{event_id}",
            **({} if key is None else {container.partition_key: key}),
            "kind": "parked",
            "outbox_id": document["id"],
            "reason": reason,
            "event": document.get("event"),
        }
    )
    log.error("event.parked", event_id=event_id, event_subject=str(key), reason=reason)
