"""The two ends of a link as the broker has them: one that takes messages from a client, one that hands them out."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from localazure.servicebus import codec, content
from localazure.servicebus.durations import FOREVER
from localazure.servicebus.engine import LARGEST_MESSAGE, Broker
from localazure.servicebus.errors import BrokerError, TooLarge
from localazure.servicebus.locks import Lock
from localazure.servicebus.queue import NEVER, Queue
from localazure.servicebus.store import Message
from localazure.servicebus.target import Incoming

CREDIT = 1000


class Session(Protocol):
    """What a link needs of its session."""

    def send(self, frame: bytes) -> None: ...

    def send_message(self, handle: int, tag: bytes, settled: bool, payload: bytes) -> int: ...

    def grant(self, link: IncomingLink) -> None: ...

    def lost(self, handle: int, error: BrokerError) -> None: ...


class RequestLink:
    """One half of a request/response pair: the client's requests, or the broker's answers."""

    def __init__(self, node: str, handle: int) -> None:
        self.node, self.handle = node, handle
        self.received = 0
        self._parts = bytearray()

    def transfer(self, fields: list[Any]) -> bytes | None:
        """One transfer frame; the request, when it is complete."""
        self._parts += fields[11]
        if fields[5]:
            return None
        request, self._parts = bytes(self._parts), bytearray()
        self.received += 1
        return request


class IncomingLink:
    """A client's sender. Messages are acknowledged when they are on disk."""

    def __init__(self, session: Session, handle: int, broker: Broker, entity: str) -> None:
        self._session, self.handle, self._broker, self._entity = session, handle, broker, entity
        self.received = 0
        self._parts = bytearray()
        self._first: list[Any] | None = None

    def transfer(self, fields: list[Any]) -> None:
        """One transfer frame; the message is complete when `more` is false."""
        if self._first is None:
            self._first = fields
        self._parts += fields[11]
        if fields[5]:
            return
        first, payload = self._first, bytes(self._parts)
        self._first, self._parts = None, bytearray()
        self.received += 1
        self._session.grant(self)
        self.message(int(first[1]), bool(first[4]), int(first[3] or 0), payload)

    def message(self, delivery_id: int, settled: bool, message_format: int, payload: bytes) -> None:
        def acknowledge(state: Any = None) -> None:
            if not settled:
                self._session.send(codec.disposition(False, delivery_id, delivery_id, state or codec.accepted()))

        try:
            if len(payload) > LARGEST_MESSAGE:
                raise TooLarge(
                    f"The received message (delivery-id:{delivery_id}, size:{len(payload)} bytes) exceeds the limit "
                    f"({LARGEST_MESSAGE} bytes) currently allowed on the link."
                )
            self._broker.send(self._entity, read(payload, message_format), acknowledge)
        except BrokerError as exc:
            acknowledge(codec.rejected(exc.condition, str(exc)))
        except (ValueError, IndexError, TypeError) as exc:
            acknowledge(codec.rejected("amqp:decode-error", f"the message cannot be read: {exc}"))


