"""What may become of an order, each as a story that can be told while the system dies and comes back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import stripe
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from blueprints.inventory.store import SHELVES
from tests.chaos.approvals import approved, doubted, unapproved
from tests.chaos.importing import IMPORTS
from tests.chaos.people import curious, forgotten, impatient, known
from tests.chaos.products import change, discontinued, poison
from tests.chaos.shop import Caller, fault, order_of, sign_in
from tests.chaos.stage import CONFIRMED, SHIPPED, SLOW, WISH, Stage, Story, fresh_key
from tests.chaos.system import CREDIT, STRIPE_TIMEOUT
from tests.e2e.conftest import ADDRESS


async def confirmed(stage: Stage) -> None:
    """A product that changes its price is bought out of a cart, half of which was gathered as a guest."""
    sku = await stage.stocked(price=300)
    await change(stage, sku, price={"amount": 250, "currency": "GBP"})
    guest = await stage.shopper.done("POST", "/guest-carts")
    guest = await stage.shopper.done("PUT", f"/guest-carts/{guest['id']}/items/{sku}", {"quantity": 1})
    cart = await stage.shopper.done("POST", "/carts", key=fresh_key())
    cart = await stage.shopper.done("PUT", f"/carts/{cart['id']}/items/{sku}", {"quantity": 1})
    cart = await stage.shopper.done("POST", f"/carts/{cart['id']}/merge", {"guest_cart_id": guest["id"]})
    assert [line["quantity"] for line in cart["items"]] == [2]
    body = {"cart_id": cart["id"], "cart_version": cart["version"], "shipping_address": ADDRESS}
    body |= {"expected_total": {"amount": 2 * 250, "currency": "GBP"}, "payment_method": "pm_card_visa"}
    await stage.place(body, fresh_key(), CONFIRMED)


async def declined(stage: Stage) -> None:
    """The card is refused for a basket of more products than there are shelves, so that two lie on one."""
    basket = {await stage.stocked(): pieces + 1 for pieces in range(SHELVES + 1)}
    body = order_of(basket, "pm_card_chargeDeclined")
    await stage.place(body, fresh_key(), ("cancelled", "payment_declined"))


async def cancelled(stage: Stage) -> None:
    """The shopper has second thoughts while the provider is still deciding."""
    await _second_thoughts(stage, "confirm", SLOW)


async def overtaken(stage: Stage) -> None:
    """The cancellation reaches payments before it has written anything down about the order.

    The provider takes longer than payments waits, so there is time for it on a slow machine, too.
    """
    await _second_thoughts(stage, "create", 1.5 * STRIPE_TIMEOUT)


async def _second_thoughts(stage: Stage, slow: str, seconds: float) -> None:
    sku, key = await stage.stocked(), fresh_key()
    await fault(stage.system, stage.session, stage.shopper.order_id(key), slow, seconds)
    order_id = await stage.place(order_of({sku: 1}), key, WISH, CONFIRMED)
    # the provider must have been asked, or there is nothing to overtake
    if slow == "confirm":
        await _intent(stage, order_id, lambda _: True)
    await stage.cancel(order_id)


async def unanswered(stage: Stage) -> None:
    """The provider holds the money, and says so when nobody listens any more: payments has to ask what became of it."""
    sku, key = await stage.stocked(), fresh_key()
    await fault(stage.system, stage.session, stage.shopper.order_id(key), "confirm", 1.5 * STRIPE_TIMEOUT)
    await stage.place(order_of({sku: 1}), key, CONFIRMED)


async def dear(stage: Stage) -> None:
    """An order that is worth more than is held on trust: its money comes first, and there is less than it wants.

    One that was paid would be trusted with as much the next time, and this is told again and again.
    """
    sku = await stage.stocked(pieces=1, price=CREDIT // 2 + 10_000_000)
    await stage.place(order_of({sku: 2}), fresh_key(), ("cancelled", "out_of_stock"))


async def scarce(stage: Stage) -> None:
    """There is less than the order wants."""
    plenty, few = await stage.stocked(), await stage.stocked(pieces=1)
    await stage.place(order_of({plenty: 1, few: 2}), fresh_key(), ("cancelled", "out_of_stock"))


async def taken(stage: Stage) -> None:
    """While a cancelled order's money is being given back, somebody captures it by hand at the provider."""
    sku, key = await stage.stocked(), fresh_key()
    order_id = stage.shopper.order_id(key)
    await fault(stage.system, stage.session, order_id, "confirm", SLOW)
    await fault(stage.system, stage.session, order_id, "cancel", 3 * SLOW)
    await stage.place(order_of({sku: 1}), key, WISH, CONFIRMED)
    await _intent(stage, order_id, lambda _: True)
    await stage.cancel(order_id)
    intent = await _intent(stage, order_id, lambda intent: intent["status"] in ("requires_capture", "canceled"))
    client = stripe.StripeClient(
        stage.system.settings["STRIPE_API_KEY"], base_addresses={"api": stage.system.addresses["stripe"]}
    )
    if intent["status"] == "requires_capture":
        by_hand: Any = {"metadata": {"captured_by": "hand"}}
        await asyncio.to_thread(client.v1.payment_intents.capture, intent["id"], by_hand)


