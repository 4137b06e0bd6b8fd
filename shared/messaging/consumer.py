"""The consumer: decodes a Service Bus message into a typed event, calls its handler, and sorts what goes wrong.

A transient fault is tried again in place, with exponential backoff and full jitter, well within the message's
lock. Whatever is still wrong after that is raised: the host abandons the message, the broker delivers it again,
and after its last delivery it rests in the dead-letter queue, with its reason in the log under its event id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC
from typing import Any

import azure.functions as func
import msgspec

from shared.backoff import pauses
from shared.clock import utc_now
from shared.contracts.event import Event, EventData, data_of, type_of
from shared.errors import CommerceError, Rejected, Transient
from shared.faultpoints import crash_point
from shared.telemetry.log import Log, bound
from shared.telemetry.span import Span, request

RETRY_BUDGET = 20.0
"""Seconds within which a transient fault is tried again in place; the lock lasts a minute and is renewed."""
FIRST_PAUSE = 0.1
MAX_PAUSE = 5.0

Handler = Callable[[Event, Any], Awaitable[None]]
Handlers = Mapping[type[EventData], Handler]


class _Named(msgspec.Struct):
    """What a refused body is still asked for: the reason can be found by the event's id."""

    id: str = ""


async def consume(service: str, message: func.ServiceBusMessage, handlers: Handlers) -> None:
    """Handle one message. Raises whatever keeps it from being handled, so that the host abandons it."""
    log = Log(service)
    event, data, handler = _understand(log, message, handlers)
    topic = event.source.removeprefix("/")
    with (
        request(
            service,
            f"{service}_on_{topic}",
            _sent_by(message) or event.traceparent,
            key=f"{service}/{event.id}",
            source=f"{topic}/{service}",
        ) as span,
        bound(event_id=event.id, event_subject=event.subject, **_order(data)),
    ):
        _note(span, message, event, data)
        try:
            await with_backoff(lambda: handler(event, data))
        except CommerceError as exc:
            log.error("event.failed", code=exc.code, reason=exc.detail)
            raise
        except Exception as exc:
            log.error("event.failed", exc_info=exc, code="internal-error")
            raise
        log.spanned("event.consumed", type=event.type)
        crash_point("message.handled", service, event.type)


async def with_backoff(action: Callable[[], Awaitable[None]], budget: float = RETRY_BUDGET) -> None:
    """Run `action` until it succeeds, fails for good, or has been failing for `budget` seconds."""
    deadline = time.monotonic() + budget
    for pause in pauses(FIRST_PAUSE, MAX_PAUSE):
        try:
            await action()
            return
        except Transient:
            if time.monotonic() + pause > deadline:
                raise
        await asyncio.sleep(pause)


def _sent_by(message: func.ServiceBusMessage) -> str:
    """The traceparent of the send, which a message carries beside that of its event."""
    with suppress(Exception):  # metadata of a message that others sent may be anything
        return str((message.application_properties or {}).get("traceparent") or "")
    return ""


def _note(span: Span, message: func.ServiceBusMessage, event: Event, data: EventData) -> None:
    span.note("event_id", event.id)
    span.note("order_id", _order(data).get("order_id"))
    with suppress(Exception):  # the same
        if (deliveries := int(message.delivery_count or 0)) > 1:  # the first is what is usual
            span.note("delivery_count", deliveries)
        if (enqueued := message.enqueued_time_utc) is not None:  # without a zone, it is UTC
            waited = utc_now() - (enqueued if enqueued.tzinfo else enqueued.replace(tzinfo=UTC))
            span.note("queue_ms", max(0, round(waited.total_seconds() * 1000)))


def _order(data: EventData) -> dict[str, str]:
    """The order that an event is about, where it is about one: a SKU or a cart's id is no order's."""
    order_id = getattr(data, "order_id", None)
    return {} if order_id is None else {"order_id": order_id}


def _understand(log: Log, message: func.ServiceBusMessage, handlers: Handlers) -> tuple[Event, EventData, Handler]:
    """The event in a message's body, and who handles it. Raises Rejected, after telling operations."""
    body = message.get_body()
    event_type = "this"
    try:
        event = msgspec.json.decode(body, type=Event)
        event_type = event.type
        data = data_of(event)
        return event, data, handlers[type(data)]
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        reason = f"not a valid event: {exc}"
    except LookupError:
        reason = f"no handler here for {event_type}; expected {', '.join(map(type_of, handlers))}"
    log.error("event.rejected", event_id=_id_of(message, body), reason=reason)
    raise Rejected(reason)


def _id_of(message: func.ServiceBusMessage, body: bytes) -> str:
    """What a refused message calls itself.

    A member of a JSON object in the body wins in the trigger's metadata over the message's own property of the same
    name, whatever the host takes for JSON. So where the body may be an object, its `id` is read, never the metadata.
    """
    text = body.decode("utf-8", "replace").strip("\ufeff \t\r\n").lstrip()
    if not text.startswith(("{", "/")):
        return message.message_id or ""
    try:
        return msgspec.json.decode(body, type=_Named).id
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
