"""What the tests of every provider with webhooks do: an address for them, what exists only here, and waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from localazure.clock import ManualClock

PATIENCE = 10.0
"""Seconds."""


@asynccontextmanager
async def taking(take: Handler) -> AsyncIterator[str]:
    """The address at which webhooks are given to `take`, for as long as the context lasts."""
    application = web.Application()
    application.router.add_post("/webhooks", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks"
    finally:
        await runner.cleanup()


async def local(url: str, method: str, path: str, body: Any = None) -> Any:
    """What the provider at `url` answers below `/_local`. Raises ClientResponseError for a refusal."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{url}/_local/{path}", json=body) as answer,
    ):
        answer.raise_for_status()
        return await answer.json()


async def until(true: Callable[[], Any], clock: ManualClock, step: float = 0) -> Any:
    """Let the loop run, with so many seconds at each look, until something is the case."""
    async with asyncio.timeout(PATIENCE):
        while not (result := true()):
            await clock.advance(step)
    return result
