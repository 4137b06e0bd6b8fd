"""The HTTP connections of every part: how long a client may take, and what becomes of one that is gone or unreadable.

The times are those of Kestrel, the server of the Functions host: an idle connection is closed, a slow header or body is
answered 408. They are counted in the server's own time, which stands still while this machine is too busy to read:
nobody is blamed for data that lies here unread. What a stranger can bring about is logged once an interval.
Source: "Configure options for the ASP.NET Core Kestrel web server", limits; `TimeoutControl` of Kestrel.
"""

from __future__ import annotations

import asyncio
import http
import logging
import resource
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http import HttpVersion10, HttpVersion11
from aiohttp.http_exceptions import HttpProcessingError

from localazure.part import Timeouts
from localazure.tally import Tally

log = logging.getLogger("localazure.connections")

_SWEEP = 1.0
"""Seconds between two looks at all connections."""
_RESERVED = 64
"""Descriptors that are for files and sockets which no client opens."""
_SHED = 8
"""One connection in so many is closed where there is room for no more, so that the search for them is rare."""
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
UNREADABLE = (HttpProcessingError, web.RequestPayloadError)
"""What reading a request raises where it is not HTTP, or its body not what its headers say."""


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connection(web.RequestHandler):
    """One connection of a client."""

    __slots__ = ("_begun", "_body", "_read_for", "_silent_for", "_stuck_for", "_tls", "_unsent", "_watch")

    def __init__(self, watch: Server, **options: Any) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(watch, loop=loop, keepalive_timeout=watch.timeouts.idle, **options)
        self._watch = watch
        self._begun: float | None = None
        self._body: tuple[object, int] = (None, 0)
        self._read_for = self._silent_for = 0.0
        self._unsent = 0
        self._stuck_for = 0.0
        self._tls = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tls = transport.get_extra_info("sslcontext") is not None
        super().connection_made(transport)

    @property
    def waits(self) -> bool:
        """Whether the next request, or the rest of its headers, is still to come."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def idle_until(self) -> float:
        """When it is closed unless a request comes: the earlier, the longer it has been idle."""
        return self._next_keepalive_close_time

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._waiter is None or self._waiter.done():
            self._begun = None
        elif self._begun is None and data:
            self._begun = self._watch.now

    def look(self, transport: asyncio.Transport, elapsed: float) -> None:
        """End the connection where its client takes too long; `elapsed` seconds have passed since the last look."""
        if self._tls and transport.is_closing():
            return  # such a transport says nothing any more, and ends by itself where the client does not answer
        limits = self._watch.timeouts
        unsent = transport.get_write_buffer_size()
        self._stuck_for = self._stuck_for + elapsed if unsent and unsent == self._unsent else 0.0
        self._unsent = unsent
        if self._stuck_for > limits.idle:
            self._watch.tally.note("an answer is not read: its connection is closed")
            transport.abort()
        elif self._begun is not None and self.waits and self._watch.now - self._begun > limits.header:
            self._end("the headers of a request come too slowly: 408")
        elif self._reads() and self._is_slow(elapsed):
            self._end("the body of a request comes too slowly: 408")

    def _reads(self) -> bool:
        """Whether somebody waits for more of the body of the request under way."""
        request = self._current_request
        waiter = None if request is None else getattr(request.content, "_waiter", None)  # an empty body has none
        return waiter is not None and not waiter.done()

    def _is_slow(self, elapsed: float) -> bool:
        request, limits = self._current_request, self._watch.timeouts
        assert request is not None
        body, count = self._body
        if body is not request.content:
            self._read_for = self._silent_for = 0.0
            count = 0
        arrived = request.content.total_bytes
        self._read_for += elapsed
        self._silent_for = 0.0 if arrived > count else self._silent_for + elapsed
        self._body = request.content, arrived
        if self._silent_for > limits.idle:
            return True
        return self._read_for > limits.grace and arrived < limits.rate * self._read_for

    def _end(self, why: str) -> None:
        """408, unless an answer has begun; whoever reads the body is told that the client is gone."""
        self._watch.tally.note(why)
        request = self._current_request
        if self.transport is not None and (request is None or request.writer.output_size == 0):
            self.transport.write(_TOO_SLOW)
        self.force_close()

    def shed(self) -> None:
        """Close an idle connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer where there is none, after which the connection is closed. It repeats nothing of the request."""
        unreadable = isinstance(exc, UNREADABLE)
        if self.transport is None and (unreadable or isinstance(exc, ConnectionError)):
            log.debug("a client is gone amid its request: %r", exc)
            raise ConnectionError("the client is gone")
        if unreadable:
            status = self.refusal(exc) if isinstance(exc, HttpProcessingError) else 400
            self._watch.tally.note(f"a request that cannot be read is refused with {status}")
        else:
            log.error("a request could not be answered", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        answer = self.bare(status)
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **options: Any) -> None:
        """What aiohttp could not go on with; a body that did not come to its end is told once, where it was read."""
        if not isinstance(options.get("exc_info"), (ConnectionError, *UNREADABLE)):
            super().log_exception(*args, **options)

    def refusal(self, exc: HttpProcessingError) -> int:
        """The status for a request that is not HTTP."""
        return 400

    def bare(self, status: int) -> web.Response:
        """An answer that says nothing but its status."""
        return web.Response(status=status, text=f"{status}: {http.HTTPStatus(status).phrase}")


class Server(web.Server):
    """Makes a connection for every client, and looks at all of them every second."""

    connection: type[Connection] = Connection

    def __init__(self, handler: Handler, timeouts: Timeouts, **options: Any) -> None:
        super().__init__(handler, **options)
        self.timeouts = timeouts
        self.tally = Tally(log)
        self.now = 0.0
        self._every = min(_SWEEP, timeouts.header / 4, timeouts.grace / 4)
        self._sweeper: asyncio.TimerHandle | None = None
        self._looked = 0.0
        self._most = _most_connections()

    def __call__(self) -> Connection:
        return self.connection(self, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._looked = loop.time()
            self._sweeper = loop.call_later(self._every, self._sweep)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        elapsed = min(now - self._looked, 2 * self._every)
        self._looked = now
        self.now += elapsed
        self._sweeper = loop.call_later(self._every, self._sweep) if self._connections else None
        for connection, transport in list(self._connections.items()):
            assert isinstance(connection, Connection)
            connection.look(transport, elapsed)

    async def shutdown(self, timeout: float | None = None) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        await super().shutdown(timeout)

    def has_room(self, opening: int) -> bool:
        """Whether one more connection may be accepted besides those that are `opening`."""
        return len(self._connections) + opening < self._most

    def make_room(self) -> bool:
        """Close those that have been idle for longest; whether there were any."""
        idle = [handler for handler in self._connections if isinstance(handler, Connection) and handler.waits]
        for connection in sorted(idle, key=lambda connection: connection.idle_until)[: len(idle) // _SHED + 1]:
            connection.shed()
            self.tally.note(
                "there is no room for another connection: the longest idle ones are closed", logging.WARNING
            )
        return bool(idle)


def _most_connections() -> int:
    """How many clients may be connected: half of the descriptors, as each may need another one to be answered."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else max((soft - _RESERVED) // 2, 1)


