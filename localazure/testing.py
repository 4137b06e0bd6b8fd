"""Run a part in this process, on a thread of its own, so that synchronous SDK clients can talk to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from localazure.part import Config, Part, Server


@contextmanager
def serving(part: Part, config: Config | None = None) -> Iterator[Server]:
    """The part, accepting connections on a port of the operating system's choice; stopped at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=f"localazure-{part.name}", daemon=True)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(_start(part, config or Config()), loop).result(30)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _start(part: Part, config: Config) -> Server:
    return await part.start(config)
