"""Republishing: how a service that waits for the others, and hears nothing, asks without calling them.

If a message was dead-lettered or a saga ended by hand, the waiting service publishes its last event again under a new
message id (duplicate detection would drop the old one). Consumers deduplicate by event id; orders answers a reply that
it knows already by publishing its decision again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType

from shared.clock import timestamp, utc_now
from shared.contracts.audit import ActRecorded
from shared.contracts.event import Event, EventData, type_of
from shared.errors import Transient
from shared.messaging.publisher import publish
from shared.persistence.cosmos import ConditionFailed, Container, Document, ItemNotFound
from shared.persistence.outbox import event_of
from shared.settings import RECONCILE_AFTER_SECONDS, settings
from shared.telemetry.log import Log
from shared.telemetry.metric import measured
from shared.telemetry.span import request

AT_MOST = 100
"""Items that one round tells again; the rest waits for the next."""
SEEN = 1000
"""Items that one round looks at, the oldest first. That many stands for as many or more."""


async def unfinished(container: Container, kind: str, status: str, seconds: float) -> list[str]:
    """Order ids of the items of `kind` that have had `status` for longer than so many seconds, the oldest first.

    What waits for a person says until when in `held_until`: before that it is not looked at.
    """
    given = {"@kind": kind, "@status": status, "@now": timestamp(utc_now())}
    condition = "c.kind = @kind AND c.status = @status AND (NOT IS_DEFINED(c.held_until) OR c.held_until < @now)"
    return await waiting(container, status, condition, seconds, given)


async def hold_until(container: Container, order_id: str, status: str, until: str) -> None:
    """Write into an item that has `status` until when it waits for a person: it is not `unfinished` before that."""
    with suppress(ConditionFailed, ItemNotFound):
        changes = [{"op": "set", "path": "/held_until", "value": until}]
        await container.patch(order_id, order_id, changes, f'from c where c.status = "{status}"')


async def waiting(
    container: Container, status: str, condition: str, seconds: float, given: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """Order ids of the items that a condition, a fixed text, has held of for longer than so many seconds.

    The oldest come first. How many items it holds of, and for how long, is measured under the name `status`.
    """
    query = f"SELECT TOP {SEEN} c.order_id, c._ts FROM c WHERE {condition} ORDER BY c._ts"  # noqa: S608 - fixed text
    found = [document async for document in container.query(query, given)]
    now = utc_now().timestamp()
    ages = {document["order_id"]: now - document["_ts"] for document in found}
    overdue = {order_id: age - seconds for order_id, age in ages.items() if age > seconds}
    measured(container.database, "waiting_seconds", ages.values(), status=status)
    measured(container.database, "overdue_seconds", overdue.values(), status=status)
    return list(overdue)[:AT_MOST]


async def each_apart(container: Container, keys: Iterable[str], action: Callable[[str], Awaitable[None]]) -> None:
    """Do `action` for every key. A key that fails for its own reason is logged and stops no other. Raises Transient."""
    for key in keys:
        try:
            await action(key)
        except Transient:
            raise
        except Exception as exc:
            Log(container.database).error("reconcile.failed", exc_info=exc, subject=key)


async def republish_overdue(container: Container, kind: str, status: str) -> None:
    """The items of `kind` that have waited in `status` for too long tell orders again what they wait for."""
    overdue = await unfinished(container, kind, status, settings().seconds(RECONCILE_AFTER_SECONDS))
    await each_apart(container, overdue, lambda order_id: republish_last(container, order_id))


async def republish_last(container: Container, key: str, among: Collection[type[EventData]] = ()) -> None:
    """Publish the last event in the outbox of `key` once more; the last of those types, where some are named.

    Raises Transient.
    """
    # a record of who did it stands beside it, at the same version
    query = "SELECT * FROM c WHERE c.kind = 'outbox' AND c.event.type != @record"
    parameters = {"@record": type_of(ActRecorded)}
    told: list[Document] = [document async for document in container.query(query, parameters, key=key)]
    events = [event for event in map(event_of, told) if not among or event.type in set(map(type_of, among))]
    if events:
        await _again(container.database, max(events, key=lambda event: event.version))


async def republish_all(container: Container, key: str) -> None:
    """Publish every event in the outbox of `key` once more. Raises Transient."""
    query = "SELECT * FROM c WHERE c.kind = 'outbox'"
    told: list[Document] = [document async for document in container.query(query, {}, key=key)]
    for event in map(event_of, told):
        await _again(container.database, event)


async def _again(service: str, event: Event) -> None:
    with request(service, f"{service}_tell_again", event.traceparent, key=f"again/{event.id}") as span:
        span.note("event_id", event.id)
        await publish(service, [event], repeat=timestamp(), spans={event.id: span})
        Log(service).warning("event.told_again", event_id=event.id, subject=event.subject)
