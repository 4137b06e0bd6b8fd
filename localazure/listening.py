"""The listening socket of every part. Where descriptors run out, idle clients make room and the others wait: accepting
never turns in a circle, and its log is bounded.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from typing import cast

from aiohttp import web

from localazure.connections import Connection, Runner, Server
from localazure.part import HOST, Config

log = logging.getLogger("localazure.connections")

BACKLOG = 1024
_PAUSE = 0.1
"""Seconds until the next try where there is no room."""
_MAX_CONCURRENCY = 64
"""Connections accepted before those that are open have their turn again."""
_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def bound(port: int, *, reuse_port: bool = False) -> socket.socket:
    """A socket on a port of this machine, which queues connections from now on. Raises OSError for one in use."""
    return socket.create_server((HOST, port), backlog=BACKLOG, reuse_port=reuse_port)


async def listen(runner: web.BaseRunner, listening: socket.socket, context: ssl.SSLContext | None = None) -> Site:
    """Answer on a bound socket with a runner that is set up; with a `context` over TLS."""
    site = Site(runner, listening, context)
    await site.start()
    return site


class HttpServer:
    """A part with one port, which speaks HTTP. What else it owns, and in which order all of it stops, the part says."""

    def __init__(self, application: web.Application, config: Config) -> None:
        # With cancellation, a caller that hangs up frees its handler; what it asked for goes on where it must.
        self._runner = Runner(application, config.timeouts, handler_cancellation=True, shutdown_timeout=1)
        self._bound = config.port
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def listen(self) -> None:
        """Accept connections, on a `port` that is known from now on. Raises OSError for one in use."""
        await self._runner.setup()
        self.port = (await listen(self._runner, bound(self._bound))).port


def abort_idle_over_tls(runner: web.AppRunner) -> None:
    """Before a runner is cleaned up: an idle client need not answer a TLS farewell for half a minute."""
    for handler in runner.server.connections if runner.server is not None else ():
        assert isinstance(handler, Connection)
        if handler.waits and handler.transport is not None and handler.transport.get_extra_info("sslcontext"):
            handler.transport.abort()


class Site(web.BaseSite):
    """One port of a runner, which stops it."""

    __slots__ = ("_acceptor", "_socket")

    def __init__(self, runner: web.BaseRunner, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        super().__init__(runner, ssl_context=context)
        self._socket = listening

    @property
    def name(self) -> str:
        return f"{'http' if self._ssl_context is None else 'https'}://{HOST}:{self.port}"

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        await super().start()
        assert isinstance(self._runner.server, Server)
        self._acceptor = _Acceptor(self._runner.server, self._socket, self._ssl_context)
        self._server = cast(asyncio.AbstractServer, self._acceptor)

    async def stop(self) -> None:
        await super().stop()
        await self._acceptor.opened()


class _Acceptor:
    """Accepts for a server until it is closed; what aiohttp wants of an `asyncio.Server`."""

    def __init__(self, server: Server, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        listening.setblocking(False)
        self._server, self._socket, self._context = server, listening, context
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(listening, self._accept)

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        return (self._socket,)

    def close(self) -> None:
        """Accept no more. Who is connected already, and waits to be accepted, is let in first."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._accept()
            self._socket.close()
        if self._pause is not None:
            self._pause.cancel()

    async def opened(self) -> None:
        """Until the server knows those that were let in last, so that it ends them, too. A greeting over TLS may never
        come, and is not waited for."""
        if self._context is None:
            await asyncio.gather(*self._opening, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(_MAX_CONCURRENCY):
            if not self._server.has_room(len(self._opening)):
                return self._wait()
            try:
                accepted, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return None
            except OSError as exc:
                if exc.errno not in _SHORT:
                    raise
                self._server.tally.note("no connection can be accepted: there are no descriptors", logging.WARNING)
                return self._wait()
            accepted.setblocking(False)
            opening = self._loop.create_task(
                self._loop.connect_accepted_socket(self._server, accepted, ssl=self._context)
            )
            self._opening.add(opening)
            opening.add_done_callback(self._opened)
        return None

    def _opened(self, opening: asyncio.Task[tuple[asyncio.Transport, asyncio.BaseProtocol]]) -> None:
        self._opening.discard(opening)
        if not opening.cancelled() and (exc := opening.exception()) is not None:
            log.debug("a connection ended before it began: %r", exc)

    def _wait(self) -> None:
        """Accept again in the loop's next turn, where connections are closed for it, or a moment later."""
        if self._server.make_room():
            return
        self._loop.remove_reader(self._socket)
        self._pause = self._loop.call_later(_PAUSE, self._loop.add_reader, self._socket, self._accept)
