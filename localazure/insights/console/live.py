"""Server-sent events: what has changed, for as long as somebody looks.

A page names what it watches. Telemetry is a number that grows with each item; queues and workflows are looked at every
two seconds for all pages together, and told when they are not what they were.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from localazure.insights.console.assets import HEADERS
from localazure.insights.console.errors import BadRequest, Busy, ConsoleError

MAX_WATCHERS = 24
"""Pages that are told at once."""
TURN = 1.0
"""Seconds between two looks at what is told."""
_FRESH = 1.9
"""Seconds for which what was seen is good for other pages, too."""
_BEAT = 15.0
"""Seconds of silence after which a page is told that there is nothing: it notices a console that has gone."""

Look = Callable[[], Awaitable[Any]]


class Live:
    def __init__(self, looks: Mapping[str, Look]) -> None:
        self._looks = dict(looks)
        self._seen: dict[str, tuple[float, bytes]] = {}
        self._locks = {name: asyncio.Lock() for name in looks}
        self._stopped = asyncio.Event()
        self._streams = 0

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Events named by what is watched, until the page or the console goes. Raises BadRequest and Busy."""
        watched = [name for name in request.query.get("watch", "").split(",") if name]
        if unknown := sorted(set(watched) - self._looks.keys()):
            raise BadRequest(f"there is no {unknown[0][:40]} to watch")
        if self._streams >= MAX_WATCHERS:
            raise Busy(f"{MAX_WATCHERS} pages are open already; close one")
        self._streams += 1
        try:
            return await self._tell(request, watched)
        finally:
            self._streams -= 1

    def stop(self) -> None:
        """End every stream."""
        self._stopped.set()

    async def _tell(self, request: web.Request, watched: list[str]) -> web.StreamResponse:
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        told: dict[str, bytes] = {}
        spoken = time.monotonic()
        while not self._stopped.is_set():
            for name in watched:
                content = await self._look(name)
                if told.get(name) != content:
                    told[name] = content
                    await response.write(b"event: " + name.encode() + b"\ndata: " + content + b"\n\n")
                    spoken = time.monotonic()
            if time.monotonic() - spoken > _BEAT:
                await response.write(b": nothing new\n\n")
                spoken = time.monotonic()
            try:
                await asyncio.wait_for(self._stopped.wait(), TURN)
            except TimeoutError:
                continue
        return response

    async def _look(self, name: str) -> bytes:
        async with self._locks[name]:
            at, content = self._seen.get(name, (0.0, b""))
            if not content or time.monotonic() - at > _FRESH:
                try:
                    content = msgspec.json.encode(await self._looks[name]())
                except ConsoleError as exc:
                    content = msgspec.json.encode({"error": str(exc)})
                self._seen[name] = time.monotonic(), content
            return content
