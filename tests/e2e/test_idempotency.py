"""One Idempotency-Key, one order, however often and however fast it is sent."""

from __future__ import annotations

import asyncio
import secrets

from tests.e2e.conftest import Client, Provider, Stocked, basket

GBP = {"currency": "GBP"}


async def test_twenty_requests_at_once_make_one_order(shopper: Client, stocked: Stocked, provider: Provider) -> None:
    sku = await stocked(100, 50)
    await shopper.settled((await shopper.placed(basket((sku, 1))))["id"])
    key = secrets.token_hex(8)
    answers = await asyncio.gather(*(shopper.order(basket((sku, 1)), key) for _ in range(20)))
    assert {answer.status for answer in answers} <= {202, 409}
    accepted = [answer for answer in answers if answer.status == 202]
    assert len({answer.text for answer in accepted}) == 1
    order = await shopper.settled(accepted[0].json["id"])
    await shopper.until(f"/orders/{order['id']}/payment", lambda payment: payment["status"] == "captured")
    assert await provider.money(order["id"]) == (0, 100)


async def test_a_repeat_gets_the_first_answer_after_the_order_has_moved_on(shopper: Client, stocked: Stocked) -> None:
    sku = await stocked(100, 5)
    key = secrets.token_hex(8)
    first = await shopper.placed(basket((sku, 1)), key)
    await shopper.settled(first["id"])
    again = await shopper.order(basket((sku, 1)), key)
    assert (again.status, again.json) == (202, first)


async def test_a_repeat_gets_the_first_answer_though_its_cart_has_changed(shopper: Client, stocked: Stocked) -> None:
    sku, key = await stocked(100, 5), secrets.token_hex(8)
    opened = await shopper.call("POST", "/carts", headers={"Idempotency-Key": secrets.token_hex(8)})
    line = f"/carts/{opened.json['id']}/items/{sku}"
    cart = (await shopper.call("PUT", line, {"quantity": 2})).json
    body = {**basket(), "cart_id": cart["id"], "cart_version": cart["version"], "expected_total": GBP | {"amount": 200}}
    del body["items"]
    first = await shopper.placed(body, key)
    await shopper.call("PUT", line, {"quantity": 3})
    later = {**body, "cart_version": cart["version"] + 1, "expected_total": GBP | {"amount": 300}}
    assert (await shopper.placed(later))["items"][0]["quantity"] == 3  # the news of it has arrived
    again = await shopper.order(body, key)
    assert (again.status, again.json) == (202, first)


async def test_another_body_under_the_same_key_is_refused(shopper: Client, stocked: Stocked) -> None:
    sku = await stocked(100, 5)
    key = secrets.token_hex(8)
    await shopper.placed(basket((sku, 1)), key)
    for other in (basket((sku, 2)), basket(("nobody-sells-this", 1))):
        answer = await shopper.order(other, key)
        assert (answer.status, answer.problem) == (422, "idempotency-key-reused")


async def test_two_shoppers_may_use_the_same_key(shopper: Client, other_shopper: Client, stocked: Stocked) -> None:
    sku = await stocked(100, 5)
    key = secrets.token_hex(8)
    assert (await shopper.placed(basket((sku, 1)), key))["id"] != (await other_shopper.placed(basket((sku, 1)), key))[
        "id"
    ]


async def test_an_order_without_a_key_is_refused(shopper: Client) -> None:
    answer = await shopper.call("POST", "/orders", basket(("A", 1)))
    assert (answer.status, answer.problem) == (400, "invalid-request")


async def test_a_cart_is_opened_once_for_one_key(shopper: Client) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    first, second = [await shopper.call("POST", "/carts", headers=headers) for _ in range(2)]
    assert first.status == second.status == 201
    assert first.json == second.json
