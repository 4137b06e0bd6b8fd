"""One AMQP session: it numbers frames, keeps links in credit, and hands each frame to the link it is for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from localazure.servicebus import codec
from localazure.servicebus.attach import Attach
from localazure.servicebus.errors import BrokerError
from localazure.servicebus.link import CREDIT, IncomingLink, OutgoingLink, RequestLink
from localazure.servicebus.management import Management, authorize

if TYPE_CHECKING:
    from localazure.servicebus.connection import Connection

WINDOW = 5_000


class Session:
    """The sessions of a connection differ in their channel. `answers` are the links that take answers, by node."""

    def __init__(self, connection: Connection, channel: int) -> None:
        self.connection, self._channel = connection, channel
        self._next_delivery = 0
        self._next_outgoing = 1
        self._next_incoming = 1
        self.links: dict[int, IncomingLink | OutgoingLink | RequestLink] = {}
        self.answers: dict[str, RequestLink] = {}
        self._waiting: dict[int, asyncio.Task[None]] = {}
        self._ended = False

    def send(self, frame: bytes) -> None:
        """Nothing is sent after `end`: a late answer to a settlement makes a client close its whole connection."""
        if not self._ended:
            self.connection.write(codec.with_channel(frame, self._channel))

    def end(self) -> None:
        """The client ends the session."""
        self.close()
        self.send(codec.end())
        self._ended = True

    def send_message(self, handle: int, tag: bytes, settled: bool, payload: bytes) -> int:
        """Send a message in as many frames as the client's frame size asks for; its delivery id."""
        delivery_id = self._next_delivery
        self._next_delivery += 1
        largest = self.connection.largest_frame - 512
        first = True
        while first or payload:
            part, payload = payload[:largest], payload[largest:]
            self.send(codec.transfer(handle, delivery_id if first else None, tag, settled, bool(payload), part))
            self._next_outgoing += 1
            first = False
        return delivery_id

    def grant(self, link: IncomingLink | RequestLink) -> None:
        """Keep the client in credit."""
        if link.received % (CREDIT // 2) == 0:
            self.credit(link.handle, link.received, CREDIT)

    def credit(self, handle: int, received: int, credit: int) -> None:
        self.send(codec.flow(self._windows(), (handle, received, credit)))

    def lost(self, handle: int, error: BrokerError) -> None:
        """The broker takes a link away, and says why."""
        self.send(codec.detach(handle, (error.condition, str(error))))
        self._drop(handle)

    def wait_for(self, handle: int, attaching: Coroutine[Any, Any, None]) -> None:
        """Let a link be attached later; a detach calls it off."""
        task = asyncio.get_running_loop().create_task(attaching)
        self._waiting[handle] = task
        task.add_done_callback(lambda _: self._waiting.pop(handle, None))

    def _windows(self) -> tuple[int, int, int, int]:
        return self._next_incoming, WINDOW, self._next_outgoing, WINDOW

    def attach(self, fields: list[Any]) -> None:
        Attach(self, fields).carry_out()

    def flow(self, fields: list[Any]) -> None:
        handle = fields[4]
        if handle is None:
            if fields[9]:
                self.send(codec.flow(self._windows(), None))
            return
        link = self.links.get(int(handle))
        if not isinstance(link, OutgoingLink):
            return
        link.flow(int(fields[5] or 0), int(fields[6] or 0))
        if fields[8]:
            # drained: what credit is left is used up by counting it as delivered
            link.delivered += link.credit
            link.credit = 0
            self.send(codec.flow(self._windows(), (int(handle), link.delivered, 0), drain=True))
        elif fields[9]:
            self.send(codec.flow(self._windows(), (int(handle), link.delivered, link.credit)))

    def transfer(self, fields: list[Any]) -> None:
        self._next_incoming += 1
        link = self.links.get(int(fields[0]))
        if isinstance(link, IncomingLink):
            link.transfer(fields)
        elif isinstance(link, RequestLink):
            request = link.transfer(fields)
            if request is not None:
                if not fields[4]:
                    self.send(codec.disposition(False, int(fields[1]), int(fields[1]), codec.accepted()))
                self.grant(link)
                self._request(link.node, request)

    def _request(self, node: str, request: bytes) -> None:
        answers = self.answers.get(node.lower())
        if answers is None:
            return

        def answer(payload: bytes) -> None:
            self.send_message(answers.handle, b"0", True, payload)

        if node == "$cbs":
            payload, good = authorize(self.connection.tokens, request)
            self.connection.authorized = self.connection.authorized or good
            answer(payload)
        else:
            Management(self.connection.broker, node.rpartition("/")[0]).answer(request, answer)

    def disposition(self, fields: list[Any]) -> None:
        """The client settles deliveries; each that is not settled yet is answered at once with the same outcome."""
        if not fields[0]:
            return
        first = int(fields[1])
        last = first if fields[2] is None else int(fields[2])
        for delivery_id in range(first, last + 1):
            for link in list(self.links.values()):
                if not isinstance(link, OutgoingLink):
                    continue
                state = link.settle(delivery_id, fields[4])
                if state is not None:
                    if not fields[3]:
                        self._settled(delivery_id, state)
                    break

    def _settled(self, delivery_id: int, state: Any) -> None:
        answer = codec.disposition(True, delivery_id, delivery_id, state)
        self.connection.broker.store.afterwards(lambda: self.send(answer))

    def detach(self, fields: list[Any]) -> None:
        handle = int(fields[0])
        if self._drop(handle):
            self.send(codec.detach(handle))

    def _drop(self, handle: int) -> bool:
        task = self._waiting.pop(handle, None)
        if task is not None:
            task.cancel()
        link = self.links.pop(handle, None)
        if isinstance(link, OutgoingLink):
            link.close()
        elif isinstance(link, RequestLink) and self.answers.get(link.node.lower()) is link:
            del self.answers[link.node.lower()]
        return link is not None

    def close(self) -> None:
        for handle in list(self.links):
            self._drop(handle)
