"""One port for everything: the first bytes tell AMQP, TLS and HTTP apart, and after TLS the same is asked again.

So one connection string serves every client: .NET goes to the port of its endpoint over AMQP and plain HTTP, JavaScript
over TLS and HTTPS.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, cast

from localazure.clock import Clock

log = logging.getLogger("localazure.servicebus")

_TLS = 0x16
"""The first byte of a TLS handshake."""
_VERBS = (b"GET ", b"PUT ", b"POST", b"DELE", b"HEAD", b"OPTI", b"PATC")
_PAUSE = 0.1
"""Seconds until the next try where the process has no file descriptor left."""

FIRST_BYTES = 60.0
"""Seconds that a client has to say by its first bytes what it speaks, the handshake of TLS included."""

Protocols = Callable[[], asyncio.Protocol]


class Listener:
    """Accepts connections on a listening socket until it is closed."""

    def __init__(
        self, listening: socket.socket, context: ssl.SSLContext, amqp: Protocols, http: Protocols, clock: Clock
    ) -> None:
        listening.setblocking(False)
        self._socket, self._context, self._amqp, self._http = listening, context, amqp, http
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._undecided: set[_Undecided] = set()
        self._accepting: asyncio.Task[None] | None = None
        self.port = int(listening.getsockname()[1])

    def start(self) -> None:
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def close(self) -> None:
        tasks = [*self._tasks, *([] if self._accepting is None else [self._accepting])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()
        for protocol in list(self._undecided):
            protocol.abort()

    async def _accept(self) -> None:
        loop, failing = asyncio.get_running_loop(), False
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._socket)
            except OSError as exc:
                if not failing:  # once, however long it lasts
                    log.warning("no connection can be accepted until others end: %s", exc)
                failing = True
                await asyncio.sleep(_PAUSE)
                continue
            failing = False
            self._start(self._serve(accepted))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _end_later(self, accepted: socket.socket) -> None:
        await self._clock.sleep(FIRST_BYTES)
        with suppress(OSError):
            accepted.shutdown(socket.SHUT_RDWR)

    async def _serve(self, accepted: socket.socket) -> None:
        deadline = self._start(self._end_later(accepted))
        try:
            first = await _peek(accepted)
            if not first:
                raise ConnectionAbortedError("nothing was said")
            context = self._context if first[0] == _TLS else None
            undecided = _Undecided(self._amqp, self._http, self._undecided, deadline)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: undecided, accepted, ssl=context)
        except OSError as exc:
            # a client that does not trust the certificate, says nothing, or is gone
            log.debug("a connection ended before it began: %s", exc)
            deadline.cancel()
            accepted.close()
        except asyncio.CancelledError:
            deadline.cancel()
            accepted.close()
            raise


async def _peek(accepted: socket.socket) -> bytes:
    """The first byte, which stays to be read; nothing, if the client is gone."""
    loop, readable = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    loop.add_reader(accepted, _tell, readable)
    try:
        await readable
    finally:
        loop.remove_reader(accepted)
    return accepted.recv(1, socket.MSG_PEEK)


def _tell(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


class _Undecided(asyncio.Protocol):
    """A connection whose first bytes are still to come. It hands itself over to the protocol that they name.

    `deadline` ends the connection unless it is called off.
    """

    def __init__(self, amqp: Protocols, http: Protocols, all_: set[_Undecided], deadline: asyncio.Task[None]) -> None:
        self._amqp, self._http, self._all, self._deadline = amqp, http, all_, deadline
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        self._all.discard(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._data += data
        if len(self._data) < 4 or self._transport is None:
            return
        self._deadline.cancel()
        self._all.discard(self)
        protocol = self._http() if self._data[:4] in _VERBS else self._amqp()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._data)
