"""Whole orders: what becomes of them, of the stock and of the money."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from scripts.dataset import read
from tests.e2e.conftest import ADDRESS, PATIENCE, Client, Login, Provider, Stocked, System, basket

ALL_BACK = {"on_hand": 5, "reserved": 0, "available": 5}


async def test_an_order_is_confirmed_its_stock_taken_and_its_money_captured(
    shopper: Client, staff: Client, stocked: Stocked, provider: Provider
) -> None:
    sku = await stocked(250, 5)
    order = await shopper.placed(basket((sku, 2)))
    assert (order["status"], order["total"]) == ("placed", {"amount": 500, "currency": "GBP"})
    order = await shopper.settled(order["id"])
    assert [entry["status"] for entry in order["history"]] == ["placed", "confirmed"]
    payment = await shopper.until(f"/orders/{order['id']}/payment", lambda p: p["status"] == "captured")
    assert payment["amount"] == {"amount": 500, "currency": "GBP"}
    stock = await staff.until(f"/stock/{sku}", lambda stock: stock["reserved"] == 0)
    assert (stock["on_hand"], stock["available"]) == (3, 3)
    assert await provider.money(order["id"]) == (0, 500)


async def test_the_timeline_tells_the_whole_story_in_order(shopper: Client, stocked: Stocked) -> None:
    sku = await stocked(100, 1)
    order = await shopper.placed(basket((sku, 1)))
    await shopper.until(
        f"/orders/{order['id']}/timeline", lambda page: any("captured" in e["event"] for e in page["items"])
    )
    story = await shopper.timeline(order["id"])
    assert story[0] == "order.placed"
    assert set(story[1:3]) == {"stock.reserved", "payment.authorized"}
    assert story[3:] == ["order.confirmed", "payment.captured"]


@pytest.mark.parametrize("card", ["pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds"])
async def test_a_declined_card_cancels_the_order_and_gives_the_stock_back(
    shopper: Client, staff: Client, stocked: Stocked, provider: Provider, card: str
) -> None:
    sku = await stocked(250, 5)
    order = await shopper.placed(basket((sku, 2), payment_method=card))
    order = await shopper.settled(order["id"])
    assert (order["status"], order["history"][-1]["reason"]) == ("cancelled", "payment_declined")
    stock = await staff.until(f"/stock/{sku}", lambda stock: stock["reserved"] == 0)
    assert stock == {"sku": sku, **ALL_BACK}
    assert await provider.money(order["id"]) == (0, 0)


async def test_an_order_for_more_than_there_is_is_cancelled_and_no_money_is_held(
    shopper: Client, staff: Client, stocked: Stocked, provider: Provider
) -> None:
    plenty, scarce = await stocked(100, 5), await stocked(100, 1)
    order = await shopper.placed(basket((plenty, 1), (scarce, 2)))
    order = await shopper.settled(order["id"])
    assert (order["status"], order["history"][-1]["reason"]) == ("cancelled", "out_of_stock")
    for sku, pieces in ((plenty, 5), (scarce, 1)):
        stock = await staff.until(f"/stock/{sku}", lambda stock: stock["reserved"] == 0)
        assert stock["available"] == pieces
    async with asyncio.timeout(30):
        while (await provider.intent(order["id"]) or {}).get("status") != "canceled":  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    assert await provider.money(order["id"]) == (0, 0)


async def test_a_silent_provider_times_the_order_out_and_its_late_authorisation_is_voided(
    shopper: Client, staff: Client, stocked: Stocked, provider: Provider
) -> None:
    sku = await stocked(250, 5)
    await provider.fault(operation="confirm", kind="hang_before_effect", seconds=14, count=1)
    order = await shopper.placed(basket((sku, 2)))
    order = await shopper.settled(order["id"])
    assert (order["status"], order["history"][-1]["reason"]) == ("cancelled", "timed_out")
    stock = await staff.until(f"/stock/{sku}", lambda stock: stock["reserved"] == 0)
    assert stock == {"sku": sku, **ALL_BACK}
    await shopper.until(f"/orders/{order['id']}/payment", lambda payment: payment["status"] == "voided")
    async with asyncio.timeout(40):
        while (await provider.intent(order["id"]) or {}).get("status") != "canceled":  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
    assert await provider.money(order["id"]) == (0, 0)


async def test_an_answer_lost_after_the_money_was_held_is_asked_for_and_found(
    shopper: Client, stocked: Stocked, provider: Provider
) -> None:
    sku = await stocked(250, 5)
    await provider.fault(operation="confirm", kind="drop_after_effect", count=1)
    order = await shopper.placed(basket((sku, 2)))
    assert (await shopper.settled(order["id"]))["status"] == "confirmed"
    await shopper.until(f"/orders/{order['id']}/payment", lambda payment: payment["status"] == "captured")
    intent = await provider.intent(order["id"])
    assert intent is not None
    assert (intent["authorizations"], intent["captured"]) == (1, 500)


async def test_a_shoppers_cancel_releases_stock_and_money(
    shopper: Client, staff: Client, stocked: Stocked, provider: Provider
) -> None:
    sku = await stocked(250, 5)
    await provider.fault(operation="confirm", kind="latency", seconds=1.5, count=1)
    order = await shopper.placed(basket((sku, 2)))
    cancelled = await shopper.call("POST", f"/orders/{order['id']}/cancel")
    assert cancelled.status == 202
    assert cancelled.json["history"][-1]["reason"] == "customer_request"
    again = await shopper.call("POST", f"/orders/{order['id']}/cancel")
    assert (again.status, again.json["history"]) == (202, cancelled.json["history"])
    await shopper.until(f"/orders/{order['id']}/payment", lambda payment: payment["status"] == "voided")
    stock = await staff.until(f"/stock/{sku}", lambda stock: stock["reserved"] == 0)
    assert stock == {"sku": sku, **ALL_BACK}
    assert await provider.money(order["id"]) == (0, 0)


async def test_the_real_basket_of_592_lines_is_confirmed(login: Login, staff: Client, shopper: Client) -> None:
    data = read()
    lines = Counter[str]()
    for sku, quantity in data.basket("536592").lines:
        lines[sku] += quantity
    assert len(data.basket("536592").lines) == 592
    places = asyncio.Semaphore(20)

    async def offer(sku: str) -> None:
        async with places:
            body = {"name": f"Real {sku}", "category": "real", "price": {"amount": 99, "currency": "GBP"}}
            known = await staff.call("GET", f"/products/{sku}")  # another test may have sold it at its own price
            seen = {"If-Match": known.headers["ETag"]} if known.status == 200 else {}
            assert (await staff.call("PUT", f"/products/{sku}", body, seen)).status in (200, 201)
            assert (await staff.call("PUT", f"/stock/{sku}", {"on_hand": 5_000})).status in (200, 201)

    await asyncio.gather(*(offer(sku) for sku in lines))
    order = await shopper.placed(basket(*data.basket("536592").lines))
    order = await shopper.settled(order["id"])
    assert order["status"] == "confirmed"
    assert [(line["sku"], line["quantity"]) for line in order["items"]] == list(data.basket("536592").lines)
    assert order["total"]["amount"] == 99 * sum(lines.values())


async def test_a_cart_becomes_an_order(shopper: Client, stocked: Stocked) -> None:
    first, second = await stocked(100, 5), await stocked(30, 5)
    cart = (await shopper.call("POST", "/carts")).json
    for sku, quantity in ((first, 1), (second, 4), (first, 2)):
        cart = (await shopper.call("PUT", f"/carts/{cart['id']}/items/{sku}", {"quantity": quantity})).json
    request = {
        "cart_id": cart["id"],
        "cart_version": cart["version"],
        "expected_total": {"amount": 2 * 100 + 4 * 30, "currency": "GBP"},
        "shipping_address": ADDRESS,
        "payment_method": "pm_card_visa",
    }
    order = await shopper.placed(request)
    assert order["total"]["amount"] == 2 * 100 + 4 * 30
    assert (await shopper.settled(order["id"]))["status"] == "confirmed"


async def test_a_discontinued_product_is_seen_by_its_sku_alone_and_bought_again_once_it_is_back(
    shopper: Client, staff: Client, stocked: Stocked
) -> None:
    shopper, staff = shopper.at_gateway(), staff.at_gateway()
    sku = await stocked(100, 5)
    cart = (await shopper.call("POST", "/carts")).json
    await shopper.placed(basket((sku, 1)))
    await shopper.call("PUT", f"/carts/{cart['id']}/items/{sku}", {"quantity": 1})

    async def put(discontinued: bool) -> None:
        product = await staff.call("GET", f"/products/{sku}")
        body, seen = {**product.json, "discontinued": discontinued}, {"If-Match": product.headers["ETag"]}
        assert (await staff.call("PUT", f"/products/{sku}", body)).status == 428
        assert (await staff.call("PUT", f"/products/{sku}", body, seen)).status == 200
        listed = (await staff.call("GET", f"/products?q={sku}")).json["items"]
        assert [found["sku"] for found in listed] == [sku] * (not discontinued)

    await put(discontinued=True)
    assert (await staff.call("GET", f"/products/{sku}")).json["discontinued"]
    await shopper.until(f"/carts/{cart['id']}", lambda found: found["discontinued"] == [sku])
    async with asyncio.timeout(60):
        while (refused := await shopper.order(basket((sku, 1)))).status == 202:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
    assert (refused.status, refused.problem) == (422, "discontinued"), refused.text
    await put(discontinued=False)
    await shopper.until(f"/carts/{cart['id']}", lambda found: found["discontinued"] == [])
    async with asyncio.timeout(60):
        while (ordered := await shopper.order(basket((sku, 1)))).status != 202:
            assert ordered.problem == "discontinued", ordered.text
            await asyncio.sleep(0.2)


async def test_the_last_piece_goes_to_one_buyer(
    login: Login, stocked: Stocked, staff: Client, provider: Provider
) -> None:
    sku = await stocked(500, 3)
    shoppers = [await login("shopper"), await login("shopper2")]
    await shoppers[0].settled((await shoppers[0].placed(basket((sku, 1))))["id"])
    orders = await asyncio.gather(*(shoppers[n % 2].placed(basket((sku, 1))) for n in range(12)))
    settled = await asyncio.gather(*(shoppers[n % 2].settled(order["id"]) for n, order in enumerate(orders)))
    assert Counter(order["status"] for order in settled) == {"confirmed": 2, "cancelled": 10}
    stock = await staff.until(f"/stock/{sku}", lambda stock: stock["reserved"] == 0)
    assert stock["on_hand"] == 0
    for order in settled:
        wanted = 500 if order["status"] == "confirmed" else 0
        async with asyncio.timeout(30):
            while await provider.money(order["id"]) != (0, wanted):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)


async def test_own_orders_are_listed_newest_first_page_by_page(shopper: Client, stocked: Stocked) -> None:
    sku = await stocked(100, 50)
    placed = [(await shopper.placed(basket((sku, 1))))["id"] for _ in range(5)]
    await shopper.until("/orders?limit=1", lambda page: page["items"][:1] and page["items"][0]["id"] == placed[-1])
    found: list[str] = []
    cursor = ""
    while len(found) < 5:
        page = (await shopper.call("GET", f"/orders?limit=2{cursor}")).json
        found += [order["id"] for order in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert found[:5] == placed[::-1]


async def test_one_trace_runs_from_the_request_through_every_service(
    system: System, shopper: Client, stocked: Stocked
) -> None:
    sku = await stocked(100, 1)
    await shopper.settled((await shopper.placed(basket((sku, 1))))["id"])
    sku = await stocked(100, 1)
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    await shopper.until(f"/products/{sku}", lambda _: True)
    while True:
        answer = await shopper.call(
            "POST", "/orders", basket((sku, 1)),
            {"Idempotency-Key": "traced", "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"},
        )  # fmt: skip
        if answer.status == 202:
            break
    assert answer.headers["traceparent"].split("-")[1] == trace_id
    story = {"order.placed", "stock.reserved", "payment.authorized", "order.confirmed", "payment.captured"}
    told: list[dict[str, str]] = []
    async with asyncio.timeout(PATIENCE):
        while not story <= {line["event"] for line in told}:
            log = (system.state / "logs" / "functions.log").read_text()
            told = [json.loads(line[line.index("{") :]) for line in log.splitlines() if trace_id in line]
            await asyncio.sleep(0.02)
    assert {"orders", "inventory", "payments"} <= {line["service"] for line in told}


@pytest.mark.parametrize("said", [("stock", "reserved"), ("payment", "authorized")], ids=lambda said: said[0])
async def test_events_that_somebody_else_raised_confirm_nothing(
    system: System, shopper: Client, stocked: Stocked, provider: Provider, said: tuple[str, str]
) -> None:
    few = 1 if said[0] == "stock" else 5
    card = "pm_card_chargeDeclined" if said[0] == "payment" else "pm_card_visa"
    sku = await stocked(250, few)
    await provider.fault(operation="create", kind="latency", seconds=1.5, count=1)
    order = await shopper.placed(basket((sku, 2), payment_method=card))
    hub = f"{system.addresses['functions']}/runtime/webhooks/durabletask/instances/{order['id']}/raiseEvent"
    for name, word in (("stock", "reserved"), ("payment", "authorized")):
        async with asyncio.timeout(PATIENCE):
            while True:
                async with shopper.session.post(f"{hub}/{name}", json=word) as answer:
                    if answer.status == 202:
                        break
                await asyncio.sleep(0.02)
    order = await shopper.settled(order["id"])
    reason = "out_of_stock" if said[0] == "stock" else "payment_declined"
    assert (order["status"], order["history"][-1]["reason"]) == ("cancelled", reason)
    async with asyncio.timeout(PATIENCE):
        while await provider.money(order["id"]) != (0, 0):  # noqa: ASYNC110 - another process gives it back
            await asyncio.sleep(0.05)


async def test_the_price_that_the_shopper_saw_is_held_or_the_order_is_refused_with_the_new_one(
    shopper: Client, staff: Client, stocked: Stocked
) -> None:
    sku = await stocked(1000, 9)
    cart = (await shopper.call("POST", "/carts")).json
    cart = (await shopper.call("PUT", f"/carts/{cart['id']}/items/{sku}", {"quantity": 2})).json
    seen = {"amount": 2000, "currency": "GBP"}
    body = {
        "cart_id": cart["id"], "cart_version": cart["version"], "expected_total": seen,
        "shipping_address": ADDRESS, "payment_method": "pm_card_visa",
    }  # fmt: skip
    assert (await shopper.placed(body))["total"] == seen
    dearer = {"name": f"Thing {sku}", "category": "tests", "price": {"amount": 9000, "currency": "GBP"}}
    product = await staff.call("GET", f"/products/{sku}")
    answer = await staff.call("PUT", f"/products/{sku}", dearer)
    assert (answer.status, answer.problem) == (428, "precondition-required")
    answer = await staff.call("PUT", f"/products/{sku}", dearer, {"If-Match": product.headers["ETag"]})
    assert answer.status == 200
    now = {"amount": 18_000, "currency": "GBP"}
    for order in (body, {**basket((sku, 2)), "expected_total": seen}):
        async with asyncio.timeout(PATIENCE):
            while (answer := await shopper.order(order)).status == 202:  # noqa: ASYNC110 - each process hears of it
                await asyncio.sleep(0.1)
        assert (answer.status, answer.problem, answer.json["total"]) == (409, "total-changed", now)
    agreed = await shopper.placed({**body, "expected_total": now})
    assert agreed["total"] == now
    await shopper.settled(agreed["id"])
    without = await shopper.order({name: value for name, value in body.items() if name != "expected_total"})
    assert (without.status, without.problem) == (400, "invalid-request")


async def test_staff_find_an_order_by_its_product_whose_it_is_and_what_became_of_it(
    shopper: Client, staff: Client, stocked: Stocked
) -> None:
    shopper, staff = shopper.at_gateway(), staff.at_gateway()
    sku = await stocked(100, 5)
    order = await shopper.settled((await shopper.placed(basket((sku, 1))))["id"])
    assert (await shopper.call("POST", "/order-search", {"sku": sku})).status == 403
    me = (await shopper.call("GET", "/me")).json["id"]

    async def found(**known: str) -> list[tuple[str, str]]:
        answer = await staff.call("POST", "/order-search?limit=5", known)
        assert answer.status == 200, answer
        return [(each["id"], each["customer_id"]) for each in answer.json["items"]]

    await shopper.until("/orders", lambda page: order["id"] in {each["id"] for each in page["items"]})
    assert await found(sku=sku, status="confirmed", customer_id=me, placed_from=order["placed_at"]) == [
        (order["id"], me)
    ]
    assert await found(sku=sku, placed_before=order["placed_at"]) == await found(sku=sku, status="cancelled") == []
    assert await found(order_id=order["id"]) == [(order["id"], me)]
