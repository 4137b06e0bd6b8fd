"""What can never be handled stops nobody, and what nobody decides is decided: on the whole system."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue

from scripts.bus import connected
from tests.e2e.conftest import ADDRESS, PATIENCE, ROOT, Client, Login, Provider, Stocked, System, started

DEADLINE = 4
SETTINGS = {"RECONCILE_SCHEDULE": "* * * * * *", "RECONCILE_AFTER_SECONDS": "1"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with started(tmp_path_factory.mktemp("stuck"), deadline=DEADLINE, app=SETTINGS) as running:
        yield running


def _subscriptions() -> list[tuple[str, str, str]]:
    """Every subscription of the system, with a label that its rules let in."""
    document = json.loads((ROOT / "infra" / "servicebus.json").read_bytes())
    return [
        (topic["Name"], subscription["Name"], _labels(subscription)[0])
        for topic in document["UserConfig"]["Namespaces"][0]["Topics"]
        for subscription in topic["Subscriptions"]
    ]


def _labels(subscription: dict[str, Any]) -> list[str]:
    [rule] = subscription["Rules"]
    return re.findall(r"'(commerce[^']+)'", rule["Properties"]["SqlFilter"]["SqlExpression"])


async def test_a_poison_event_in_every_subscription_stops_nobody(
    system: System, shopper: Client, stocked: Stocked
) -> None:
    poison = f"poison-{secrets.token_hex(4)}"
    async with connected(system.addresses["servicebus"]) as bus:
        for topic, _, label in _subscriptions():
            async with bus.get_topic_sender(topic) as sender:
                await sender.send_messages(
                    ServiceBusMessage("not an event", message_id=f"{poison}-{label}", subject=label)
                )
        sku = await stocked(300, 5)
        body = {"items": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
        order = await shopper.placed(body)
        assert (await shopper.settled(order["id"]))["status"] == "confirmed"
        for topic, subscription, label in _subscriptions():
            dead = bus.get_subscription_receiver(
                topic, subscription, sub_queue=ServiceBusSubQueue.DEAD_LETTER, max_wait_time=PATIENCE
            )
            async with dead, asyncio.timeout(PATIENCE):
                async for message in dead:
                    assert str(message.message_id).startswith(poison), (topic, subscription)
                    assert message.dead_letter_reason == "MaxDeliveryCountExceeded"
                    await dead.complete_message(message)
                    if message.message_id == f"{poison}-{label}":  # it may hear of others' as well
                        break
    log = (system.state / "logs" / "functions.log").read_text()
    for _, _, label in _subscriptions():
        assert f'"event_id": "{poison}-{label}", "reason": "not a valid event' in log


async def test_an_order_whose_saga_is_gone_is_decided(system: System, login: Login, stocked: Stocked) -> None:
    shopper = await login("shopper")
    provider = Provider(system.addresses["stripe"], shopper.session)
    sku = await stocked(300, 5)
    await provider.fault(operation="confirm", kind="latency", seconds=3, count=1)
    try:
        body = {"items": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
        order = await shopper.placed(body)
        url = f"{system.addresses['functions']}/runtime/webhooks/durabletask/instances/{order['id']}/terminate"
        async with asyncio.timeout(PATIENCE):
            while True:
                async with shopper.session.post(url, params={"reason": "by hand"}) as answer:
                    if answer.status == 202:
                        break
                await asyncio.sleep(0.05)
        settled = await shopper.settled(order["id"])
        assert settled["status"] in ("confirmed", "cancelled")
        staff = await login("staff")
        sold = 1 if settled["status"] == "confirmed" else 0
        await staff.until(f"/stock/{sku}", lambda stock: (stock["on_hand"], stock["reserved"]) == (5 - sold, 0))
        async with asyncio.timeout(PATIENCE):
            while await provider.money(order["id"]) != (0, 300 * sold):  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.1)
        assert "order.reconciled" in (system.state / "logs" / "functions.log").read_text()
    finally:
        await provider.behave()


async def test_a_body_cannot_speak_for_its_message(system: System) -> None:
    own, victim = f"own-{secrets.token_hex(4)}", f"victim-{secrets.token_hex(4)}"
    claims = {
        "messageId": victim, "MessageId": victim, "label": victim, "subject": victim, "correlationId": victim,
        "deliveryCount": 1, "sequenceNumber": "77", "lockToken": victim,
    }  # fmt: skip
    # the worker cannot read a time in a body as the host passes it on: the function is never called, the message dies
    unreadable = {"id": victim, "enqueuedTimeUtc": "2001-01-01T00:00:00Z"}
    bodies = (
        json.dumps({"id": own, **claims}),
        json.dumps({"id": {"no": "id"}, **claims}),
        f"{{'messageId': '{victim}'}}",
        json.dumps(unreadable),
    )
    async with connected(system.addresses["servicebus"]) as bus:
        async with bus.get_topic_sender("payments") as sender:
            for body in bodies:
                await sender.send_messages(ServiceBusMessage(body, subject="commerce.payment.authorized.v1"))
        dead = bus.get_subscription_receiver(
            "payments", "orders", sub_queue=ServiceBusSubQueue.DEAD_LETTER, max_wait_time=PATIENCE
        )
        async with dead, asyncio.timeout(PATIENCE):
            for _ in bodies:
                (message,) = await dead.receive_messages(1, max_wait_time=PATIENCE)
                assert message.dead_letter_reason == "MaxDeliveryCountExceeded"
                await dead.complete_message(message)
    ours = [line for line in _commerce_lines(system) if line.get("event") == "event.rejected"]
    assert own in {line["event_id"] for line in ours}
    assert victim not in json.dumps(ours)


def _commerce_lines(system: System) -> list[dict[str, object]]:
    """The JSON lines that the app wrote into its host's log."""
    log = (system.state / "logs" / "functions.log").read_text()
    return [json.loads(line[line.index('{"event"') :]) for line in log.splitlines() if '{"event"' in line]
