"""One AMQP session: it numbers frames, keeps to the client's window, and hands each frame to the link it is for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterator
from typing import Any

from localazure.servicebus.amqp import frames
from localazure.servicebus.amqp.frames import Frame
from localazure.servicebus.amqp.types import DecodeError
from localazure.servicebus.attach import Attach
from localazure.servicebus.authorization import root
from localazure.servicebus.coordinator import CoordinatorLink
from localazure.servicebus.errors import BrokerError, TooLarge
from localazure.servicebus.link import CREDIT, IncomingLink, OutgoingLink, RequestLink, transaction_of
from localazure.servicebus.locks import Lock
from localazure.servicebus.management import Management, authorize
from localazure.servicebus.ports import ConnectionPort
from localazure.servicebus.settlement import needs_types, operation, outcome

WINDOW = 5_000
"""Transfers that a client may send before it hears of a new window."""
LAST_HANDLE = 8_191
_MASK = 0xFFFFFFFF
_MAX_HELD = 10_000
"""Transfers that wait for the client's window."""
_OVERHEAD = 128
"""Bytes of a transfer frame besides the payload, and some to spare."""


class AmqpSession:
    """The sessions of a connection differ in their channel. `answers` are the links that take answers, by address."""

    def __init__(self, connection: ConnectionPort, channel: int, begin: list[Any]) -> None:
        self.connection, self.channel = connection, channel
        self.mixes = False
        self.links: dict[int, IncomingLink | OutgoingLink | RequestLink | CoordinatorLink] = {}
        self.answers: dict[tuple[str, str], RequestLink] = {}
        self._next_delivery = 0
        self._next_outgoing = 1
        self._next_incoming, self._window = int(begin[1] or 0), int(begin[2] or 0)
        self._since_flow = 0
        self._held: deque[tuple[int, bytes]] = deque()
        self._unsettled: dict[int, tuple[OutgoingLink, Lock]] = {}
        self._waiting: dict[int, asyncio.Task[None]] = {}
        self._began = self._ended = False
        self.send(frames.begin(channel, self._next_outgoing, WINDOW, LAST_HANDLE))

    def send(self, frame: bytes) -> None:
        """Nothing is sent after `end`: a late answer to a settlement makes a client close its whole connection."""
        if not self._ended:
            self.connection.write(frame)

    def end(self) -> None:
        """The client ends the session."""
        self.close()
        self.send(frames.end(self.channel))
        self._ended = True

    @property
    def open(self) -> bool:
        return self._window > 0 and not self._held

    def deliver(self, handle: int, tag: bytes, settled: bool, payload: bytes) -> int:
        number, self._next_delivery = self._next_delivery, (self._next_delivery + 1) & _MASK
        largest = self.connection.largest_frame - _OVERHEAD
        told: int | None = number
        while True:
            part, payload = payload[:largest], payload[largest:]
            self._transfer(handle, frames.transfer(self.channel, handle, told, tag, settled, bool(payload), part))
            if not payload:
                return number
            told = None

    def _transfer(self, handle: int, frame: bytes) -> None:
        if self.open:
            self._window -= 1
            self._next_outgoing = (self._next_outgoing + 1) & _MASK
            self.send(frame)
        elif len(self._held) < _MAX_HELD:
            self._held.append((handle, frame))
        else:
            raise DecodeError("the client asks for more than its window lets in")

    def unsettled(self, number: int, link: OutgoingLink, lock: Lock) -> None:
        self._unsettled[number] = link, lock

    def grant(self, handle: int, received: int) -> None:
        if received % (CREDIT // 2) == 0:
            self.credit(handle, received)

    def credit(self, handle: int, received: int) -> None:
        self._flow((handle, received & _MASK, CREDIT))

    def _flow(self, link: tuple[int, int, int] | None = None, drain: bool = False) -> None:
        self._since_flow = 0
        windows = self._next_incoming, WINDOW, self._next_outgoing, WINDOW
        self.send(frames.flow(self.channel, windows, link, drain))

    def detached(self, handle: int, error: BrokerError | None) -> None:
        self.send(frames.detach(self.channel, handle, None if error is None else (error.condition, str(error))))
        self._drop(handle)

    def wait_for(self, handle: int, attaching: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(attaching)
        self._waiting[handle] = task
        task.add_done_callback(lambda _: self._waiting.pop(handle, None))

    def attach(self, frame: Frame) -> None:
        handle = int(frame.fields[1])
        if handle > LAST_HANDLE or handle in self.links:
            raise DecodeError(f"the handle {handle} is in use, or larger than {LAST_HANDLE}")
        attach = Attach(self, frame)
        # all links of a session that begins with a coordinator may be in one transaction
        self.mixes = self.mixes or (not self._began and attach.coordinates)
        self._began = True
        attach.carry_out()

    def flow(self, frame: Frame) -> None:
        fields = frame.fields
        self._open_window(fields)
        if fields[4] is None:
            if fields[9]:
                self._flow()
            return
        handle = int(fields[4])
        link = self.links.get(handle)
        if not isinstance(link, OutgoingLink | RequestLink):
            return
        link.flow(int(fields[5] or 0), int(fields[6] or 0))
        if fields[8]:
            # drained: what credit is left is used up by counting it as delivered
            link.delivered += link.credit
            link.credit = 0
            self._flow((handle, link.delivered & _MASK, 0), drain=True)
        elif fields[9]:
            self._flow((handle, link.delivered & _MASK, link.credit))

    def _open_window(self, fields: list[Any]) -> None:
        """What the client takes, counted from what it has seen of ours."""
        was_open = self.open
        seen = 1 if fields[0] is None else int(fields[0])
        window = (seen + int(fields[1] or 0) - self._next_outgoing) & _MASK
        self._window = window if window < 0x80000000 else 0
        while self._held and self._window > 0:
            self._window -= 1
            self._next_outgoing = (self._next_outgoing + 1) & _MASK
            self.send(self._held.popleft()[1])
        if self.open and not was_open:
            for link in list(self.links.values()):
                if isinstance(link, OutgoingLink):
                    link.queue.dispatch()

    def transfer(self, frame: Frame) -> None:
        self._next_incoming = (self._next_incoming + 1) & _MASK
        self._since_flow += 1
        if self._since_flow >= WINDOW // 2:
            self._flow()
        handle = int(frame.fields[0])
        link = self.links.get(handle)
        try:
            if isinstance(link, IncomingLink | CoordinatorLink):
                link.transfer(frame)
            elif isinstance(link, RequestLink):
                self._request(link, frame)
        except TooLarge as exc:
            self.detached(handle, exc)

    def _request(self, link: RequestLink, frame: Frame) -> None:
        found = link.transfer(frame)
        if found is None:
            return
        first, payload = found
        transaction = transaction_of(first[7])
        if not first[4]:
            number = int(first[1])
            state = frames.accepted() if transaction is None else frames.transactional(transaction, frames.accepted())
            self.send(frames.disposition(self.channel, False, number, state))
        if link.node == "$cbs":
            authorize(self.connection, payload, lambda reply_to, answer: self._answer(link.node, reply_to, answer))
        else:
            management = Management(self, link.node)
            management.answer(payload, lambda reply_to, answer: self._answer(link.node, reply_to, answer), transaction)

    def _answer(self, node: str, reply_to: str, answer: bytes) -> None:
        """On the link whose target is the request's reply-to, or on the only one of the node."""
        found = self.answers.get((node.lower(), reply_to))
        if found is None:
            found = next((link for (place, _), link in self.answers.items() if place == node.lower()), None)
        if found is not None:
            found.answer(answer)

    def disposition(self, frame: Frame) -> None:
        """The client settles deliveries; each that is not settled yet is answered at once with the same outcome."""
        fields = frame.fields
        if not fields[0]:
            return
        state = frame.exactly(4) if needs_types(fields[4]) else fields[4]
        first = int(fields[1])
        transaction = transaction_of(state)
        for number in list(self._among(first, first if fields[2] is None else int(fields[2]))):
            link, lock = self._unsettled[number]
            if transaction is not None:
                self._settle_within(transaction, number, state.value[1] if len(state.value) > 1 else None)
                continue
            del self._unsettled[number]
            answer = link.settle(lock.token, state)
            if not fields[3]:
                self._settled(number, answer)

    def _among(self, first: int, last: int) -> Iterator[int]:
        """The deliveries of a range that are there: a client may name 2³² of them."""
        count = (last - first) & _MASK
        if count < len(self._unsettled):
            return (n for n in ((first + i) & _MASK for i in range(count + 1)) if n in self._unsettled)
        return (n for n in self._unsettled if (n - first) & _MASK <= count)

    def _settle_within(self, transaction: bytes, number: int, state: Any) -> None:
        """The delivery stays as it is until the transaction is discharged: a rollback leaves its lock."""
        link, lock = self._unsettled[number]
        told = outcome(state)

        def done() -> None:
            self._unsettled.pop(number, None)
            self._settled(number, told.answer)

        try:
            part = operation(link.queue, lock.token, told, done)
            self.connection.transactions.enlist(transaction, root(link.queue.name), self.mixes, part)
        except BrokerError as exc:
            del self._unsettled[number]
            self._settled(number, frames.rejected((exc.condition, str(exc))))
            return
        answer = frames.transactional(transaction, told.answer)
        self.send(frames.disposition(self.channel, True, number, answer, settled=False))

    def _settled(self, number: int, state: bytes) -> None:
        answer = frames.disposition(self.channel, True, number, state)
        self.connection.broker.store.afterwards(lambda: self.send(answer))

    def detach(self, frame: Frame) -> None:
        handle = int(frame.fields[0])
        if self._drop(handle):
            self.send(frames.detach(self.channel, handle))

    def _drop(self, handle: int) -> bool:
        task = self._waiting.pop(handle, None)
        if task is not None:
            task.cancel()
        link = self.links.pop(handle, None)
        if link is None:
            return False
        if isinstance(link, OutgoingLink):
            self._held = deque(entry for entry in self._held if entry[0] != handle)
            self._unsettled = {n: entry for n, entry in self._unsettled.items() if entry[0] is not link}
        self.answers = {address: known for address, known in self.answers.items() if known is not link}
        link.close()
        return True

    def close(self) -> None:
        for handle in list(self.links):
            self._drop(handle)
        self._held.clear()
