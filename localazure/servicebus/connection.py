"""One AMQP connection: the handshake, and frames for its sessions."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

from localazure.clock import Clock
from localazure.servicebus import codec
from localazure.servicebus.engine import Broker
from localazure.servicebus.session import WINDOW, Session
from localazure.servicebus.tokens import Tokens

log = logging.getLogger("localazure.servicebus")

IDLE_TIMEOUT = 240_000
"""Milliseconds of silence after which a client may think that the broker is gone."""
_BEAT = 30.0
_LARGEST_FRAME = 8 * 1024 * 1024


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, broker: Broker, tokens: Tokens, clock: Clock, gone: Callable[[Connection], None]) -> None:
        self.broker, self.tokens, self.clock = broker, tokens, clock
        self.authorized = False
        self.largest_frame = 65_536
        self._gone = gone
        self._buffer = bytearray()
        self._stage = "header"
        self._sessions: dict[int, Session] = {}
        self.transport: asyncio.Transport | None = None
        self._beat: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a stream has a stream's transport"
        self.transport = transport
        listening = transport.get_extra_info("socket")
        if listening is not None and listening.family in (socket.AF_INET, socket.AF_INET6):
            # asyncio does this for protocol IPPROTO_TCP alone; `socket.create_server` leaves 0. Small frames would
            # wait for the acknowledgement of those before them: 40 ms.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._beat is not None:
            self._beat.cancel()
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        self._gone(self)

    def abort(self) -> None:
        """Cut the connection without a word."""
        if self.transport is not None:
            self.transport.abort()

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while self._step():
                pass
        except (ValueError, IndexError, TypeError, LookupError) as exc:
            log.warning("a client sent what is no AMQP: %r", exc)
            self.write(codec.close(("amqp:decode-error", f"the frame cannot be read: {exc}")))
            if self.transport is not None:
                self.transport.close()

    def _step(self) -> bool:
        if len(self._buffer) < 8:
            return False
        if self._stage == "header" or (self._stage == "sasl" and self._buffer[:4] == b"AMQP"):
            return self._header()
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
        header = bytes(self._buffer[:8])
        del self._buffer[:8]
        if header == codec.SASL_HEADER:
            self.write(codec.SASL_HEADER + codec.sasl_mechanisms())
            self._stage = "sasl"
        elif header == codec.AMQP_HEADER:
            self.write(codec.AMQP_HEADER)
            self._stage = "open"
        else:
            raise ValueError(
                f"the protocol header {header!r}; AMQP over WebSockets is not spoken here, and over TLS on tls_port"
            )
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
            self._beat_later()
        elif code == codec.BEGIN:
            self._sessions[channel] = Session(self, channel)
            self.write(codec.with_channel(codec.begin(channel, WINDOW), channel))
        elif code == codec.CLOSE:
            self.write(codec.close())
            if self.transport is not None:
                self.transport.close()
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
            session.detach(fields)
        elif code == codec.END:
            del self._sessions[channel]
            session.end()

    def _keep_alive(self) -> None:
        self.write(codec.EMPTY_FRAME)
        self._beat_later()

    def _beat_later(self) -> None:
        self._beat = asyncio.get_running_loop().call_later(_BEAT, self._keep_alive)
