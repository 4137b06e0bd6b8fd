"""One AMQP connection: handshake, sessions, links. It knows frames; what they mean for messages is the links'."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from localazure.servicebus import codec
from localazure.servicebus.engine import LARGEST_MESSAGE, Broker
from localazure.servicebus.errors import (
    BrokerError,
    EntityNotFound,
    NoSession,
    NotAllowed,
    SessionLockLost,
    Unsupported,
)
from localazure.servicebus.link import CREDIT, IncomingLink, OutgoingLink
from localazure.servicebus.management import Management, Tokens, authorize

log = logging.getLogger("localazure.servicebus")

IDLE_TIMEOUT = 240_000
"""Milliseconds of silence after which a client may think that the broker is gone."""
_BEAT = 30.0
_WINDOW = 5_000
_LARGEST_FRAME = 8 * 1024 * 1024
_SESSION_FILTER = b"com.microsoft:session-filter"
_TIMEOUT = b"com.microsoft:timeout"
_TICKS_AT_EPOCH = 621_355_968_000_000_000


class RequestLink:
    """One half of a request/response pair: the client's requests, or the broker's answers."""

    def __init__(self, node: str, handle: int) -> None:
        self.node, self.handle = node, handle
        self.delivered = 0
        self.received = 0
        self.parts = bytearray()


class Session:
    """One AMQP session."""

    def __init__(self, connection: Connection, channel: int) -> None:
        self._connection, self._channel = connection, channel
        self._next_delivery = 0
        self._next_outgoing = 1
        self._next_incoming = 1
        self.links: dict[int, IncomingLink | OutgoingLink | RequestLink] = {}
        self._answers: dict[str, RequestLink] = {}
        self._waiting: dict[int, asyncio.Task[None]] = {}

    def send(self, frame: bytes) -> None:
        self._connection.write(codec.with_channel(frame, self._channel))

    def send_message(self, handle: int, tag: bytes, settled: bool, payload: bytes) -> int:
        """Send a message in as many frames as the client's frame size asks for; its delivery id."""
        delivery_id = self._next_delivery
        self._next_delivery += 1
        largest = self._connection.largest_frame - 512
        first = True
        while first or payload:
            part, payload = payload[:largest], payload[largest:]
            self.send(codec.transfer(handle, delivery_id if first else None, tag, settled, bool(payload), part))
            self._next_outgoing += 1
            first = False
        return delivery_id

    def grant(self, link: IncomingLink) -> None:
        """Keep the client in credit."""
        if link.received % (CREDIT // 2) == 0:
            self._flow(link.handle, link.received, CREDIT)

    def _flow(self, handle: int, received: int, credit: int) -> None:
        self.send(codec.flow(self._windows(), (handle, received, credit)))

    def _windows(self) -> tuple[int, int, int, int]:
        return self._next_incoming, _WINDOW, self._next_outgoing, _WINDOW

    def attach(self, fields: list[Any]) -> None:
        handle = int(fields[1])
        try:
            self._attach(handle, fields)
        except BrokerError as exc:
            self._refuse(fields, exc)

    def _refuse(self, fields: list[Any], error: BrokerError) -> None:
        name, handle, receiver = fields[0], int(fields[1]), bool(fields[2])
        # a refused link is attached without its terminus, and detached with the reason
        source = None if receiver else codec.source_of(fields[5])
        target = codec.target_of(fields[6]) if receiver else None
        self.send(codec.attach(name, handle, not receiver, (2, 0), source, target, LARGEST_MESSAGE))
        self.send(codec.detach(handle, (error.condition, str(error))))
        self.links.pop(handle, None)

    def _attach(self, handle: int, fields: list[Any]) -> None:
        receiver = bool(fields[2])
        terminus = fields[5] if receiver else fields[6]
        if not isinstance(terminus, list):
            raise Unsupported("transactions are not supported by the local server")
        node = entity_path(terminus[0])
        if node == "$cbs" or node.lower().endswith("$management"):
            self._attach_request(handle, fields, node, receiver)
        elif not self._connection.authorized:
            raise NotAllowed("put a token into $cbs before anything else")
        elif receiver:
            self._attach_outgoing(handle, fields, node)
        else:
            self._connection.broker.check_target(node)
            self.links[handle] = IncomingLink(self, handle, self._connection.broker, node)
            self._reply(fields, codec.source_of(fields[5]))
            self._flow(handle, 0, CREDIT)

    def _reply(self, fields: list[Any], source: Any, properties: dict[bytes, Any] | None = None) -> None:
        modes = (2 if fields[3] is None else int(fields[3]), int(fields[4] or 0))
        self.send(
            codec.attach(
                fields[0],
                int(fields[1]),
                not fields[2],
                modes,
                source,
                codec.target_of(fields[6]),
                LARGEST_MESSAGE,
                properties,
            )
        )

    def _attach_request(self, handle: int, fields: list[Any], node: str, receiver: bool) -> None:
        link = RequestLink(node, handle)
        self.links[handle] = link
        self._reply(fields, codec.source_of(fields[5]))
        if receiver:
            self._answers[node.lower()] = link
        else:
            self._flow(handle, 0, CREDIT)

    def _attach_outgoing(self, handle: int, fields: list[Any], node: str) -> None:
        queue = self._connection.broker.queue(node)
        peek_lock = fields[3] != 1
        filters = (fields[5][7] if len(fields[5]) > 7 else None) or {}

        def lost() -> None:
            error = SessionLockLost("The session lock has expired.")
            self.send(codec.detach(handle, (error.condition, str(error))))
            self.links.pop(handle, None)
            link.close()

        link = OutgoingLink(self, handle, queue, peek_lock, lost)
        self.links[handle] = link
        if _SESSION_FILTER not in filters:
            if queue.options.sessions:
                raise NotAllowed(f"{node} requires sessions; receive with a session receiver")
            queue.attach(link)
            self._reply(fields, codec.source_of(fields[5]))
            return
        if not queue.options.sessions:
            raise NotAllowed(f"{node} has no sessions; receive without a session id")
        wanted = codec.text(filters[_SESSION_FILTER])
        milliseconds = (fields[13] or {}).get(_TIMEOUT) or 60_000
        task = asyncio.get_running_loop().create_task(self._accept(fields, link, wanted, milliseconds / 1000))
        self._waiting[handle] = task
        task.add_done_callback(lambda _: self._waiting.pop(handle, None))

    async def _accept(self, fields: list[Any], link: OutgoingLink, wanted: str | None, seconds: float) -> None:
        try:
            session_id = link.queue.accept_session(wanted, link)
            if session_id is None:
                session_id = await self._next_session(link, seconds)
        except BrokerError as exc:
            self._refuse(fields, exc)
            return
        link.session_id = session_id
        link.queue.attach(link)
        until = link.queue.session_until(session_id, link)
        source = codec.source_of(fields[5], {_SESSION_FILTER: session_id})
        ticks = int(until * 10_000_000) + _TICKS_AT_EPOCH
        self._reply(fields, source, {b"com.microsoft:locked-until-utc": codec.long(ticks)})
        link.queue.pump()

    async def _next_session(self, link: OutgoingLink, seconds: float) -> str:
        """Wait for a session that has messages and no holder. Raises NoSession when the time is over."""
        over = asyncio.ensure_future(self._connection.clock.sleep(seconds))
        try:
            while True:
                news = asyncio.ensure_future(link.queue.session_news())
                await asyncio.wait({over, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                session_id = link.queue.accept_session(None, link)
                if session_id is not None:
                    return session_id
                if over.done():
                    raise NoSession("There is no session available within the time given.")
        finally:
            over.cancel()

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
            link.parts += fields[11]
            if not fields[5]:
                request, link.parts = bytes(link.parts), bytearray()
                link.received += 1
                if not fields[4]:
                    self.send(codec.disposition(False, int(fields[1]), int(fields[1]), codec.accepted()))
                if link.received % (CREDIT // 2) == 0:
                    self._flow(link.handle, link.received, CREDIT)
                self._request(link.node, request)

    def _request(self, node: str, request: bytes) -> None:
        answers = self._answers.get(node.lower())
        if answers is None:
            return

        def answer(payload: bytes) -> None:
            self.send_message(answers.handle, b"0", True, payload)
            answers.delivered += 1

        if node == "$cbs":
            payload, good = authorize(self._connection.tokens, request)
            self._connection.authorized = self._connection.authorized or good
            answer(payload)
        else:
            Management(self._connection.broker, node.rpartition("/")[0]).answer(request, answer)

    def disposition(self, fields: list[Any]) -> None:
        """The client settles deliveries; each is answered at once with the same outcome."""
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
                    self._settled(delivery_id, state)
                    break

    def _settled(self, delivery_id: int, state: Any) -> None:
        answer = codec.disposition(True, delivery_id, delivery_id, state)
        self._connection.broker.store.afterwards(lambda: self.send(answer))

    def detach(self, fields: list[Any]) -> None:
        handle = int(fields[0])
        self._drop(handle)
        self.send(codec.detach(handle))

    def _drop(self, handle: int) -> None:
        task = self._waiting.pop(handle, None)
        if task is not None:
            task.cancel()
        link = self.links.pop(handle, None)
        if isinstance(link, OutgoingLink):
            link.close()
        elif isinstance(link, RequestLink) and self._answers.get(link.node.lower()) is link:
            del self._answers[link.node.lower()]

    def close(self) -> None:
        for handle in list(self.links):
            self._drop(handle)


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, broker: Broker, tokens: Tokens, clock: Any, gone: Callable[[Connection], None]) -> None:
        self.broker, self.tokens, self.clock = broker, tokens, clock
        self.authorized = False
        self.largest_frame = 65_536
        self._gone = gone
        self._buffer = bytearray()
        self._stage = "header"
        self._sessions: dict[int, Session] = {}
        self._transport: asyncio.Transport | None = None
        self._beat: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a stream has a stream's transport"
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._beat is not None:
            self._beat.cancel()
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        self._gone(self)

    def abort(self) -> None:
        """Cut the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while self._step():
                pass
        except (ValueError, IndexError, TypeError, LookupError) as exc:
            log.warning("a client sent what is no AMQP: %r", exc)
            self.write(codec.close(("amqp:decode-error", f"the frame cannot be read: {exc}")))
            if self._transport is not None:
                self._transport.close()

    def _step(self) -> bool:
        if self._stage != "open" and self._buffer[:4] == b"AMQP":
            return self._header()
        if len(self._buffer) < 8:
            return False
        size = int.from_bytes(self._buffer[:4], "big")
        if not 8 <= size <= _LARGEST_FRAME:
            raise ValueError(f"a frame of {size} bytes")
        if len(self._buffer) < size:
            return False
        frame = bytes(self._buffer[:size])
        del self._buffer[:size]
        if size > 8:
            self._frame(frame)
        return True

    def _header(self) -> bool:
        if len(self._buffer) < 8:
            return False
        header = bytes(self._buffer[:8])
        del self._buffer[:8]
        if header == codec.SASL_HEADER:
            self.write(codec.SASL_HEADER + codec.sasl_mechanisms())
        elif header == codec.AMQP_HEADER:
            self.write(codec.AMQP_HEADER)
            self._stage = "open"
        else:
            raise ValueError(f"the protocol header {header!r}; AMQP over TLS or WebSockets is not spoken here")
        return True

    def _frame(self, frame: bytes) -> None:
        offset = frame[4] * 4
        channel = int.from_bytes(frame[6:8], "big")
        code, fields = codec.decode_frame(memoryview(frame)[offset:])
        if code == codec.SASL_INIT:
            self.write(codec.sasl_ok())
        elif code == codec.OPEN:
            self.largest_frame = max(512, min(int(fields[2] or 65_536), 1_048_576))
            self.write(codec.open_("localazure-servicebus", IDLE_TIMEOUT))
            self._keep_alive()
        elif code == codec.BEGIN:
            self._sessions[channel] = Session(self, channel)
            self.write(codec.with_channel(codec.begin(channel, _WINDOW), channel))
        elif code == codec.CLOSE:
            self.write(codec.close())
            if self._transport is not None:
                self._transport.close()
        elif channel in self._sessions:
            self._for_session(self._sessions[channel], channel, code, fields)

    def _for_session(self, session: Session, channel: int, code: int, fields: list[Any]) -> None:
        if code == codec.TRANSFER:
            session.transfer(fields)
        elif code == codec.DISPOSITION:
            session.disposition(fields)
        elif code == codec.FLOW:
            session.flow(fields)
        elif code == codec.ATTACH:
            session.attach(fields)
        elif code == codec.DETACH:
            with contextlib.suppress(EntityNotFound):
                session.detach(fields)
        elif code == codec.END:
            session.close()
            del self._sessions[channel]
            session.send(codec.end())

    def _keep_alive(self) -> None:
        self.write(codec.EMPTY_FRAME)
        self._beat = asyncio.get_running_loop().call_later(_BEAT, self._keep_alive)


def entity_path(address: Any) -> str:
    """`amqps://host:port/t/Subscriptions/s` or a bare path → the entity's path."""
    path = str(codec.text(address))
    if "://" in path:
        path = path.partition("://")[2].partition("/")[2]
    return path.strip("/")
