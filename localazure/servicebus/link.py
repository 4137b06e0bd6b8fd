"""The ends of links as the broker has them: they take messages or requests from a client, or hand messages out."""

from __future__ import annotations

import uuid
from collections import deque
from typing import Any

from localazure.servicebus.amqp import frames
from localazure.servicebus.amqp.frames import Frame
from localazure.servicebus.amqp.types import DecodeError, Described
from localazure.servicebus.authorization import root
from localazure.servicebus.engine import MAX_MESSAGE_SIZE
from localazure.servicebus.errors import BrokerError, Malformed, NotAllowed, TooLarge
from localazure.servicebus.locks import Lock
from localazure.servicebus.messages import encoded, read, tag_of
from localazure.servicebus.ports import SessionPort
from localazure.servicebus.queue import Queue
from localazure.servicebus.settlement import outcome, settle
from localazure.servicebus.store import Message
from localazure.servicebus.transactions import Operation

CREDIT = 1000
_MAX_DELIVERY_SIZE = 4 * MAX_MESSAGE_SIZE
"""Bytes after which a delivery that does not end costs its link; what is beyond a message's size is not kept."""
_MAX_ANSWERS = 1000
"""Answers that wait for credit."""


def transaction_of(state: Any) -> bytes | None:
    """The transaction that a transfer or an outcome is part of."""
    if isinstance(state, Described) and state.descriptor == frames.TRANSACTIONAL:
        identifier = state.value[0] if state.value else None
        if not isinstance(identifier, bytes):
            raise DecodeError("a transactional state without its transaction")
        return identifier
    return None


class Assembly:
    """The frames of one delivery after another, put together; the client of the link is kept in credit for more."""

    def __init__(self, session: SessionPort, handle: int) -> None:
        self._session, self._handle = session, handle
        self._received = 0
        self._parts = bytearray()
        self._size = 0
        self.first: list[Any] | None = None

    def add(self, frame: Frame) -> tuple[list[Any], bytes, int] | None:
        """The delivery when it is complete: the fields of its first frame, what is kept of it, its size.

        Nothing for one that its sender aborts. Raises TooLarge for one that does not end.
        """
        found = self._put_together(frame)
        if found is None:
            return None
        self._received += 1
        self._session.grant(self._handle, self._received)
        return None if frame.fields[9] else found

    def _put_together(self, frame: Frame) -> tuple[list[Any], bytes, int] | None:
        fields = frame.fields
        if self.first is None:
            self.first = fields
        self._size += len(frame.payload)
        if self._size > _MAX_DELIVERY_SIZE:
            raise TooLarge(f"A delivery of more than {_MAX_DELIVERY_SIZE} bytes exceeds the limit of the link.")
        if not self._parts and not fields[5]:
            found = self.first, frame.payload, self._size
        else:
            if len(self._parts) <= MAX_MESSAGE_SIZE:
                self._parts += frame.payload
            if fields[5] and not fields[9]:
                return None
            found = self.first, bytes(self._parts), self._size
        self._parts, self._size, self.first = bytearray(), 0, None
        return found


class RequestLink:
    """One half of a request/response pair: the client's requests, or the broker's answers."""

    def __init__(self, session: SessionPort, node: str, handle: int) -> None:
        self._session, self.node, self.handle = session, node, handle
        self._assembly = Assembly(session, handle)
        self._answers: deque[bytes] = deque()
        self.credit = self.delivered = 0

    def transfer(self, frame: Frame) -> tuple[list[Any], bytes] | None:
        """One transfer frame; the request, when it is complete. Raises TooLarge."""
        found = self._assembly.add(frame)
        return None if found is None else found[:2]

    def answer(self, payload: bytes) -> None:
        if len(self._answers) >= _MAX_ANSWERS:
            self._session.detached(self.handle, NotAllowed("too many answers wait for credit"))
            return
        self._answers.append(payload)
        self._hand_out()

    def flow(self, delivery_count: int, credit: int) -> None:
        self.credit = _credit(delivery_count, credit, self.delivered)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._answers and self.credit > 0:
            self.credit -= 1
            self.delivered += 1
            self._session.deliver(self.handle, b"%d" % self.delivered, True, self._answers.popleft())

    def close(self) -> None:
        self._answers.clear()


