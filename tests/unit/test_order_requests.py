"""What tells a repeated order from another one under the same key."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from blueprints.orders import service
from blueprints.orders.shapes import PlaceOrder
from shared.errors import InvalidRequest
from shared.web.auth import Principal

ADDRESS = {"name": "A. Shopper", "line1": "1 High Street", "city": "London", "postal_code": "N1 1AA", "country": "GB"}
ITEMS = [{"sku": "85123A", "quantity": 6}]
BY_ID = {"items": ITEMS, "payment_method": "pm_card_visa", "address_id": "adr_5m2q7xk4d3h6w2n5r7t4y2u6i3"}


def fingerprint(**body: Any) -> str:
    return service._fingerprint(msgspec.convert(body, PlaceOrder))


def test_an_order_that_was_placed_before_there_were_saved_addresses_can_be_repeated() -> None:
    before = "27f12de7f5336136a06f119c5c94218fec97bc0a29f019e11eef3b7717ebb14d"
    assert fingerprint(items=ITEMS, shipping_address=ADDRESS, payment_method="pm_card_visa") == before


def test_an_order_by_a_saved_address_is_the_same_when_the_address_was_changed_or_removed() -> None:
    first = fingerprint(**BY_ID, shipping_address=ADDRESS)
    assert fingerprint(**BY_ID, shipping_address={**ADDRESS, "line1": "2 High Street"}) == first
    assert fingerprint(**BY_ID) == first
    assert fingerprint(**{**BY_ID, "address_id": f"adr_{'a' * 26}"}) != first
    assert fingerprint(items=ITEMS, shipping_address=ADDRESS, payment_method="pm_card_visa") != first


async def test_an_order_goes_somewhere() -> None:
    with pytest.raises(InvalidRequest, match="either shipping_address or address_id"):
        nowhere = msgspec.convert({"items": ITEMS, "payment_method": "pm_card_visa"}, PlaceOrder)
        await service.place(Principal("someone", frozenset(), frozenset()), "key", nowhere)