async def mended(stage: Stage) -> None:
    """What carts told cannot be read: it dies, is sent again, dies again, which stops that, and is set aside."""
    admin = await sign_in(stage.system, stage.session, "admin")
    connection = stage.system.settings["SERVICEBUS_CONNECTION"]
    async with (
        ServiceBusClient.from_connection_string(connection) as bus,
        bus.get_topic_sender("carts") as sender,
    ):
        await sender.send_messages(ServiceBusMessage("not an event", subject="commerce.cart.changed.v1"))
    await _dead_letters(admin, 1)
    asked = {"topic": "carts", "service": "orders", "why": "a test", "rate": 100, "dry_run": False, "stop_after": 1}
    task = await admin.done("POST", "/operations/redrives", asked, key=fresh_key())
    async with asyncio.timeout(60):
        while True:
            found = await admin.done("GET", f"/operations/tasks/{task['id']}")
            if found["status"] not in ("pending", "running"):
                break
            await asyncio.sleep(0.05)
    assert found["problem"]["code"] == "came-back", found
    assert (found["result"]["sent"], found["result"]["came_back"]) == (1, 1), found
    for letter in await _dead_letters(admin, 1):
        await admin.done("POST", f"/operations/dead-letters/{letter['id']}/set-aside", {"why": "a test"})
    await _dead_letters(admin, 0)


async def _dead_letters(admin: Caller, count: int) -> list[dict[str, Any]]:
    """The dead letters of orders' subscription to carts, once there are so many."""
    async with asyncio.timeout(60):
        while True:
            found = await admin.done("GET", "/operations/dead-letters?topic=carts&service=orders")
            if len(found["items"]) == count:
                return list(found["items"])
            await asyncio.sleep(0.05)


async def _intent(stage: Stage, order_id: str, holds: Callable[[Any], bool]) -> dict[str, Any]:
    """The order's intent at the provider, once there is one and `holds` is true of it."""
    async with asyncio.timeout(60):
        while True:
            async with stage.session.get(f"{stage.system.addresses['stripe']}/_local/ledger") as answer:
                intents = (await answer.json())["intents"]
            found = [intent for intent in intents if intent["metadata"].get("order_id") == order_id]
            if found and holds(found[0]):
                return dict(found[0])
            await asyncio.sleep(0.02)


async def shipped(stage: Stage) -> None:
    """An order leaves in two parcels: one is at the customer's when it is first asked for, the other is told of."""
    order_id, parts = await _sold(stage, 2)
    await _ship(stage, order_id, "EZ4000000004", parts[:1])
    number = _tracking_number()
    await _ship(stage, order_id, number, parts[1:])
    for status in ("in_transit", "delivered"):
        await _carrier_says(stage, number, status)
    await stage.until(f"/orders/{order_id}", lambda order: order["status"] == "delivered")


async def unheard(stage: Stage) -> None:
    """The carrier is silent, so that a parcel counts as delayed; then it delivers, and nobody tells of it."""
    order_id, _ = await _sold(stage, 1)
    number = _tracking_number()
    await _carriers(
        stage, "faults", {"operation": "webhook", "kind": "silence", "count": None, "tracking_code": number}
    )
    shipment_id = await _ship(stage, order_id, number)
    await stage.until(f"/orders/{order_id}/shipments/{shipment_id}", lambda shipment: shipment["delayed"])
    await _carrier_says(stage, number, "delivered")
    await stage.until(f"/orders/{order_id}", lambda order: order["status"] == "delivered")


async def lost(stage: Stage) -> None:
    """A parcel comes back."""
    order_id, _ = await _sold(stage, 1)
    shipment_id = await _ship(stage, order_id, "EZ5000000005")
    await stage.until(f"/orders/{order_id}/shipments/{shipment_id}", lambda found: found["status"] == "failed")


