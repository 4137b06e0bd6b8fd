"""Messages as clients send and receive them: bytes → what the broker keeps → bytes."""

from __future__ import annotations

from typing import Any

from localazure.servicebus.amqp.decode import decode
from localazure.servicebus.amqp.encode import described, encode, long, mapping, string, symbol
from localazure.servicebus.amqp.message import (
    ANNOTATIONS,
    BATCH_FORMAT,
    Parsed,
    delivery_annotations,
    header,
    parse,
    seconds,
    text,
)
from localazure.servicebus.amqp.types import DecodeError, Int32, Timestamp, Ubyte
from localazure.servicebus.content import identified
from localazure.servicebus.locks import Lock
from localazure.servicebus.mailbox import NEVER
from localazure.servicebus.queue import Queue
from localazure.servicebus.store import Message
from localazure.servicebus.target import Incoming

_DUE = "x-opt-scheduled-enqueue-time"
_KEPT = ("x-opt-partition-key", "x-opt-via-partition-key")
_WRITTEN = frozenset((
    "x-opt-sequence-number", "x-opt-enqueued-time", "x-opt-message-state", "x-opt-locked-until",
    "x-opt-enqueue-sequence-number", "x-opt-deadletter-source", "x-opt-lock-token", _DUE, *_KEPT,
))  # fmt: skip
"""Annotations that are the broker's to write; all others are the sender's own."""
_MAX_TTL = 4_294_967_295
_STATES = {name: encode(Int32(number)) for number, name in enumerate(("active", "deferred", "scheduled"))}
_NUMBER, _ENQUEUED, _STATE, _LOCKED, _SCHEDULED = (
    symbol(name) for name in ("x-opt-sequence-number", "x-opt-enqueued-time", "x-opt-message-state",
                              "x-opt-locked-until", _DUE)
)  # fmt: skip


def read(payload: bytes, message_format: int) -> list[Incoming]:
    """The messages of one transfer: one, or as many as its batch holds. Raises DecodeError."""
    parsed = parse(payload)
    if message_format != BATCH_FORMAT:
        return [_incoming(parsed)]
    return [_incoming(parse(part)) for part in parsed.data]


def _incoming(parsed: Parsed) -> Incoming:
    parsed = identified(parsed)
    pairs = zip(parsed.annotations[::2], parsed.annotations[1::2], strict=True)
    own: list[bytes] = []
    known: dict[str, Any] = {}
    for key, value in pairs:
        name = decode(key)[0]
        if name in _WRITTEN:
            known[name] = decode(value)[0]
        else:
            own += (key, value)
    durable, priority, *_ = (*parsed.header, None, None)
    due, session_id = known.get(_DUE), parsed.property("SessionId")
    return Incoming(
        content=parsed.content,
        message_id=str(text(parsed.property("MessageId"))),
        session_id=None if session_id is None else str(text(session_id)),
        ttl=_ttl(parsed),
        due=due / 1000 if isinstance(due, Timestamp) else None,
        annotations={name: str(text(known[name])) for name in _KEPT if known.get(name) is not None},
        own=tuple(own),
        delivery=tuple(_own(parsed.delivery)),
        durable=durable if isinstance(durable, bool) else None,
        priority=int(priority) if isinstance(priority, Ubyte) else None,
        parsed=parsed,
    )


def _own(pairs: list[bytes]) -> list[bytes]:
    """Annotations without the one that is the broker's to write."""
    found = zip(pairs[::2], pairs[1::2], strict=True)
    return [part for pair in found if decode(pair[0])[0] != "x-opt-lock-token" for part in pair]


def _ttl(parsed: Parsed) -> float | None:
    """Seconds. A time that does not fit into the header stands in two moments among the properties."""
    told = parsed.header[2] if len(parsed.header) > 2 else None
    if told is None:
        return None
    if not isinstance(told, int):
        raise DecodeError("the time to live of a message is not a number")
    expires, created = parsed.property("ExpiresAt"), parsed.property("CreationTime")
    if told == _MAX_TTL and isinstance(expires, Timestamp) and isinstance(created, Timestamp) and expires > created:
        told = max(told, expires - created)
    return told / 1000


def encoded(message: Message, queue: Queue, lock: Lock | None) -> bytes:
    """A message as a receiver gets it."""
    annotations = [_NUMBER, long(message.seq), _ENQUEUED, seconds(message.enqueued)]
    if message.state != "active":  # the service does not say it of active ones
        annotations += (_STATE, _STATES[message.state])
    if lock is not None:
        annotations += (_LOCKED, seconds(lock.until))
    if message.due is not None:
        annotations += (_SCHEDULED, seconds(message.due))
    for name, value in message.annotations.items():
        if not name.startswith("$"):
            annotations += (symbol(name), long(value) if isinstance(value, int) else string(str(value)))
    annotations += message.own
    # a dead letter has no time to live any more, and a message that lives for ever is not said to expire
    begin = message.due if message.state == "scheduled" and message.due is not None else message.enqueued
    ttl = None if message.expires >= NEVER or queue.dead_letters is None else message.expires - begin
    return b"".join((
        header(message.durable, message.priority, ttl, message.deliveries),
        delivery_annotations(None if lock is None else lock.token, message.delivery),
        described(ANNOTATIONS, mapping(annotations)),
        message.content,
    ))  # fmt: skip


def tag_of(lock: Lock | None) -> bytes:
    """The delivery tag: the lock's token, in the order of bytes that .NET's Guid has; empty where nothing is locked."""
    return b"" if lock is None else lock.token.bytes_le
