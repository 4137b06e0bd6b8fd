"""Sending: a sender per topic, created on first use."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

import msgspec
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import MessageSizeExceededError, ServiceBusError

from shared.contracts.event import Event
from shared.errors import Rejected, Transient
from shared.faultpoints import crash_point
from shared.messaging import client
from shared.telemetry import trace
from shared.telemetry.span import SERVICE_BUS, Span, dependency

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusSender

_MAX_INT = 2**31 - 1
_CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
_senders: dict[str, _TopicSender] = {}


class _TopicSender:
    """A sender is not safe for concurrent use; one send at a time, in the order they were asked for."""

    def __init__(self, sender: ServiceBusSender) -> None:
        self.sender = sender
        self._turn = asyncio.Lock()

    async def send(self, messages: Sequence[ServiceBusMessage]) -> None:
        async with self._turn:
            if len(messages) == 1:
                await self.sender.send_messages(messages[0])
                return
            batch = await self.sender.create_message_batch()
            for message in messages:
                try:
                    batch.add_message(message)
                except MessageSizeExceededError:
                    if len(batch):
                        await self.sender.send_messages(batch)
                        crash_point("publish.part.after", self.sender.entity_name)
                    batch = await self.sender.create_message_batch()
                    batch.add_message(message)
            await self.sender.send_messages(batch)


def encode(event: Event, repeat: str = "", traceparent: str = "") -> ServiceBusMessage:
    """The message that carries `event`: message id = event id, session id = subject, label = type.

    `repeat` makes it another message of the same event, which duplicate detection lets pass. `traceparent` is that of
    the send, which its consumers continue.
    """
    return ServiceBusMessage(
        msgspec.json.encode(event),
        message_id=f"{event.id}#{repeat}" if repeat else event.id,
        session_id=event.subject,
        subject=event.type,
        content_type=_CONTENT_TYPE,
        application_properties={"traceparent": traceparent or event.traceparent, "version": _whole(event.version)},
    )


def _whole(number: int) -> Any:
    """A whole number as the client takes it: in 32 bits unless it is told, and it refuses one beyond them."""
    return number if number <= _MAX_INT else {"TYPE": "LONG", "VALUE": number}


async def publish(
    topic: str, events: Sequence[Event], repeat: str = "", spans: Mapping[str, Span] | None = None
) -> None:
    """Send `events` in their order; returns when the broker has them all. For `repeat` see `encode`.

    `spans`: by event id, what its send belongs to; elsewhere it belongs to what told the event.

    Raises Rejected if one alone is larger than the broker takes (some before it may have been sent: the
    broker's duplicate detection makes sending them again harmless), Transient if the broker does not answer.
    """
    if not events:
        return
    try:
        with ExitStack() as sends:
            messages = [
                encode(event, repeat, sends.enter_context(_send(topic, event, repeat, spans or {})).context.traceparent)
                for event in events
            ]
            await _sender(topic).send(messages)
        crash_point("publish.after", topic)
    except MessageSizeExceededError as exc:
        raise Rejected("the event is larger than a message may be", code="event-too-large") from exc
    except (ServiceBusError, OSError) as exc:
        raise Transient("the message broker does not answer at present") from exc


async def send(topic: str, messages: Sequence[ServiceBusMessage]) -> None:
    """Send messages as they are, in their order; returns when the broker has them all.

    Raises Rejected if one alone is larger than the broker takes, Transient if the broker does not answer.
    """
    try:
        await _sender(topic).send(messages)
    except MessageSizeExceededError as exc:
        raise Rejected("the message is larger than a message may be", code="message-too-large") from exc
    except (ServiceBusError, OSError) as exc:
        raise Transient("the message broker does not answer at present") from exc


def _send(topic: str, event: Event, repeat: str, spans: Mapping[str, Span]) -> AbstractContextManager[Span]:
    """The span of one event's send, in the event's own trace."""
    within = spans.get(event.id)
    if within is None and (told := trace.parse(event.traceparent)) is not None:
        within = Span(topic, "", told, "")
    return dependency(SERVICE_BUS, f"send {topic}", topic, event.type, within=within, key=f"send/{event.id}{repeat}")


async def close() -> None:
    """Close every sender and the connection; the next publication opens new ones."""
    senders = [held.sender for held in _senders.values()]
    _senders.clear()
    for sender in senders:
        await sender.close()
    await client.close()


def _sender(topic: str) -> _TopicSender:
    held = _senders.get(topic)
    if held is None:
        held = _senders[topic] = _TopicSender(client.bus().get_topic_sender(topic))
    return held
