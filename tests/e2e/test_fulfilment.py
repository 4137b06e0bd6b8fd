"""After the money: an order is shipped, delivered, comes back in parts and is paid back, over HTTP alone."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from tests.e2e.conftest import APPROVED_ABOVE, PATIENCE, Answer, Client, Provider, Stocked, basket


def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(8)}


class Carrier:
    """A carrier that says what the test wants."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def says(self, number: str, status: str) -> None:
        """As soon as the parcel is followed."""
        url = f"{self._client.system.addresses['easypost']}/_local/trackers/{number}"
        async with asyncio.timeout(PATIENCE):
            while True:
                async with self._client.session.post(url, json={"status": status}) as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(0.05)


@pytest.fixture
def carrier(staff: Client) -> Carrier:
    return Carrier(staff)


async def confirmed(shopper: Client, body: dict[str, Any]) -> str:
    order = await shopper.placed(body)
    assert (await shopper.settled(order["id"]))["status"] == "confirmed"
    return str(order["id"])


async def shipped(staff: Client, order_id: str, number: str, *items: tuple[str, int]) -> Any:
    """Ship it once shipping has heard of it."""
    body: dict[str, Any] = {"carrier": "UPS", "tracking_number": number}
    if items:
        body["items"] = [{"sku": sku, "quantity": quantity} for sku, quantity in items]
    sent = key()
    async with asyncio.timeout(PATIENCE):
        while (answer := await staff.call("POST", f"/orders/{order_id}/shipments", body, sent)).status == 404:  # noqa: ASYNC110 - a poll
            await asyncio.sleep(0.05)
    assert answer.status == 201, answer
    assert answer.headers["Location"].endswith(f"/orders/{order_id}/shipments/{answer.json['id']}")
    return answer.json


async def delivered(shopper: Client, staff: Client, stocked: Stocked, price: int, pieces: int) -> tuple[str, str]:
    """An order of so many pieces that is at the customer's, and its SKU."""
    sku = await stocked(price, pieces)
    order_id = await confirmed(shopper, basket((sku, pieces)))
    await shipped(staff, order_id, "EZ4000000004")
    await shopper.until(f"/orders/{order_id}", lambda order: order["status"] == "delivered")
    return order_id, sku


async def returned(shopper: Client, order_id: str, sku: str, quantity: int) -> Any:
    body = {"items": [{"sku": sku, "quantity": quantity}], "reason": "unwanted"}
    answer = await shopper.call("POST", f"/orders/{order_id}/returns", body, key())
    assert (answer.status, answer.json["status"]) == (202, "requested"), answer
    assert answer.headers["Location"].endswith(f"/orders/{order_id}/returns/{answer.json['id']}")
    return answer.json


async def test_an_order_leaves_in_two_parcels_and_the_customer_sees_where_they_are(
    shopper: Client, other_shopper: Client, staff: Client, stocked: Stocked, carrier: Carrier
) -> None:
    first, second = await stocked(250, 5), await stocked(100, 5)
    order_id = await confirmed(shopper, basket((first, 2), (second, 3)))
    numbers = [f"E{secrets.token_hex(6)}" for _ in range(2)]
    parcel = await shipped(staff, order_id, numbers[0], (first, 2), (second, 1))
    await shopper.until(f"/orders/{order_id}", lambda order: order["status"] == "partly_shipped")
    await shipped(staff, order_id, numbers[1])
    await shopper.until(f"/orders/{order_id}", lambda order: order["status"] == "shipped")

    await carrier.says(numbers[0], "in_transit")
    path = f"/orders/{order_id}/shipments/{parcel['id']}"
    await shopper.until(path, lambda found: found["tracking"]["status"] == "in_transit")
    assert (await other_shopper.call("GET", path)).status == 404
    assert (await other_shopper.call("GET", f"/orders/{order_id}/shipments")).status == 404
    assert (await shopper.call("POST", f"/orders/{order_id}/shipments", {}, key())).status == 403

    for number in numbers:
        await carrier.says(number, "delivered")
    order = await shopper.until(f"/orders/{order_id}", lambda order: order["status"] == "delivered")
    assert [entry["status"] for entry in order["history"]] == [
        "placed", "confirmed", "partly_shipped", "shipped", "delivered",
    ]  # fmt: skip
    page = (await shopper.call("GET", f"/orders/{order_id}/shipments")).json
    assert [found["status"] for found in page["items"]] == ["delivered", "delivered"]
    story = await shopper.timeline(order_id)
    assert (story.count("shipment.shipped"), story.count("shipment.delivered")) == (2, 2)
    refused = await shopper.call("POST", f"/orders/{order_id}/cancel")
    assert (refused.status, refused.problem) == (409, "order-not-cancellable")