class OutgoingLink:
    """A client's receiver: hands out what the queue has, as far as the client's credit goes."""

    def __init__(self, session: Session, handle: int, queue: Queue, peek_lock: bool) -> None:
        self._session, self.handle, self.queue, self.peek_lock = session, handle, queue, peek_lock
        self.session_id: str | None = None
        self.credit = 0
        self.delivered = 0
        self._deliveries: dict[int, Lock] = {}

    def lost(self, error: BrokerError) -> None:
        """The queue, or the session that the link holds, is no longer to be had."""
        self._session.lost(self.handle, error)

    def wants(self) -> bool:
        return self.credit > 0

    def flow(self, delivery_count: int, credit: int) -> None:
        """The client's credit is restated from its own count of deliveries; it is never a difference."""
        self.credit = max(0, delivery_count + credit - self.delivered)
        self.queue.pump()

    def deliver(self, message: Message, lock: Lock | None) -> None:
        self.credit -= 1
        self.delivered += 1
        tag = lock.token.bytes_le if lock is not None else uuid.uuid4().bytes_le
        payload = encoded(message, self.queue, None if lock is None else lock.until)
        delivery_id = self._session.send_message(self.handle, tag, lock is None, payload)
        if lock is not None:
            self._deliveries[delivery_id] = lock

    def settle(self, delivery_id: int, state: Any) -> Any | None:
        """Carry out an outcome; the state to answer with, or `None` for a delivery that is not this link's.

        A lock that has run out is answered with an error in the outcome's place.
        """
        lock = self._deliveries.pop(delivery_id, None)
        if lock is None:
            return None
        try:
            return self._apply(lock, state)
        except BrokerError as exc:
            return codec.rejected(exc.condition, str(exc))

    def _apply(self, lock: Lock, state: Any) -> Any:
        kind, fields = next(iter(state.items())) if isinstance(state, Mapping) and state else ("accepted", [])
        if kind == "accepted":
            self.queue.complete(lock.token)
            return codec.accepted()
        if kind == "released":
            self.queue.release(lock.token)
            return codec.released()
        if kind == "modified":
            failed, undeliverable = ([*fields, None, None])[:2]
            if undeliverable:
                self.queue.defer(lock.token)
            else:
                self.queue.abandon(lock.token)
            return codec.modified(bool(failed), bool(undeliverable))
        reason, description = _reason(fields)
        self.queue.dead_letter(lock.token, reason, description)
        return codec.rejected()

    def close(self) -> None:
        self.queue.detach(self)


def read(payload: bytes, message_format: int) -> list[Incoming]:
    """The messages of one transfer: one, or as many as its batch holds."""
    if message_format == codec.BATCH_FORMAT:
        return [_incoming(part) for part in codec.parse(payload).data]
    return [_incoming(payload)]


def _incoming(payload: bytes) -> Incoming:
    parsed = codec.parse(payload)
    due = parsed.annotations.get("x-opt-scheduled-enqueue-time")
    ttl = parsed.header[2] if len(parsed.header) > 2 else None
    identifier = parsed.properties.get("MessageId")
    session_id = parsed.properties.get("SessionId")
    annotations = {
        name: codec.text(value)
        for name, value in parsed.annotations.items()
        if name in ("x-opt-partition-key", "x-opt-via-partition-key") and value is not None
    }
    return Incoming(
        content=parsed.content,
        message_id=None if identifier is None else str(identifier),
        session_id=None if session_id is None else str(session_id),
        ttl=None if ttl is None else ttl / 1000,
        due=None if due is None else due / 1000,
        annotations=annotations,
        properties=content.properties_of(parsed),
    )


def encoded(message: Message, queue: Queue, until: float | None) -> bytes:
    """A message as a receiver gets it."""
    annotations: dict[str, Any] = {
        "x-opt-sequence-number": codec.long(message.seq),
        "x-opt-enqueued-time": codec.timestamp(message.enqueued),
        "x-opt-message-state": codec.integer({"active": 0, "deferred": 1, "scheduled": 2}[message.state]),
    }
    if until is not None:
        annotations["x-opt-locked-until"] = codec.timestamp(until)
    if message.due is not None:
        annotations["x-opt-scheduled-enqueue-time"] = codec.timestamp(message.due)
    for name, value in message.annotations.items():
        if not name.startswith("$"):
            annotations[name] = codec.long(value) if isinstance(value, int) else codec.string(str(value))
    ttl = (FOREVER if message.expires >= NEVER else message.expires) - (message.due or message.enqueued)
    told = message.content
    if message.reason is not None or message.description is not None:
        told = content.dead_lettered(told, message.reason, message.description)
    # a dead letter has no time to live any more
    return codec.message(told, message.deliveries, annotations, None if queue.dead_letters is None else ttl)


def _reason(fields: Any) -> tuple[str | None, str | None]:
    error = fields[0] if fields else None
    if not error:
        return None, None
    info = {codec.text(name): codec.text(value) for name, value in (error[2] or {}).items()} if len(error) > 2 else {}
    return info.get("DeadLetterReason"), info.get("DeadLetterErrorDescription")
