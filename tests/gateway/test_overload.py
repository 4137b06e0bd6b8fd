"""Far more requests than are allowed, from many clients at once: exactly the allowed number pass."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp

from tests.gateway.test_policies import Run
from tests.gateway.world import KEYS, World

REQUESTS, CLIENTS, ALLOWED = 10_000, 50, 700


def test_exactly_the_allowed_number_pass(run: Run) -> None:
    async def flood(world: World) -> None:
        moment = world.clock.time()
        world.clock.stop_at(moment)  # ten thousand requests may take longer than the window is wide
        patient = {"backend_timeout_seconds": 60}  # everything here shares one event loop
        base = await world.gateway(partner_calls_per_minute=ALLOWED, partner_calls_per_week=10**9, **patient)
        headers = {
            "Authorization": f"Bearer {await world.token('partner')}",
            "Ocp-Apim-Subscription-Key": KEYS["partner"],
        }
        left, statuses = iter(range(REQUESTS)), Counter[int]()

        async def client() -> None:
            async with aiohttp.ClientSession(headers=headers) as session:
                for _ in left:
                    async with session.get(f"{base}/v1/orders") as answer:
                        statuses[answer.status] += 1
                        assert ("Retry-After" in answer.headers) == (answer.status == 429)
                        await answer.read()

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        assert statuses == {200: ALLOWED, 429: REQUESTS - ALLOWED}
        assert len(world.seen) == ALLOWED, "the backend has done nothing for the rest"

    run(flood)