async def test_a_confirmed_order_is_cancelled_as_long_as_nothing_of_it_is_shipped(
    shopper: Client, staff: Client, stocked: Stocked, provider: Provider
) -> None:
    sku = await stocked(250, 5)
    order_id = await confirmed(shopper, basket((sku, 2)))
    await shopper.until(f"/orders/{order_id}/payment", lambda payment: payment["status"] == "captured")
    for _ in range(2):
        assert (await shopper.call("POST", f"/orders/{order_id}/cancel")).status == 202
    order = await shopper.until(f"/orders/{order_id}", lambda order: order["status"] == "cancelled")
    assert order["history"][-1]["reason"] == "customer_request"
    payment = await shopper.until(f"/orders/{order_id}/payment", lambda payment: payment["status"] == "refunded")
    assert payment["refunded"] == {"amount": 500, "currency": "GBP"}
    assert await provider.money(order_id) == (0, 0)
    stock = await staff.until(f"/stock/{sku}", lambda stock: stock["available"] == 5)
    assert (stock["on_hand"], stock["reserved"]) == (5, 0)
    answer = await staff.call(
        "POST", f"/orders/{order_id}/shipments", {"carrier": "UPS", "tracking_number": "TOOLATE1"}, key()
    )
    assert (answer.status, answer.problem) == (409, "order-being-cancelled")


async def test_a_small_return_approves_itself_and_what_came_back_is_paid_back(
    shopper: Client, staff: Client, stocked: Stocked, provider: Provider
) -> None:
    order_id, sku = await delivered(shopper, staff, stocked, 250, 4)
    case = await returned(shopper, order_id, sku, 3)
    path = f"/orders/{order_id}/returns/{case['id']}"
    approved = await shopper.until(path, lambda found: found["status"] == "approved")
    assert approved["decided_by"] == "rule"
    counted = await staff.call("POST", f"{path}/receipt", {"items": [{"sku": sku, "restocked": 1, "written_off": 1}]})
    assert (counted.status, counted.json["status"]) == (200, "received")
    paid = await shopper.until(path, lambda found: found["status"] == "refunded")
    assert paid["refunded"] == {"amount": 500, "currency": "GBP"}
    assert await provider.money(order_id) == (0, 500)
    assert (await staff.until(f"/stock/{sku}", lambda stock: stock["available"] == 1))["on_hand"] == 1

    rest = await returned(shopper, order_id, sku, 2)
    path = f"/orders/{order_id}/returns/{rest['id']}"
    await shopper.until(path, lambda found: found["status"] == "approved")
    await staff.call("POST", f"{path}/receipt", {"items": [{"sku": sku, "restocked": 2}]})
    payment = await shopper.until(f"/orders/{order_id}/payment", lambda payment: payment["status"] == "refunded")
    assert payment["refunded"] == payment["amount"]
    assert await provider.money(order_id) == (0, 0)
    told = await shopper.until(
        f"/orders/{order_id}/timeline",
        lambda found: [entry["event"] for entry in found["items"]].count("commerce.payment.refunded.v1") == 2,
    )
    story = [entry["event"] for entry in told["items"]]
    assert story.count("commerce.return.received.v1") == 2


async def test_a_large_return_waits_for_a_person_and_one_decision_counts(
    shopper: Client, other_shopper: Client, staff: Client, stocked: Stocked
) -> None:
    order_id, sku = await delivered(shopper, staff, stocked, 100_00, 2)
    case = await returned(shopper, order_id, sku, 1)
    path = f"/orders/{order_id}/returns/{case['id']}"
    assert (await other_shopper.call("GET", path)).status == 404
    assert (await shopper.call("POST", f"{path}/decision", {"decision": "approve"})).status == 403

    async def decide(decision: str) -> Answer:
        return await staff.call("POST", f"{path}/decision", {"decision": decision})

    answers = await asyncio.gather(*(decide(decision) for decision in ["approve", "refuse"] * 10))
    assert sorted(answer.status for answer in answers) == [200] * 10 + [409] * 10
    found = (await shopper.call("GET", path)).json
    assert found["status"] in ("approved", "refused")
    listed = (await shopper.call("GET", f"/orders/{order_id}/returns")).json
    assert [item["status"] for item in listed["items"]] == [found["status"]]


