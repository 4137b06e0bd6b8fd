"""A host that is killed takes no order with it, although what it held stays taken as long as on Azure."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from tests.chaos.audit import Expected, when_quiet
from tests.chaos.shop import offer, order_of, sign_in
from tests.chaos.system import System, running

ORDERS = 20
MAX_SECONDS = 90.0
"""Seconds from the kill until the last order is decided."""
PATIENCE = 200.0
LOCK = "PT1M"
"""As in `infra/servicebus.json`."""
LIMITS = {"ORDER_MOST_OPEN": str(2 * ORDERS)}
"""One customer has more orders under way here than one may have."""


async def test_twenty_orders_survive_the_death_of_their_host_by_azures_time_outs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        running(tmp_path / "system", lock=LOCK, recovery="azure", settings=LIMITS) as system,
        aiohttp.ClientSession() as session,
    ):
        staff, shopper = await sign_in(system, session, "staff"), await sign_in(system, session, "shopper")
        sku = await offer(staff, 250, 2 * ORDERS)
        # one order that is through: orders has heard of the product, everything is warm
        first = await shopper.place(order_of({sku: 1}), "warm")
        placed = asyncio.gather(*(shopper.place(order_of({sku: 1}), f"k{n}") for n in range(ORDERS)))
        await _some_are_through(system, before={first})
        await system.kill("functions")
        killed = time.monotonic()
        await system.restart("functions")
        accepted = {first, *await placed}
        while (left := await system.stores.undecided()) and time.monotonic() - killed < PATIENCE:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        seconds = time.monotonic() - killed
        snapshot = await system.stores.at_rest(PATIENCE)
    ends = Counter(order["status"] for order in snapshot.orders)
    with capsys.disabled():
        print(f"\nthe last of {ORDERS} orders was decided {seconds:.0f} s after their host had died")
    assert left == []
    assert ends == {"confirmed": ORDERS + 1}
    assert when_quiet(snapshot, Expected(frozenset(accepted), {sku: 2 * ORDERS})) == []
    assert seconds < MAX_SECONDS


async def _some_are_through(system: System, before: set[str]) -> None:
    """The first order of all has been decided, and one of those that came after it: most are under way."""
    async with asyncio.timeout(PATIENCE):
        while not (await system.stores.decided()) - before:  # noqa: ASYNC110 - asked of a store
            await asyncio.sleep(0.02)
