"""A killed provider knows all that it ever answered: effect, idempotency key and webhook are one transaction."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import stripe

from tests.conformance.stripe.conftest import ORDER, AsyncClient

PAID = ORDER | {"payment_method": "pm_card_visa", "confirm": True}
CALLERS, KILLS, BETWEEN_KILLS = 8, 3, 20


@asynccontextmanager
async def process(state: Path, port: int) -> AsyncIterator[str]:
    """The provider as a process of its own, killed without warning at the end."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localazure", "stripe", "--port", str(port), "--state", str(state)), stdout=PIPE
    )
    assert running.stdout is not None
    line = await asyncio.wait_for(running.stdout.readline(), 20)
    try:
        yield line.decode().split()[-1]
    finally:
        if running.returncode is None:
            os.kill(running.pid, signal.SIGKILL)
        await running.wait()


class Shop:
    """Callers that insist, as the app does, with one key per order, until each order's money is held."""

    def __init__(self, url: str, orders: list[str]) -> None:
        self._ask = AsyncClient(url)
        self._waiting = iter(orders)
        self.provider_is_up = asyncio.Event()
        self.placed: asyncio.Queue[str] = asyncio.Queue()

    async def work(self) -> None:
        for order_id in self._waiting:
            await self._place(order_id)
            self.placed.put_nowait(order_id)

    async def _place(self, order_id: str) -> None:
        parameters = PAID | {"metadata": {"order_id": order_id}}
        while True:
            await self.provider_is_up.wait()
            try:
                await self._ask("payment_intents.create", parameters, {"idempotency_key": order_id})
            except stripe.APIConnectionError:
                continue
            return

    async def close(self) -> None:
        await self._ask.close()


async def test_no_order_is_lost_or_charged_twice_though_the_provider_is_killed_again_and_again(tmp_path: Path) -> None:
    async with process(tmp_path, 0) as url:
        port = int(url.rpartition(":")[2])
    orders = [f"order-{number}" for number in range(KILLS * BETWEEN_KILLS + 60)]
    shop = Shop(url, orders)
    callers = [asyncio.create_task(shop.work()) for _ in range(CALLERS)]
    for _ in range(KILLS):
        async with process(tmp_path, port):
            shop.provider_is_up.set()
            for _ in range(BETWEEN_KILLS):
                await asyncio.wait_for(shop.placed.get(), 20)
        shop.provider_is_up.clear()
    async with process(tmp_path, port):
        shop.provider_is_up.set()
        await asyncio.gather(*callers)
        async with aiohttp.ClientSession() as session, session.get(f"{url}/_local/ledger") as answer:
            ledger = await answer.json()
    await shop.close()
    assert sorted(intent["metadata"]["order_id"] for intent in ledger["intents"]) == sorted(orders)
    assert ledger["totals"] == {"gbp": {"held": 1250 * len(orders), "captured": 0, "refunded": 0}}
