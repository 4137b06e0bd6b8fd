"""Doing one thing over and over for a while, several at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from scripts.bench.figures import rate

WARM_UP = 0.5
"""Seconds of the same before the clock starts."""


async def per_second(action: Callable[[int], Awaitable[object]], lanes: int, seconds: float) -> float:
    """How often `action` ends in a second, `lanes` at a time; it is given a number that counts up from 0."""
    done, number = 0, 0
    start = time.perf_counter() + WARM_UP
    end = start + seconds

    async def lane() -> None:
        nonlocal done, number
        while time.perf_counter() < end:
            mine, number = number, number + 1
            await action(mine)
            done += start <= time.perf_counter() < end

    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())
    return rate(done, seconds)