class IncomingLink:
    """A client's sender. Messages are acknowledged when they are on disk."""

    def __init__(self, session: SessionPort, handle: int, entity: str) -> None:
        self._session, self.handle, self._entity = session, handle, entity
        self._assembly = Assembly(session, handle)

    def transfer(self, frame: Frame) -> None:
        """One transfer frame; the message is complete when `more` is false. Raises TooLarge."""
        found = self._assembly.add(frame)
        if found is not None:
            self._message(*found)

    def _message(self, first: list[Any], payload: bytes, size: int) -> None:
        number, settled = int(first[1]), bool(first[4])

        def acknowledge(state: bytes) -> None:
            if not settled:
                self._session.send(frames.disposition(self._session.channel, False, number, state))

        try:
            if size > MAX_MESSAGE_SIZE:
                raise TooLarge(
                    f"The received message (delivery-id:{number}, size:{size} bytes) exceeds the limit "
                    f"({MAX_MESSAGE_SIZE} bytes) currently allowed on the link."
                )
            self._accept(first, payload, acknowledge)
        except BrokerError as exc:
            self._refuse(exc, settled, acknowledge)
        except DecodeError as exc:
            self._refuse(Malformed(f"the message cannot be read: {exc}"), settled, acknowledge)

    def _accept(self, first: list[Any], payload: bytes, acknowledge: Any) -> None:
        broker, messages = self._session.connection.broker, read(payload, int(first[3] or 0))
        transaction = transaction_of(first[7])
        if transaction is None:
            broker.send(self._entity, messages, lambda: acknowledge(frames.accepted()))
            return
        operation = Operation(
            check=lambda: broker.check_messages(self._entity, messages),
            commit=lambda: broker.send(self._entity, messages, lambda: None),
        )
        transactions = self._session.connection.transactions
        transactions.enlist(transaction, root(self._entity), self._session.mixes, operation)
        acknowledge(frames.transactional(transaction, frames.accepted()))

    def _refuse(self, error: BrokerError, settled: bool, acknowledge: Any) -> None:
        """A delivery that is settled already has no answer that could say it: the link is taken away."""
        if settled:
            self._session.detached(self.handle, error)
        else:
            acknowledge(frames.rejected((error.condition, str(error))))

    def close(self) -> None:
        pass


class OutgoingLink:
    """A client's receiver: hands out what the queue has, as far as the client's credit goes."""

    def __init__(self, session: SessionPort, handle: int, queue: Queue, peek_lock: bool) -> None:
        self._session, self.handle, self.queue, self.peek_lock = session, handle, queue, peek_lock
        self.session_id: str | None = None
        self.credit = 0
        self.delivered = 0

    def detached(self, error: BrokerError | None) -> None:
        """The queue, or the session that the link holds, is no longer to be had."""
        self._session.detached(self.handle, error)

    def wants(self) -> bool:
        return self.credit > 0 and self._session.open

    def flow(self, delivery_count: int, credit: int) -> None:
        self.credit = _credit(delivery_count, credit, self.delivered)
        self.queue.dispatch()

    def deliver(self, message: Message, lock: Lock | None) -> None:
        self.credit -= 1
        self.delivered += 1
        payload = encoded(message, self.queue, lock)
        number = self._session.deliver(self.handle, tag_of(lock), lock is None, payload)
        if lock is not None:
            self._session.unsettled(number, self, lock)

    def settle(self, token: uuid.UUID, state: Any) -> bytes:
        """Carry out an outcome; the state to answer with. A lock that has run out is answered with an error."""
        try:
            told = outcome(state)
            settle(self.queue, token, told)
        except BrokerError as exc:
            return frames.rejected((exc.condition, str(exc)))
        return told.answer

    def close(self) -> None:
        self.queue.detach(self)


def _credit(delivery_count: int, credit: int, delivered: int) -> int:
    """The client's credit is restated from its own count of deliveries; it is never a difference."""
    left = (delivery_count + credit - delivered) & 0xFFFFFFFF
    return left if left < 0x80000000 else 0


Link = RequestLink | IncomingLink | OutgoingLink
