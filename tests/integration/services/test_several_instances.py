"""What an instance of the orders service keeps in memory, where there are two: each has a cache of its own."""

from __future__ import annotations

import secrets
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from blueprints.orders import service, store
from blueprints.orders.domain import ProductPrice
from blueprints.orders.shapes import PlaceOrder
from shared.errors import Conflict
from shared.money import Money
from shared.persistence import memory
from shared.web.auth import Principal

LIFETIME = 5.0
ADDRESS = {"name": "A", "line1": "1 Street", "city": "London", "postal_code": "E1 6AN", "country": "GB"}


class Now:
    """The monotonic clock, which a test turns."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    turned = Now()
    monkeypatch.setattr(memory, "time", SimpleNamespace(monotonic=turned))
    monkeypatch.setenv("PRODUCT_CACHE_SECONDS", str(LIFETIME))
    return turned


async def tell(version: int, sku: str, amount: int) -> None:
    """What the catalog tells reaches one instance: the one whose memory is `store.product_cache`."""
    document: dict[str, Any] = {"sku": sku, "name": "thing", "price": {"amount": amount, "currency": "GBP"}}
    await store.keep_product(version, document)


def price(found: dict[str, ProductPrice], sku: str) -> Money:
    return found[sku].price


async def test_another_instances_price_is_never_older_than_the_cache_may_be(
    now: Now, monkeypatch: pytest.MonkeyPatch
) -> None:
    hears, other = store.ProductCache(), store.ProductCache()
    monkeypatch.setattr(store, "product_cache", hears)
    sku = f"S{secrets.token_hex(5)}"
    await tell(1, sku, 100)
    assert [price(await copy.find([sku]), sku).amount for copy in (hears, other)] == [100, 100]
    await tell(2, sku, 200)
    assert price(await hears.find([sku]), sku).amount == 200
    now.seconds += LIFETIME - 0.1
    assert price(await other.find([sku]), sku).amount == 100
    now.seconds += 0.2
    assert price(await other.find([sku]), sku).amount == 200


async def test_a_shopper_pays_no_other_total_than_the_one_that_was_seen_whichever_instance_answers(
    now: Now, monkeypatch: pytest.MonkeyPatch
) -> None:
    hears, late = store.ProductCache(), store.ProductCache()
    sku, shopper = f"S{secrets.token_hex(5)}", Principal(secrets.token_hex(8), frozenset(), frozenset())

    async def place(copy: store.ProductCache, amount: int) -> Money:
        monkeypatch.setattr(store, "product_cache", copy)
        body = {
            "items": [{"sku": sku, "quantity": 1}],
            "shipping_address": ADDRESS,
            "payment_method": "pm_card_visa",
            "expected_total": {"amount": amount, "currency": "GBP"},
        }
        return (await service.place(shopper, secrets.token_hex(8), msgspec.convert(body, PlaceOrder))).total

    monkeypatch.setattr(store, "product_cache", hears)
    await tell(1, sku, 100)
    await late.find([sku])
    await tell(2, sku, 200)
    with pytest.raises(Conflict, match="something else"):
        await place(late, 200)
    with pytest.raises(Conflict, match="something else"):
        await place(hears, 100)
    assert (await place(late, 100), await place(hears, 200)) == (Money(100, "GBP"), Money(200, "GBP"))
    now.seconds += LIFETIME
    with pytest.raises(Conflict, match="something else"):
        await place(late, 100)


async def test_an_order_enters_its_customers_list_once_whichever_instance_sees_it() -> None:
    customer, order_id = secrets.token_hex(8), f"ord_{secrets.token_hex(13)}"
    for _ in range(3):
        await store.enlist(customer, order_id, "2010-12-01T08:26:00.000Z", ["A1"])
    query = "SELECT c.id FROM c WHERE c.customer_id = @customer"
    entries = [entry async for entry in store.BY_CUSTOMER.query(query, {"@customer": customer}, key=customer)]
    assert [entry["id"] for entry in entries] == [order_id]
