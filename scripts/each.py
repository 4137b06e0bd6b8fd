"""Doing the same with many things, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def each(
    items: Iterable[T],
    do: Callable[[T], Awaitable[None]],
    at_once: int,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """`do` with every item, `at_once` at a time; `progress` is told after each how many are done.

    The first error ends it all, and is raised in an ExceptionGroup.
    """
    waiting, done = iter(items), 0

    async def worker() -> None:
        nonlocal done
        for item in waiting:
            await do(item)
            done += 1
            progress(done)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())
