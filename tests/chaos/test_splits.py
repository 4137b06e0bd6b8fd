"""Orders while the containers that they are in are split: none is lost, none is doubled, whoever holds which keys.

Every container begins with four physical ranges, as one of Azure's would with enough data or throughput.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from tests.chaos.audit import Expected, at_any_instant, when_quiet
from tests.chaos.shop import Caller, offer, order_of, sign_in
from tests.chaos.stores import FEEDS
from tests.chaos.system import running
from tests.splitting import SEVERAL, splitting

SHOPPERS, ORDERS_EACH, PRODUCTS, PIECES = 6, 4, 5, 30
PATIENCE = 90.0


async def test_orders_survive_that_their_containers_are_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path / "system", ranges=SEVERAL) as system, aiohttp.ClientSession() as session:
        staff = await sign_in(system, session, "staff")
        skus = [await offer(staff, 250, PIECES) for _ in range(PRODUCTS)]
        shoppers = [await sign_in(system, session, "shopper", f"shopper-{number}") for number in range(SHOPPERS)]
        with splitting(system.addresses["cosmos"], FEEDS) as split:
            accepted = await asyncio.gather(*(_buy(shopper, skus) for shopper in shoppers))
        snapshot = await system.stores.at_rest(PATIENCE)
    orders = frozenset(order_id for each in accepted for order_id in each)
    with capsys.disabled():
        print(f"\n{len(split)} splits; {dict(Counter(order['status'] for order in snapshot.orders))}")
    assert set(split) == set(FEEDS)
    assert at_any_instant(snapshot) == []
    assert when_quiet(snapshot, Expected(orders, dict.fromkeys(skus, PIECES))) == []
    assert len(orders) == SHOPPERS * ORDERS_EACH == len(snapshot.orders)
    assert {order["status"] for order in snapshot.orders} == {"confirmed"}


async def _buy(shopper: Caller, skus: list[str]) -> list[str]:
    return [
        await shopper.place(order_of({skus[number % PRODUCTS]: 1, skus[(number + 1) % PRODUCTS]: 2}), f"order-{number}")
        for number in range(ORDERS_EACH)
    ]
