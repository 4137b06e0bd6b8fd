"""The consumer: a message becomes a typed event and meets its handler; what then goes wrong is sorted here.

A transient fault is tried again in place, with exponential backoff and full jitter, well within the message's
lock. Whatever is still wrong after that is raised: the host abandons the message, the broker delivers it again,
and after its last delivery it rests in the dead-letter queue, with its reason in the log under its event id.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import azure.functions as func
import msgspec

from shared.contracts.event import Event, EventData, data_of, type_of
from shared.errors import CommerceError, Rejected, Transient
from shared.faultpoints import crash_point
from shared.telemetry.export import span
from shared.telemetry.log import Log, bound

RETRY_BUDGET = 20.0
"""Seconds within which a transient fault is tried again in place; the lock lasts a minute and is renewed."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

Handler = Callable[[Event, Any], Awaitable[None]]
Handlers = Mapping[type[EventData], Handler]


async def consume(service: str, message: func.ServiceBusMessage, handlers: Handlers) -> None:
    """Handle one message. Raises whatever keeps it from being handled, so that the host abandons it."""
    log = Log(service)
    event, data, handler = _understand(log, message, handlers)
    with (
        span(f"consume {event.type}", event.traceparent),
        bound(event_id=event.id, order_id=event.subject),
    ):
        try:
            await with_backoff(lambda: handler(event, data))
        except CommerceError as exc:
            log.error("event.failed", code=exc.code, reason=exc.detail, delivery=message.delivery_count or 0)
            raise
        except Exception as exc:
            log.error("event.failed", exc_info=exc, code="internal-error", delivery=message.delivery_count or 0)
            raise
        log.info("event.consumed", type=event.type)
        crash_point("message.handled", service, event.type)


async def with_backoff(action: Callable[[], Awaitable[None]], budget: float = RETRY_BUDGET) -> None:
    """Run `action` until it succeeds, fails for good, or has been failing for `budget` seconds.

    The pauses are drawn evenly from 0 to a bound that doubles ("full jitter").
    """
    deadline = time.monotonic() + budget
    bound_ = FIRST_PAUSE
    while True:
        try:
            await action()
            return
        except Transient:
            pause = random.uniform(0, bound_)  # noqa: S311 - jitter needs no secrecy
            if time.monotonic() + pause > deadline:
                raise
        await asyncio.sleep(pause)
        bound_ = min(LONGEST_PAUSE, bound_ * 2)


def _understand(log: Log, message: func.ServiceBusMessage, handlers: Handlers) -> tuple[Event, EventData, Handler]:
    try:
        event = msgspec.json.decode(message.get_body(), type=Event)
        data = data_of(event)
        return event, data, handlers[type(data)]
    except msgspec.MsgspecError as exc:
        reason = f"not a valid event: {exc}"
    except LookupError:
        reason = f"no handler here for {message.label}; expected {', '.join(map(type_of, handlers))}"
    log.error("event.rejected", event_id=message.message_id or "", reason=reason)
    raise Rejected(reason)
