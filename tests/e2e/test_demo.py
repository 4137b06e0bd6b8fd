"""`make demo`: a basket of the data, in whose rows a product may stand more than once, is bought through a cart."""

from __future__ import annotations

import pytest

from scripts.dataset import Basket
from scripts.demo import TELLING, buy
from scripts.shop import Shop
from tests.e2e.conftest import Stocked, System


async def test_a_product_in_several_rows_is_bought_with_all_its_pieces(
    system: System, stocked: Stocked, capsys: pytest.CaptureFixture[str]
) -> None:
    skus = [await stocked(100 + number, 20) for number in range(TELLING + 1)]
    async with Shop("shopper2", system.state) as shop:
        order = await buy(
            shop, Basket("1", tuple((sku, 2) for sku in (*skus, skus[0], skus[3], skus[0]))), "pm_card_visa"
        )
    assert order["status"] == "confirmed"
    assert {line["sku"]: line["quantity"] for line in order["items"]} == {
        **dict.fromkeys(skus, 2),
        skus[0]: 6,
        skus[3]: 4,
    }
    async with Shop("shopper", system.state) as shop:
        few = await buy(shop, Basket("2", ((skus[1], 1), (skus[2], 2), (skus[1], 1))), "pm_card_visa")
    assert few["status"] == "confirmed" and few["total"]["amount"] == 2 * 101 + 2 * 102
    said = capsys.readouterr().out
    assert f"{TELLING}/{len(skus)}" in said and "CONFIRMED" in said