async def withdrawn(stage: Stage) -> None:
    """A confirmed order is cancelled before anything of it is shipped."""
    order_id, _ = await _sold(stage, 2, WISH)
    await stage.cancel(order_id)
    await stage.until(f"/orders/{order_id}", lambda order: order["status"] == "cancelled")


async def returned(stage: Stage) -> None:
    """Half of an order comes back, and is paid back."""
    order_id, lines = await _sold(stage, 2)
    await _ship(stage, order_id, "EZ4000000004")
    await _come_back(stage, order_id, lines[:1], "refunded")


async def disputed(stage: Stage) -> None:
    """The bank has the money of what comes back, so a person has to pay it back later; then the shop wins."""
    order_id, lines = await _sold(stage, 1)
    await _ship(stage, order_id, "EZ4000000004")
    await stage.until(f"/orders/{order_id}/payment", lambda payment: payment["status"] == "captured")
    intent = await _intent(stage, order_id, lambda _: True)
    bank = f"{stage.system.addresses['stripe']}/_local/disputes"
    async with stage.session.post(bank, json={"payment_intent": intent["id"]}) as answer:
        dispute = (await answer.json())["id"]
    await stage.until(f"/orders/{order_id}/payment", lambda payment: payment.get("disputed"))
    await _come_back(stage, order_id, lines, "received")
    await stage.until(f"/orders/{order_id}/payment", lambda payment: payment.get("refunds"))
    async with stage.session.post(f"{bank}/{dispute}", json={"status": "won"}) as answer:
        assert answer.status == 200
    await stage.until(f"/orders/{order_id}/payment", lambda payment: not payment.get("disputed"))


async def _come_back(stage: Stage, order_id: str, lines: list[dict[str, Any]], status: str) -> None:
    await stage.until(f"/orders/{order_id}", lambda order: order["status"] == "delivered")
    path = f"/orders/{order_id}/returns"
    case = await stage.shopper.done("POST", path, {"items": lines, "reason": "unwanted"}, key=fresh_key())
    path = f"{path}/{case['id']}"
    await stage.until(path, lambda found: found["status"] == "approved")
    items = [{"sku": line["sku"], "restocked": 1, "written_off": line["quantity"] - 1} for line in lines]
    await stage.staff.done("POST", f"{path}/receipt", {"items": items})
    for line in lines:
        stage.told.restocked[line["sku"]] = 1
    await stage.until(path, lambda found: found["status"] == status)


async def _sold(stage: Stage, products: int, *ends: tuple[str, str]) -> tuple[str, list[dict[str, Any]]]:
    """A confirmed order of two pieces of each of so many products; its id, and its lines."""
    skus = [await stage.stocked() for _ in range(products)]
    order_id = await stage.place(order_of(dict.fromkeys(skus, 2)), fresh_key(), *(ends or SHIPPED))
    await stage.until(f"/orders/{order_id}", lambda order: order["status"] != "placed")
    return order_id, [{"sku": sku, "quantity": 2} for sku in skus]


async def _ship(stage: Stage, order_id: str, number: str, items: list[dict[str, Any]] | None = None) -> str:
    """Ship it as soon as shipping has heard of the order; the shipment's id."""
    body, key = {"carrier": "UPS", "tracking_number": number, **({"items": items} if items else {})}, fresh_key()
    async with asyncio.timeout(60):
        while True:
            answer = await stage.staff.call("POST", f"/orders/{order_id}/shipments", body, key)
            if answer.status == 201:
                return str(answer.json["id"])
            assert answer.status == 404, answer.text
            await asyncio.sleep(0.05)


async def _carrier_says(stage: Stage, number: str, status: str) -> None:
    async with asyncio.timeout(60):
        while not await _carriers(stage, f"trackers/{number}", {"status": status}):  # noqa: ASYNC110 - a poll
            await asyncio.sleep(0.05)


async def _carriers(stage: Stage, path: str, body: dict[str, Any]) -> bool:
    """Whether it was done: what nobody follows yet cannot be spoken of."""
    async with stage.session.post(f"{stage.system.addresses['easypost']}/_local/{path}", json=body) as answer:
        assert answer.status in (200, 404), await answer.text()
        return answer.status == 200


def _tracking_number() -> str:
    return f"P{secrets.token_hex(8)}"


ALWAYS: tuple[Story, ...] = (confirmed, declined, cancelled, dear)
"""What is told whatever the crash."""

