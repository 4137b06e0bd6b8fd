"""The HTTP server in front of the host, as forgiving and as strict as Kestrel: any word is a method, targets are taken
as they are, bodies as they were sent, and what is refused is refused without a body.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError, LineTooLong
from aiohttp.http_parser import HttpRequestParserPy, RawRequestMessage
from aiohttp.streams import StreamReader

from localazure import connections
from localazure.functions.reasons import reason
from localazure.part import Timeouts

log = logging.getLogger("localazure.functions")

MAX_BODY = 104_857_600
MAX_LINE = 8_192
MAX_HEADER_BYTES = 32_768
MAX_HEADERS = 100
"""Bytes of a body (the Functions host's limit), of a request line, of all headers, and their number (Kestrel's)."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_KNOWN = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"})
"""Methods that are the same in any letter case."""
_OTHER_VERSION = re.compile(rb"[^ ]+ [^ \r\n]+ (?!HTTP/1\.[01]\r)[^\r\n]+\r\n")
_FAST = frozenset({b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"TRACE"})


class OtherVersion(HttpProcessingError):
    """A request in a version of HTTP that the server does not speak."""


class AnyMethod(HttpRequestParserPy):
    """Reads requests whatever their method is. The parser below knows some words only, and tunnels behind CONNECT."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._methods: list[str] = []

    def parse_message(self, lines: list[bytes]) -> RawRequestMessage:
        method, _, rest = lines[0].partition(b" ")
        if _TOKEN.fullmatch(method) is None:
            raise BadHttpMessage("the method is no word")
        message = super().parse_message([b"POST " + rest, *lines[1:]])
        text = method.decode()
        self._methods.append(text.upper() if text.upper() in _KNOWN else text)
        return message

    def feed_data(self, data: bytes, *args: Any, **options: Any) -> Any:
        messages, upgraded, tail = super().feed_data(data, *args, **options)
        named = [(message._replace(method=self._methods.pop(0)), payload) for message, payload in messages]
        return named, upgraded, tail


class Parser:
    """The fast parser, until a request has a method that it does not read."""

    def __init__(self, fast: Any, tolerant: Callable[[], Any]) -> None:
        self._chosen = fast
        self._tolerant: Callable[[], Any] | None = tolerant

    def feed_data(self, data: bytes) -> Any:
        try:
            return self._chosen.feed_data(data)
        except HttpProcessingError as exc:
            if _OTHER_VERSION.match(data):
                raise OtherVersion(message="the version of HTTP is not supported") from exc
            method, space, _ = data.partition(b" ")
            if self._tolerant is None or not space or method in _FAST or _TOKEN.fullmatch(method) is None:
                raise
        self._chosen, self._tolerant = self._tolerant(), None
        return self._chosen.feed_data(data)

    def feed_eof(self) -> Any:
        return self._chosen.feed_eof()

    def message_consumed(self) -> None:
        self._chosen.message_consumed()

    def pause_reading(self) -> None:
        self._chosen.pause_reading()

    def set_upgraded(self, upgraded: bool) -> None:
        self._chosen.set_upgraded(upgraded)


class Connection(connections.Connection):
    """One connection of a client."""

    __slots__ = ()

    def __init__(self, watch: connections.Server, **options: Any) -> None:
        super().__init__(watch, **options)
        loop = asyncio.get_running_loop()
        limits = {"max_line_size": MAX_LINE, "max_field_size": MAX_HEADER_BYTES, "auto_decompress": False}

        def tolerant() -> AnyMethod:
            return AnyMethod(self, loop, 2**16, **limits)

        self._parser = Parser(self._parser, tolerant)  # type: ignore[assignment]  # used for what it has

    def refusal(self, exc: HttpProcessingError) -> int:
        return _status_of(exc)

    def bare(self, status: int) -> web.Response:
        return web.Response(status=status, reason=reason(status))


def _status_of(exc: HttpProcessingError) -> int:
    """What the server says to a request that it cannot read."""
    if isinstance(exc, OtherVersion):
        return 505
    if isinstance(exc, LineTooLong):
        return 414 if exc.args[1] == MAX_LINE else 431
    return 431 if "Too many headers" in exc.message else 400


class Server(connections.Server):
    """Makes a Connection for every client."""

    connection = Connection


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.Request:
    loop = asyncio.get_running_loop()
    return web.Request(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)


def runner(handler: Handler, timeouts: Timeouts, grace: float) -> web.ServerRunner:
    """Serves with `handler`; requests under way may take `grace` seconds to end when it is cleaned up."""
    server = Server(
        handler,  # type: ignore[arg-type]  # it gets the requests of the factory
        timeouts,
        request_factory=_request,
        access_log=None,
        auto_decompress=False,
        max_line_size=MAX_LINE,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS + 1,
    )
    return web.ServerRunner(server, shutdown_timeout=grace)
