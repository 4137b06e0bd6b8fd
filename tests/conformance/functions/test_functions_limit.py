"""The time limit of a worker's calls: each call has its own time, though one timer watches them all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from localazure.functions.limit import Limit


async def _hangs() -> None:
    await asyncio.Event().wait()


async def test_a_late_call_is_cancelled_and_the_others_go_on() -> None:
    limit, go = Limit(1.0), asyncio.Event()
    first = asyncio.create_task(limit.within(_hangs()))
    await asyncio.sleep(0.8)
    second = asyncio.create_task(limit.within(go.wait()))
    with pytest.raises(TimeoutError):
        await first
    go.set()
    assert await second
    with pytest.raises(TimeoutError):
        await limit.within(_hangs())


async def test_every_call_that_hangs_is_cancelled() -> None:
    limit = Limit(0.02)
    calls = []
    for _ in range(5):
        calls.append(asyncio.create_task(limit.within(_hangs())))
        await asyncio.sleep(0.005)
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in ended] == [TimeoutError] * 5


async def test_what_a_call_raises_and_its_own_cancellation_pass() -> None:
    async def fails() -> None:
        raise LookupError("nothing there")

    limit = Limit(60)
    with pytest.raises(LookupError, match="nothing there"):
        await limit.within(fails())
    call = asyncio.create_task(limit.within(_hangs()))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_many_calls_need_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    original, moments = loop.call_at, []

    def call_at(when: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
        moments.append(when)
        return original(when, *args, **options)

    monkeypatch.setattr(loop, "call_at", call_at)
    limit = Limit(60)
    for _ in range(100):
        await limit.within(asyncio.sleep(0))
    assert len(moments) == 1