async def test_staff_pays_back_a_confirmed_order_in_parts_and_no_more_than_was_taken(
    shopper: Client, staff: Client, stocked: Stocked, provider: Provider
) -> None:
    sku = await stocked(250, 5)
    order_id = await confirmed(shopper, basket((sku, 2)))
    await shopper.until(f"/orders/{order_id}/payment", lambda payment: payment["status"] == "captured")
    path, sent = f"/orders/{order_id}/refunds", key()
    assert (await shopper.call("POST", path, {"reason": "goodwill"}, key())).status == 403
    for _ in range(2):
        made = await staff.call("POST", path, {"reason": "damaged", "amount": 120}, sent)
        assert (made.status, made.json["status"]) == (201, "made"), made
    many = await asyncio.gather(
        *(staff.call("POST", path, {"reason": "goodwill", "amount": 100}, key()) for _ in range(6))
    )
    assert sorted(answer.status for answer in many) == [201] * 3 + [409] * 3
    assert (await staff.call("POST", path, {"reason": "late"}, key())).json["amount"]["amount"] == 80
    assert await provider.money(order_id) == (0, 0)
    payment = await shopper.until(f"/orders/{order_id}/payment", lambda payment: payment["status"] == "refunded")
    assert len(payment["refunds"]) == 5


async def test_a_large_order_holds_stock_and_money_until_a_person_who_is_not_its_customer_decides(
    shopper: Client, staff: Client, stocked: Stocked, provider: Provider
) -> None:
    sku = await stocked(APPROVED_ABOVE // 2 + 1, 6)
    orders = [await shopper.placed(basket((sku, 2))) for _ in range(2)]
    for order in orders:
        path, about = f"/orders/{order['id']}", f"/orders/{order['id']}/approval"
        seen = await shopper.settled(order["id"])
        assert (seen["status"], seen["approval"]) == ("awaiting_approval", None)
        assert (await provider.money(order["id"]))[0] == order["total"]["amount"]
        assert (await shopper.call("POST", about, {"decision": "approve", "why": "mine"})).status == 403
        assert (await staff.call("GET", path)).json["approval"]["rules"] == ["large"]
    assert (await staff.call("GET", f"/stock/{sku}")).json["reserved"] == 4
    assert (await shopper.call("GET", "/approvals")).status == 403
    listed = (await staff.call("GET", "/approvals?limit=100")).json["items"]
    assert {order["id"] for order in orders} <= {each["id"] for each in listed}

    first, second = (order["id"] for order in orders)
    for _ in range(2):
        answer = await staff.call("POST", f"/orders/{first}/approval", {"decision": "approve", "why": "they called"})
        assert (answer.status, answer.json["status"]) == (200, "confirmed"), answer
    late = await staff.call("POST", f"/orders/{first}/approval", {"decision": "refuse", "why": "or not"})
    assert (late.status, late.problem) == (409, "approval-decided")
    await shopper.until(f"/orders/{first}/payment", lambda payment: payment["status"] == "captured")

    refused = await staff.call("POST", f"/orders/{second}/approval", {"decision": "refuse", "why": "a stolen card"})
    assert (refused.json["status"], refused.json["history"][-1]["reason"]) == ("cancelled", "not_approved")
    await shopper.until(f"/orders/{second}/payment", lambda payment: payment["status"] == "voided")
    assert await provider.money(second) == (0, 0)
    stock = await staff.until(f"/stock/{sku}", lambda stock: stock["available"] == 4)
    assert (stock["on_hand"], stock["reserved"]) == (4, 0)
    told = (await staff.call("GET", f"/orders/{second}/timeline")).json["items"]
    assert "a stolen card" in {entry.get("why") for entry in told}
    assert "a stolen card" not in (await shopper.call("GET", f"/orders/{second}/timeline")).text
