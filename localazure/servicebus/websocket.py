"""AMQP over WebSockets: binary messages are the byte stream, cut anywhere.

Source: "AMQP WebSocket Binding" (OASIS), of which Service Bus speaks the subprotocol AMQPWSB10.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web

PATHS = ("/$servicebus/websocket", "/$servicebus/websocket/")
_SUBPROTOCOL = "AMQPWSB10"
_MAX_SIZE = 4 * 1024 * 1024
"""Bytes of one WebSocket message; a client's largest frame is a quarter of it."""
_HOME = ("localhost", "127.0.0.1", "::1")


async def serve(request: web.Request, connect: Callable[[], asyncio.Protocol]) -> web.StreamResponse:
    """One client, until it is gone."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).hostname not in _HOME:
        # the emulator's key is public: a web page of somewhere else could use it
        return web.Response(status=403, text=f"The origin {origin} is not this machine.")
    stream = web.WebSocketResponse(protocols=(_SUBPROTOCOL,), compress=False, max_msg_size=_MAX_SIZE)
    await stream.prepare(request)
    connection, transport = connect(), _Transport(request, stream)
    connection.connection_made(transport)
    sending = asyncio.get_running_loop().create_task(transport.run())
    try:
        async for message in stream:
            if message.type is not WSMsgType.BINARY or transport.is_closing():
                break
            connection.data_received(message.data)
    finally:
        connection.connection_lost(None)
        transport.close()
        await asyncio.gather(sending, return_exceptions=True)
    return stream


class _Transport(asyncio.Transport):
    """What a connection writes to. Everything that is written before the task runs is one message."""

    def __init__(self, request: web.Request, stream: web.WebSocketResponse) -> None:
        super().__init__()
        self._request, self._stream = request, stream
        self._parts: list[bytes] = []
        self._news = asyncio.Event()
        self._closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        inner = self._request.transport
        return default if inner is None else inner.get_extra_info(name, default)

    def write(self, data: Any) -> None:
        self._parts.append(bytes(data))
        self._news.set()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        self._news.set()

    def abort(self) -> None:
        self.close()
        if self._request.transport is not None:
            self._request.transport.abort()

    async def run(self) -> None:
        """Send what was written; at the end, close the stream."""
        while self._parts or not self._closing:
            await self._news.wait()
            self._news.clear()
            parts, self._parts = self._parts, []
            if parts:
                await self._stream.send_bytes(b"".join(parts))
        await self._stream.close()
