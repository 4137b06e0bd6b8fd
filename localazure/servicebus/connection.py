"""One AMQP connection: the handshake, and frames for its sessions."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from localazure.clock import Clock
from localazure.servicebus.amqp import frames
from localazure.servicebus.amqp.frames import Frame
from localazure.servicebus.amqp.types import DecodeError
from localazure.servicebus.authorization import Grant
from localazure.servicebus.bearer import Bearers, RoleGrant
from localazure.servicebus.engine import Broker
from localazure.servicebus.errors import BrokerError, Unauthorized
from localazure.servicebus.session import AmqpSession
from localazure.servicebus.tokens import Tokens
from localazure.servicebus.transactions import Transactions

log = logging.getLogger("localazure.servicebus")

IDLE_TIMEOUT = 240_000
"""Milliseconds of silence after which a client may think that the broker is gone."""
OPENING = 60.0
"""Seconds that a client has from its connection to its `open`."""
LINKLESS = 300.0
"""Seconds that a connection is kept without any link. Source: "AMQP errors in Azure Service Bus"."""
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Of Linux alone."""
_BEAT = 30.0
_MIN_BEAT = 0.5
_MAX_FRAME_SIZE = 1_048_576
_MIN_FRAME_SIZE = 512
_LAST_CHANNEL = 4_999
_MAX_GRANTS = 1_000
"""Tokens that a connection is remembered by: one for each entity that a client uses."""


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(
        self,
        broker: Broker,
        tokens: Tokens,
        clock: Clock,
        gone: Callable[[Connection], None],
        bearers: Bearers | None = None,
    ) -> None:
        """`bearers` takes the tokens of Entra, which are refused without it."""
        self.broker, self.clock = broker, clock
        self.transactions = Transactions(clock)
        self.largest_frame = 65_536
        self.transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._tokens, self._gone, self._bearers = tokens, gone, bearers
        self._grants: dict[str, Grant | RoleGrant] = {}
        self._verifying: set[asyncio.Task[None]] = set()
        self._buffer = bytearray()
        self._needed = 8
        self._stage = "header"
        self._sessions: dict[int, AmqpSession] = {}
        self._out: list[bytes] = []
        self._beat: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._without_links: float | None = None
        self._pause = _BEAT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        accepted = transport.get_extra_info("socket")
        if accepted is not None and accepted.family in (socket.AF_INET, socket.AF_INET6):
            # asyncio does this for protocol IPPROTO_TCP alone; `socket.create_server` leaves 0. Small frames would
            # wait for the acknowledgement of those before them: 40 ms.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = accepted
        self._opening = asyncio.get_running_loop().create_task(self._expect_open())

    async def _expect_open(self) -> None:
        await self.clock.sleep(OPENING)
        log.debug("a client did not open its connection within %s s", OPENING)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._opened()
        if self._beat is not None:
            self._beat.cancel()
        self._out.clear()
        for task in self._verifying:
            task.cancel()
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        self.transactions.close()
        self._gone(self)

    def abort(self) -> None:
        """Cut the connection without a word."""
        if self.transport is not None:
            self.transport.abort()

    def write(self, data: bytes) -> None:
        """What is said in one turn of the event loop goes out together."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        if self._out and self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(self._out))
        self._out.clear()

    def authorize(self, resource: str, token: str, done: Callable[[BrokerError | None], None]) -> None:
        if self._bearers is not None and token.count(".") == 2 and " " not in token:
            task = asyncio.get_running_loop().create_task(self._verify(self._bearers, resource, token, done))
            self._verifying.add(task)
            task.add_done_callback(self._verifying.discard)
            return
        try:
            self._remember(resource, self._tokens.check(token))
        except BrokerError as exc:
            done(exc)
        else:
            done(None)

    async def _verify(
        self, bearers: Bearers, resource: str, token: str, done: Callable[[BrokerError | None], None]
    ) -> None:
        try:
            self._remember(resource, await bearers.check(token))
        except BrokerError as exc:
            done(exc)
        else:
            done(None)

    def _remember(self, resource: str, grant: Grant | RoleGrant) -> None:
        self._grants[resource] = grant
        if len(self._grants) > _MAX_GRANTS:
            del self._grants[next(iter(self._grants))]

    def demand(self, path: str, right: str | None) -> None:
        now = self.clock.time()
        if any(grant.allows(path, right, now) for grant in self._grants.values()):
            return
        claims = "Manage, Send, Listen" if right is None else right
        raise Unauthorized(
            f"Unauthorized access. '{claims}' claim(s) are required to perform this operation. Resource: '{path}'."
        )

    def _acknowledge(self) -> None:
        """Acknowledge what has come, where no answer follows that would carry the acknowledgement.

        A client that leaves Nagle's algorithm on, as Node does, holds its next small frame back until then, 40 ms.
        The option does not last, because the kernel goes back to delaying by itself.
        """
        if self._socket is not None and _QUICK_ACK is not None:
            with suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) < self._needed or self._stage == "closed":
            return
        received, at = bytes(self._buffer), 0
        try:
            while self._stage != "closed" and len(received) - at >= 8:
                self._needed = self._size(received, at)
                if len(received) - at < self._needed:
                    break
                at, end = at + self._needed, at
                self._step(received[end:at])
                self._needed = 8
        except (DecodeError, ValueError, IndexError, TypeError, LookupError, OverflowError) as exc:
            log.warning("a client sent what is not AMQP: %r", exc)
            self._close(("amqp:decode-error", f"the frame cannot be read: {exc}"))
        del self._buffer[:at]
        if not self._out and not self.broker.store.pending:
            self._acknowledge()

    def _size(self, received: bytes, at: int) -> int:
        """Bytes of the frame or protocol header that begins at a place."""
        if self._stage == "header" or (self._stage == "sasl" and received[at : at + 4] == b"AMQP"):
            return 8
        size = int.from_bytes(received[at : at + 4], "big")
        if not 8 <= size <= _MAX_FRAME_SIZE:
            raise DecodeError(f"a frame of {size} bytes")
        return size

    def _step(self, frame: bytes) -> None:
        if frame[:4] == b"AMQP":
            self._header(frame)
        elif len(frame) > 8:
            self._frame(frames.read(int.from_bytes(frame[6:8], "big"), frame[max(8, frame[4] * 4) :]))

    def _header(self, header: bytes) -> None:
        if header == frames.SASL_HEADER:
            self.write(frames.SASL_HEADER + frames.sasl_mechanisms())
            self._stage = "sasl"
        elif header == frames.AMQP_HEADER:
            self.write(frames.AMQP_HEADER)
            self._stage = "open"
        else:
            raise DecodeError(f"the protocol header {header!r}")

    def _frame(self, frame: Frame) -> None:
        code, channel = frame.code, frame.channel
        session = self._sessions.get(channel)
        if code == frames.SASL_INIT:
            self.write(frames.sasl_ok())
        elif code == frames.OPEN:
            self._open(frame)
        elif code == frames.BEGIN:
            if session is not None or channel > _LAST_CHANNEL:
                raise DecodeError(f"the channel {channel} is in use, or larger than {_LAST_CHANNEL}")
            self._sessions[channel] = AmqpSession(self, channel, frame.fields)
        elif code == frames.CLOSE:
            self._close(None)
        elif session is not None:
            self._for_session(session, frame)

    def _opened(self) -> None:
        if self._opening is not None:
            self._opening.cancel()

    def _open(self, frame: Frame) -> None:
        self._opened()
        largest, idle = frame.fields[2], frame.fields[4]
        self.largest_frame = max(_MIN_FRAME_SIZE, min(65_536 if largest is None else int(largest), _MAX_FRAME_SIZE))
        self.write(frames.open_("localazure-servicebus", _MAX_FRAME_SIZE, _LAST_CHANNEL, IDLE_TIMEOUT))
        if idle:
            self._pause = min(_BEAT, max(_MIN_BEAT, int(idle) / 3000))
        self._beat_later()

    def _for_session(self, session: AmqpSession, frame: Frame) -> None:
        code = frame.code
        if code == frames.TRANSFER:
            session.transfer(frame)
        elif code == frames.DISPOSITION:
            session.disposition(frame)
        elif code == frames.FLOW:
            session.flow(frame)
        elif code == frames.ATTACH:
            session.attach(frame)
        elif code == frames.DETACH:
            session.detach(frame)
        elif code == frames.END:
            del self._sessions[frame.channel]
            session.end()
        else:
            raise DecodeError(f"there is no frame {code:#x}")

    def _close(self, error: tuple[str, str] | None) -> None:
        self._stage = "closed"
        self.write(frames.close(error))
        self._flush()
        if self.transport is not None:
            self.transport.close()

    def _keep_alive(self) -> None:
        if any(session.links for session in self._sessions.values()):
            self._without_links = None
        elif self._without_links is None:
            self._without_links = self.clock.time()
        elif self.clock.time() - self._without_links >= LINKLESS:
            idle = f"The connection was inactive for more than the allowed {LINKLESS * 1000:.0f} milliseconds."
            self._close(("amqp:connection:forced", idle))
            return
        self.write(frames.EMPTY)
        self._beat_later()

    def _beat_later(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
        self._beat = asyncio.get_running_loop().call_later(self._pause, self._keep_alive)
