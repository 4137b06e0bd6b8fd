"""Payments under every order of its events, with repeats, and with a provider that forgets to answer."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from blueprints.payments import provider, service, store
from blueprints.payments.domain import Payment
from blueprints.payments.provider import Intent
from blueprints.payments.webhook import NOTICES, WebhookEvent
from shared.errors import Transient
from shared.telemetry.span import request
from tests.integration.services.conftest import TRACEPARENT, Story, intents, told, traceparents


def story(payment_method: str = "pm_card_visa") -> Story:
    return Story(f"ord_{secrets.token_hex(8)}", [], payment_method)


async def deliver(told_story: Story, name: str) -> None:
    handlers = {"placed": service.authorize, "confirmed": service.capture, "cancelled": service.void_or_refund}
    data = getattr(told_story, name)
    await handlers[name](told_story.event(data), data)  # type: ignore[operator]  # each takes its own event


async def misbehave(address: str, fault: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{address}/_local/faults", json=fault) as answer:
        assert answer.status < 300, await answer.text()


@pytest.mark.parametrize(
    "deliveries", sorted(set(itertools.permutations(["placed", "placed", "cancelled", "cancelled"]))), ids="-".join
)
async def test_a_cancelled_order_holds_no_money_in_whatever_order_its_events_come(
    addresses: dict[str, str], deliveries: tuple[str, ...]
) -> None:
    order = story()
    for name in deliveries:
        await deliver(order, name)
    books = await intents(addresses["stripe"], order.order_id)
    assert all((intent["held"], intent["captured"]) == (0, 0) for intent in books)
    payment = await store.get(order.order_id)
    assert payment is not None
    assert payment.status == "voided"


async def test_a_confirmed_order_is_authorized_once_and_captured_once(addresses: dict[str, str]) -> None:
    order = story()
    for name in ("placed", "placed", "confirmed", "placed", "confirmed"):
        await deliver(order, name)
    [intent] = await intents(addresses["stripe"], order.order_id)
    assert (intent["authorizations"], intent["captured"], intent["held"]) == (1, 500, 0)
    assert await told(store.PAYMENTS, order.order_id) == ["payment.authorized", "payment.captured"]


async def test_deliveries_at_the_same_time_authorize_once(addresses: dict[str, str]) -> None:
    order = story()
    await asyncio.gather(*(deliver(order, "placed") for _ in range(5)), return_exceptions=True)
    await deliver(order, "placed")
    [intent] = await intents(addresses["stripe"], order.order_id)
    assert (intent["authorizations"], intent["held"]) == (1, 500)
    assert await told(store.PAYMENTS, order.order_id) == ["payment.authorized"]


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_nobody", "resource_missing"),
    ],
)
async def test_a_refusal_is_an_answer(addresses: dict[str, str], card: str, code: str) -> None:
    order = story(card)
    await deliver(order, "placed")
    await deliver(order, "placed")
    payment = await store.get(order.order_id)
    assert payment is not None
    assert (payment.status, payment.decline_code) == ("declined", code)
    assert await told(store.PAYMENTS, order.order_id) == ["payment.declined"]
    await deliver(order, "cancelled")
    assert [intent["held"] for intent in await intents(addresses["stripe"], order.order_id)] == [0]


async def test_a_cancelled_order_that_was_captured_is_refunded(addresses: dict[str, str]) -> None:
    order = story()
    for name in ("placed", "confirmed", "cancelled", "cancelled"):
        await deliver(order, name)
    [intent] = await intents(addresses["stripe"], order.order_id)
    assert (intent["captured"], intent["refunded"]) == (500, 500)
    assert await told(store.PAYMENTS, order.order_id) == ["payment.authorized", "payment.captured", "payment.refunded"]


@pytest.mark.parametrize("operation", ["create", "confirm"])
@pytest.mark.parametrize("kind", ["drop_after_effect", "status"])
async def test_an_authorisation_whose_fate_is_unknown_is_asked_for(
    addresses: dict[str, str], operation: str, kind: str
) -> None:
    order = story()
    fault = {"operation": operation, "kind": kind, "count": 1, **({"status": 500} if kind == "status" else {})}
    await misbehave(addresses["stripe"], fault)
    with pytest.raises(Transient):
        await deliver(order, "placed")
    await deliver(order, "placed")
    [intent] = await intents(addresses["stripe"], order.order_id)
    assert (intent["authorizations"], intent["held"]) == (1, 500)
    assert await told(store.PAYMENTS, order.order_id) == ["payment.authorized"]


@pytest.mark.parametrize("operation", ["capture", "cancel"])
async def test_a_settlement_whose_answer_was_lost_is_not_done_twice(addresses: dict[str, str], operation: str) -> None:
    order = story()
    await deliver(order, "placed")
    fault = {"operation": operation, "kind": "drop_after_effect", "count": 1}
    await misbehave(addresses["stripe"], fault)
    settle = "confirmed" if operation == "capture" else "cancelled"
    with pytest.raises(Transient):
        await deliver(order, settle)
    await deliver(order, settle)
    [intent] = await intents(addresses["stripe"], order.order_id)
    assert (intent["held"], intent["captured"]) == ((0, 500) if operation == "capture" else (0, 0))


async def test_a_webhook_that_tells_of_a_hold_for_a_cancelled_order_voids_it(addresses: dict[str, str]) -> None:
    order = story()
    await deliver(order, "cancelled")
    intent = await provider.create(order.order_id, order.placed.total)
    held = await provider.confirm(order.order_id, intent.id, "pm_card_visa")
    notice = WebhookEvent("payment_intent.amount_capturable_updated", order.order_id, held)
    for _ in range(2):
        await service.handle_webhook(notice)
    [books] = await intents(addresses["stripe"], order.order_id)
    assert (books["status"], books["held"]) == ("canceled", 0)


async def test_a_webhook_before_our_own_answer_is_as_good_as_it(addresses: dict[str, str]) -> None:
    order = story()
    intent = await provider.create(order.order_id, order.placed.total)
    payment = Payment(order.order_id, "customer", "authorizing", 1, order.placed.total, intent.id)
    with request("payments", "payments_on_orders", TRACEPARENT) as asking:
        await store.add(payment)
    held = Intent(intent.id, "authorized", amount=order.placed.total)
    with request("payments", "webhook", None):
        await service.handle_webhook(WebhookEvent("payment_intent.amount_capturable_updated", order.order_id, held))
    assert await told(store.PAYMENTS, order.order_id) == ["payment.authorized"]
    (traceparent,) = await traceparents(store.PAYMENTS, order.order_id)
    heard = asking.context.child(f"{intent.id}/payment_intent.amount_capturable_updated")
    assert traceparent == heard.traceparent, "what a webhook brings about is in the order's trace"


async def test_a_webhook_of_nothing_we_know_changes_nothing() -> None:
    await service.handle_webhook(WebhookEvent("charge.captured", None, None))


def test_the_provider_is_asked_for_the_notices_that_are_heard() -> None:
    endpoint = json.loads((Path(__file__).parents[3] / "infra" / "stripe.json").read_bytes())
    assert set(endpoint["enabled_events"]) == set(NOTICES)
