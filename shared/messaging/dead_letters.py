"""What lies in the subscriptions and in their dead-letter queues: looked at, counted, and sent again.

Looking is peeking, which locks nothing and counts as no delivery; it needs the right to receive and no other. A dead
letter that is sent again is another message with an id of its own: inside the duplicate-detection window the broker
drops one whose id it has seen. It is addressed to the one subscription that failed: a topic gives a message to all
whose filter lets it pass, so the copy's label is one that no filter knows, and each subscription's takes what is
addressed to it (`docs/decisions/0065`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
)
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from shared.clock import timestamp
from shared.contracts.event import Event
from shared.errors import Transient
from shared.messaging import client

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusReceiver

REDRIVE = "redrive"
"""Label of what is sent again, which is no event's."""
TASK, FROM, LABEL = "redrive_task", "redrive_from", "redrive_label"
"""Properties of the copy: the task that sent it, the number of the dead letter it was, and the label that this had."""
_REASONS = frozenset({"DeadLetterReason", "DeadLetterErrorDescription"})
PAGE = 250
"""Messages that one peek asks for; the broker may give fewer."""
MAX_COUNTED = 20_000
"""Messages of one queue that are counted. Whoever has more has enough to do."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it lies in a queue. `number` is the broker's, and finds it again.

    `subject` and `event_type` are the event's, where the body is one. `problem` says why it is none; it holds nothing
    of the body.
    """

    topic: str
    subscription: str
    number: int
    message_id: str
    event_id: str
    event_type: str
    subject: str
    reason: str
    description: str
    enqueued_at: str
    deliveries: int
    size: int
    traceparent: str
    task: str
    origin: int
    problem: str
    body: bytes

    @property
    def id(self) -> str:
        """Its name in the API."""
        return f"{self.topic}.{self.subscription}.{self.number}"


def letter_of(topic: str, subscription: str, message: ServiceBusReceivedMessage) -> Letter:
    """The message, read. Nothing in it is trusted to be what our own services write."""
    properties = _properties(message)
    body = _body(message)
    event, problem = _event(body)
    return Letter(
        topic=topic,
        subscription=subscription,
        number=message.sequence_number or 0,
        message_id=_text(message.message_id),
        event_id=event.id if event else _text(message.message_id),
        event_type=event.type if event else _text(properties.get(LABEL) or message.subject),
        subject=event.subject if event else _text(message.session_id),
        reason=_text(message.dead_letter_reason),
        description=_text(message.dead_letter_error_description),
        enqueued_at=_time(message.enqueued_time_utc),
        deliveries=message.delivery_count or 0,
        size=len(body),
        traceparent=event.traceparent if event else _text(properties.get("traceparent")),
        task=_text(properties.get(TASK)),
        origin=_number(properties.get(FROM)),
        problem=problem,
        body=body,
    )


def again(letter: Letter, message: ServiceBusReceivedMessage, task: str) -> ServiceBusMessage:
    """The copy that `task` sends to the subscription that failed.

    Its id is the same however often the task sends it, so that a task that died between sending and completing does
    not send it twice inside the duplicate-detection window. Reason and description stay behind.
    """
    kept = {name: value for name, value in _properties(message).items() if name not in _REASONS}
    told: dict[str | bytes, Any] = {LABEL: _text(message.subject), TASK: task, FROM: letter.number}
    told.update((name, value) for name, value in kept.items() if name not in (TASK, FROM))
    return ServiceBusMessage(
        letter.body,
        message_id=message_id(letter, task),
        session_id=message.session_id,
        subject=REDRIVE,
        to=letter.subscription,
        content_type=message.content_type,
        correlation_id=message.correlation_id,
        application_properties=told,
    )


def message_id(letter: Letter, task: str) -> str:
    """The id of the copy: at most the 128 characters that the broker takes."""
    return f"{letter.event_id[:64]}#{task}:{letter.number}"


@dataclass(frozen=True)
class Depth:
    """How many messages lie in a queue; `all` is false where there are more than are counted."""

    active: int = 0
    scheduled: int = 0
    oldest: float | None = None
    """When the oldest active one came, in seconds of the epoch."""
    all: bool = True

    def age(self, now: float) -> float | None:
        """Seconds that the oldest one has waited."""
        return None if self.oldest is None else max(0.0, round(now - self.oldest, 3))