_CONTINUE = "100-continue"
SPOKEN = (HttpVersion11, HttpVersion10)


def unspoken(request: web.BaseRequest) -> int | None:
    """The status for a request in another version of HTTP, which is answered in one that is spoken here."""
    version = request._version  # not `version`, which keeps what it said first
    if version in SPOKEN:
        return None
    request._version = HttpVersion11
    return 505 if version.major else 400


def _readable(handler: Handler) -> Handler:
    """`handler`, for requests whose version and expectations can be met. A coroutine around it costs every call."""

    def answer(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        status = unspoken(request)
        if status is None and request.headers.get("Expect", _CONTINUE).lower() != _CONTINUE:
            status = 417  # aiohttp's own refusal repeats what was expected, or fails at it
        return handler(request) if status is None else _refused(status)

    return answer


async def _refused(status: int) -> web.Response:
    refused = web.Response(status=status)
    refused.force_close()
    return refused


class Runner(web.AppRunner):
    """Serves an application on such connections. Its options are those of `web.AppRunner`."""

    def __init__(self, app: web.Application, timeouts: Timeouts, **options: Any) -> None:
        super().__init__(app, access_log=None, **options)
        self._timeouts = timeouts

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(
            _readable(made.request_handler),
            self._timeouts,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,
        )
