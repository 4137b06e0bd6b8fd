"""One world for all of this folder's tests, in an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.gateway.world import World


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def shared_world(runner: asyncio.Runner) -> Iterator[World]:
    world = World()
    runner.run(world.start())
    yield world
    runner.run(world.stop())


@pytest.fixture
def run(runner: asyncio.Runner, shared_world: World) -> Callable[[Callable[[World], Awaitable[Any]]], Any]:
    """Runs an async function of the world, which is as at its start."""

    def go(test: Callable[[World], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            await shared_world.reset()
            return await test(shared_world)

        return runner.run(whole())

    return go