async def measure(topic: str, subscription: str, *, dead: bool = True) -> Depth:
    """How many messages there are, those that somebody has locked among them. Raises Transient."""
    active, scheduled, oldest, seen = 0, 0, None, 0
    async for message in _peeked(topic, subscription, dead, 1, MAX_COUNTED + 1):
        seen += 1
        if seen > MAX_COUNTED:
            return Depth(active, scheduled, oldest, all=False)
        if message.state is ServiceBusMessageState.SCHEDULED:
            scheduled += 1
            continue
        active += 1
        if message.enqueued_time_utc is not None:
            came = message.enqueued_time_utc.timestamp()
            oldest = came if oldest is None else min(oldest, came)
    return Depth(active, scheduled, oldest)


async def browse(
    topic: str, subscription: str, *, dead: bool = True, first: int = 1, most: int = MAX_COUNTED
) -> AsyncIterator[Letter]:
    """The messages by their number, from `first` on, at most `most`; those that somebody has locked, too.

    Raises Transient if the broker does not answer.
    """
    async for message in _peeked(topic, subscription, dead, first, most):
        yield letter_of(topic, subscription, message)


async def _peeked(
    topic: str, subscription: str, dead: bool, first: int, most: int
) -> AsyncIterator[ServiceBusReceivedMessage]:
    while most > 0:
        found = await client.peek((topic, subscription, dead), max(1, first), min(PAGE, most))
        if not found:
            return
        for message in found:
            yield message
        most -= len(found)
        first = (found[-1].sequence_number or 0) + 1


@asynccontextmanager
async def receiver(topic: str, subscription: str, *, dead: bool = True) -> AsyncIterator[ServiceBusReceiver]:
    """A receiver of the subscription, or of its dead letters, in peek-lock mode."""
    try:
        async with client.receiver_of((topic, subscription, dead)) as made:
            yield made
    except (ServiceBusError, OSError) as exc:
        raise _silent() from exc


async def locked(receiving: ServiceBusReceiver, most: int, patience: float) -> list[ServiceBusReceivedMessage]:
    """At most `most` messages, which are now locked; none after `patience` seconds without any. Raises Transient."""
    try:
        return await receiving.receive_messages(max_message_count=most, max_wait_time=patience)
    except (ServiceBusError, OSError) as exc:
        raise _silent() from exc


async def complete(receiving: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> bool:
    """Take the message out of the queue; False where its lock had run out, so that it comes again. Raises Transient."""
    try:
        await receiving.complete_message(message)
    except MessageLockLostError:
        return False
    except (ServiceBusError, OSError) as exc:
        raise _silent() from exc
    return True


async def give_back(receiving: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
    """Let others have it; where that fails its lock runs out."""
    try:
        await receiving.abandon_message(message)
    except (ServiceBusError, OSError):
        return


async def remove(topic: str, subscription: str, number: int, seconds: float) -> bool:
    """Take one dead letter out of its queue; False where it was not found within so many seconds.

    A queue gives its messages in their order: those ahead stay locked until then, and are given back.
    """
    others: list[ServiceBusReceivedMessage] = []
    deadline = time.monotonic() + seconds
    async with receiver(topic, subscription) as receiving:
        try:
            while time.monotonic() < deadline:
                found = await locked(receiving, PAGE, 1.0)
                others += [message for message in found if message.sequence_number != number]
                wanted = [message for message in found if message.sequence_number == number]
                if wanted:
                    return await complete(receiving, wanted[0])
                if not found:
                    return False
            return False
        finally:
            for message in others:
                await give_back(receiving, message)


def _silent() -> Transient:
    return Transient("the message broker does not answer at present", retry_after=1)


def _properties(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    given: Mapping[Any, Any] = message.application_properties or {}
    return {_text(name): value for name, value in given.items()}


def _body(message: ServiceBusReceivedMessage) -> bytes:
    try:
        return b"".join(message.body)
    except (TypeError, ValueError):  # a value or a sequence, which none of ours is
        return str(message).encode()


def _event(body: bytes) -> tuple[Event | None, str]:
    try:
        return msgspec.json.decode(body, type=Event), ""
    except msgspec.ValidationError as exc:
        _, marker, place = str(exc).rpartition(" - at ")
        return None, f"not an event: another shape{marker}{place if marker else ''}"
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None, "not an event: not JSON"


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _time(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
