"""Turns within a process: one at a time for each key, first come, first served, and nothing left behind."""

from __future__ import annotations

import asyncio

import pytest

from shared.turns import Turns


async def test_those_of_one_key_take_turns_in_the_order_they_came() -> None:
    turns, log = Turns(), list[str]()

    async def step(name: str) -> None:
        async with turns.of("key"):
            log.append(f"{name} begins")
            await asyncio.sleep(0)
            log.append(f"{name} ends")

    await asyncio.gather(*map(step, "abc"))
    assert log == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_those_of_another_key_do_not_wait() -> None:
    turns = Turns()
    async with turns.of("one"), asyncio.timeout(1), turns.of("two"):
        assert len(turns) == 2


async def test_a_queue_ends_with_the_last_one_in_it_also_after_errors_and_cancellation() -> None:
    turns = Turns()

    async def fails() -> None:
        async with turns.of("key"):
            raise ValueError

    async with turns.of("key"):
        waiting = asyncio.create_task(fails())
        given_up = asyncio.create_task(fails())
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
    with pytest.raises(ValueError):
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert len(turns) == 0
