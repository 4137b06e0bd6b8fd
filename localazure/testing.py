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
            asyncio.run_coroutine_threadsafe(_stop(server), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _stop(server: Server) -> None:
    """Stop it, and end what began while it stopped: a client's thread may have connected at that very moment."""
    await server.stop()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.sleep(0)  # a transport that was closed says so in the loop's next turn


async def _start(part: Part, config: Config) -> Server:
    return await part.start(config)