BESIDES: dict[str, Story] = {
    "cosmos.patch.after:payments:payments": overtaken,
    "message.handled:orders:commerce.stock.rejected.v1": scarce,
    "message.handled:orders:commerce.payment.refunded.v1": taken,
    "provider.before:retrieve": unanswered,
    "provider.after:retrieve": unanswered,
    "provider.before:refund": taken,
    "provider.after:refund": taken,
    "publish.after:shipping": shipped,
    "feed.handled:shipping": shipped,
    "monitor.start.after": shipped,
    "monitor.wake": shipped,
    "carrier.before:follow": shipped,
    "carrier.after:follow": shipped,
    "carrier.before:look": unheard,
    "carrier.after:look": unheard,
    "message.handled:orders:commerce.shipment.shipped.v1": shipped,
    "message.handled:orders:commerce.shipment.delivered.v1": shipped,
    "message.handled:orders:commerce.shipment.delayed.v1": unheard,
    "message.handled:orders:commerce.shipment.failed.v1": lost,
    "message.handled:orders:commerce.shipment.stopped.v1": withdrawn,
    "return.start.after": returned,
    "return.wake": returned,
    "message.handled:inventory:commerce.return.received.v1": returned,
    "message.handled:payments:commerce.return.received.v1": returned,
    "message.handled:orders:commerce.payment.refund_failed.v1": disputed,
    "message.handled:orders:commerce.payment.disputed.v1": disputed,
    "message.handled:orders:commerce.payment.dispute_closed.v1": disputed,
    "provider.before:refunds": returned,
    "provider.after:refunds": returned,
    "message.handled:shipping:commerce.order.cancellation_requested.v1": withdrawn,
    "saga.tell:before:approved": approved,
    "saga.tell:after:approved": approved,
    "approval.step:approved": approved,
    "approval.step:cancelled": doubted,
    "approval.step:time": unapproved,
    "message.handled:inventory:commerce.order.approval_requested.v1": approved,
    "message.handled:payments:commerce.order.approval_requested.v1": approved,
    "cosmos.upsert.after:catalog:products": poison,
    "publish.part.after:catalog": poison,
    **IMPORTS,
    **dict.fromkeys((f"cosmos.{how}.after:operations" for how in ("create", "patch", "batch")), mended),
    "task.start.after:operations": mended,
    "redrive.sent": mended,
    "redrive.noted": mended,
    "set_aside.kept": mended,
    "cosmos.batch.after:accounts:accounts": known,
    "publish.after:accounts": known,
    "feed.handled:accounts": known,
    "cosmos.create.after:accounts:answers": forgotten,
    "message.handled:accounts:commerce.erasure.answered.v1": forgotten,
    "erasure.begun:erasing": forgotten,
    "erasure.begun:withdrawn": forgotten,
    "erasure.finished": forgotten,
    "cosmos.delete.after:carts:carts": forgotten,
    "cosmos.create.after:carts:discontinued": discontinued,
    "cosmos.patch.after:carts:discontinued": discontinued,
    "message.handled:carts:commerce.product.discontinued.v1": discontinued,
    "message.handled:carts:commerce.product.reinstated.v1": discontinued,
    "message.handled:carts:commerce.erasure.started.v1": forgotten,
    "cosmos.patch.after:orders:orders": forgotten,
    "message.handled:orders:commerce.erasure.requested.v1": forgotten,
    "message.handled:orders:commerce.erasure.started.v1": forgotten,
    "message.handled:accounts:commerce.erasure.refused.v1": impatient,
    "erasure.begun:refused": impatient,
    "cosmos.batch.after:accounts:exports": curious,
    "cosmos.patch.after:accounts:exports": curious,
    "message.handled:accounts:commerce.export.answered.v1": curious,
    "export.finished": curious,
    "message.handled:carts:commerce.export.started.v1": curious,
    "message.handled:notifications:commerce.export.started.v1": curious,
    "message.handled:notifications:commerce.export.ready.v1": curious,
    "message.handled:orders:commerce.export.started.v1": curious,
    "message.handled:payments:commerce.export.listed.v1": curious,
    "message.handled:shipping:commerce.export.listed.v1": curious,
    "mail": forgotten,
    "cosmos.create.after:notifications": forgotten,
    "cosmos.patch.after:notifications": forgotten,
    "cosmos.delete.after:notifications": forgotten,
    "cosmos.batch.after:notifications": forgotten,
    "publish.after:notifications": forgotten,
    "feed.handled:notifications": forgotten,
    "message.handled:notifications": forgotten,
    "message.handled:payments:commerce.erasure.started.v1": forgotten,
    "message.handled:shipping:commerce.erasure.started.v1": forgotten,
}
"""Crash point → the story that passes it, where those that are always told do not."""
