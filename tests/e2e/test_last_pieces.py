"""Two hundred buyers want the last fifty pieces at the same moment: fifty get one each, and nobody else pays.

RUNS=10 makes ten runs of it, each with a product of its own.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import ADDRESS, Login, Provider, System, started

RUNS = int(os.environ.get("RUNS", "1"))
BUYERS, PIECES, PRICE = 200, 50, 700
DEADLINE = 120
"""Seconds that an order waits: two hundred at once take a while on a slow machine, and none may time out."""


@pytest.fixture(scope="module", params=[(), ("--instances", "3")], ids=["one-instance", "three-instances"])
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with started(tmp_path_factory.mktemp("last-pieces"), *request.param, deadline=DEADLINE) as running:
        yield running


@pytest.mark.parametrize("run", range(RUNS))
async def test_the_last_pieces(system: System, login: Login, run: int) -> None:
    shopper, staff = await login("shopper"), await login("staff")
    sku = f"L{secrets.token_hex(5)}"
    product = {"name": "The last ones", "category": "tests", "price": {"amount": PRICE, "currency": "GBP"}}
    assert (await staff.call("PUT", f"/products/{sku}", product)).status == 201
    body = {"items": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
    first = await shopper.placed(body)  # there is no stock yet: it only shows that orders knows the product
    assert (await shopper.settled(first["id"]))["history"][-1]["reason"] == "out_of_stock"
    assert (await staff.call("PUT", f"/stock/{sku}", {"on_hand": PIECES})).status == 201

    placed = await asyncio.gather(*(shopper.order(body) for _ in range(BUYERS)))
    assert Counter(answer.status for answer in placed) == {202: BUYERS}
    orders = [await shopper.settled(answer.json["id"]) for answer in placed]
    ends = Counter((order["status"], order["history"][-1]["reason"]) for order in orders)
    assert ends == {("confirmed", None): PIECES, ("cancelled", "out_of_stock"): BUYERS - PIECES}

    await staff.until(f"/stock/{sku}", lambda stock: (stock["on_hand"], stock["reserved"]) == (0, 0))
    provider = Provider(system.addresses["stripe"], shopper.session)
    async with asyncio.timeout(DEADLINE):
        while True:
            money = [await provider.money(order["id"]) for order in orders]
            if not any(held for held, _ in money):
                break
            await asyncio.sleep(0.2)
    assert sum(taken for _, taken in money) == PIECES * PRICE
    assert Counter(taken for _, taken in money) == {PRICE: PIECES, 0: BUYERS - PIECES}
