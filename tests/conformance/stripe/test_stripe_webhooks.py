"""Webhooks: signed as the official client verifies them, and repeated until they are taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import stripe
from aiohttp import web

from localazure import webhooks
from localazure.clock import ManualClock
from tests.conformance.stripe.conftest import ORDER, START, AsyncClient, Provider, asking, held, running
from tests.conformance.webhooks import taking, until

SECRET = "whsec_of_the_test"


class Endpoint:
    """The app's side: takes webhooks, or refuses them with the statuses it is told to use first."""

    def __init__(self) -> None:
        self.url = ""
        self.refusals: list[int] = []
        self.received: list[tuple[bytes, str]] = []
        self.gate: asyncio.Event | None = None
        """Keeps the first answer back."""

    async def take(self, request: web.Request) -> web.Response:
        self.received.append((await request.read(), request.headers["Stripe-Signature"]))
        if self.gate is not None and len(self.received) == 1:
            await self.gate.wait()
        return web.Response(status=self.refusals.pop(0) if self.refusals else 200)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body, _ in self.received]

    @property
    def types(self) -> set[str]:
        return {event["type"] for event in self.events}


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    async with taking(endpoint.take) as endpoint.url:
        yield endpoint


@asynccontextmanager
async def notifying(
    endpoint: Endpoint, state: Path | None = None, clock: ManualClock | None = None, **options: str
) -> AsyncIterator[tuple[Provider, AsyncClient]]:
    options = {"webhook_url": endpoint.url, "webhook_secret": SECRET} | options
    async with running(options, state, clock) as provider, asking(provider) as ask:
        yield provider, ask


def counted(endpoint: Endpoint, number: int) -> Callable[[], bool]:
    return lambda: len(endpoint.received) >= number


async def test_a_webhook_is_verified_by_the_official_client(endpoint: Endpoint) -> None:
    async with notifying(endpoint) as (provider, ask):
        intent = await held(ask)
        await until(counted(endpoint, 1), provider.clock)
    body, signature = endpoint.received[0]
    # By the test's clock it is years since: the tolerance is the receiver's own affair.
    stripe.WebhookSignature.verify_header(body, signature, SECRET, tolerance=None)
    assert f"t={int(START)}," in signature
    event = stripe.Webhook.construct_event_without_verification(body)
    assert event.type == "payment_intent.amount_capturable_updated"
    assert event.data.object["id"] == intent.id
    assert event.data.object["amount_capturable"] == 1250
    assert event.data.object["metadata"]["order_id"] == "order-1"


async def test_another_secret_or_body_does_not_verify(endpoint: Endpoint) -> None:
    async with notifying(endpoint) as (provider, ask):
        await held(ask)
        await until(counted(endpoint, 1), provider.clock)
    body, signature = endpoint.received[0]
    for wrong_body, wrong_secret in ((body, "whsec_other"), (body.replace(b"1250", b"9250"), SECRET)):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.WebhookSignature.verify_header(wrong_body, signature, wrong_secret, tolerance=None)


async def test_each_move_of_the_money_is_told(endpoint: Endpoint) -> None:
    async with notifying(endpoint) as (provider, ask):
        taken, voided = await held(ask), await held(ask)
        await ask("payment_intents.capture", taken.id)
        await ask("refunds.create", {"payment_intent": taken.id, "amount": 50})
        await ask("payment_intents.cancel", voided.id)
        with pytest.raises(stripe.CardError):
            await ask("payment_intents.create", ORDER | {"payment_method": "pm_card_chargeDeclined", "confirm": True})
        await until(counted(endpoint, 7), provider.clock)
    told = sorted((event["type"], event["data"]["object"].get("status")) for event in endpoint.events)
    assert told == [
        ("charge.captured", "succeeded"),
        ("charge.refunded", "succeeded"),
        ("payment_intent.amount_capturable_updated", "requires_capture"),
        ("payment_intent.amount_capturable_updated", "requires_capture"),
        ("payment_intent.canceled", "canceled"),
        ("payment_intent.payment_failed", "requires_payment_method"),
        ("payment_intent.succeeded", "succeeded"),
    ]


async def test_an_event_names_the_request_it_comes_from(endpoint: Endpoint) -> None:
    async with notifying(endpoint) as (provider, ask):
        intent = await ask("payment_intents.create", ORDER)
        canceled = await ask("payment_intents.cancel", intent.id, {}, {"idempotency_key": "cancel-1"})
        await until(counted(endpoint, 1), provider.clock)
    assert endpoint.events[0]["request"] == {
        "id": canceled.last_response.headers["Request-Id"],
        "idempotency_key": "cancel-1",
    }


async def test_a_replayed_request_tells_nothing_new(endpoint: Endpoint) -> None:
    async with notifying(endpoint) as (provider, ask):
        intent = await held(ask)
        for _ in range(3):
            await ask("payment_intents.capture", intent.id, {}, {"idempotency_key": "capture-1"})
        events = await ask("events.list", {"limit": 100})
        await until(counted(endpoint, 3), provider.clock)
    assert [event.type for event in events.data].count("charge.captured") == 1


async def test_a_refused_webhook_is_repeated_with_growing_delays_until_it_is_taken(endpoint: Endpoint) -> None:
    endpoint.refusals = [500, 404, 302]
    async with notifying(endpoint) as (provider, ask):
        await held(ask)
        for number, wait in ((1, 1), (2, 2), (3, 4)):
            await until(counted(endpoint, number), provider.clock)
            await settled(provider, attempts=number)
            await provider.clock.advance(wait - 0.5)
            assert len(endpoint.received) == number
            await provider.clock.advance(0.5)
        await until(counted(endpoint, 4), provider.clock)
        await settled(provider, attempts=0)
        await provider.clock.advance(3600)
    assert len(endpoint.received) == 4
    assert len({event["id"] for event in endpoint.events}) == 1
    assert len({signature for _, signature in endpoint.received}) == 4


async def settled(provider: Provider, attempts: int) -> None:
    """Until the store has written how the last attempt went; 0: nothing is left to deliver."""
    store: Any = provider.server
    wanted = [attempts] if attempts else []
    await until(lambda: [made for _, made, _ in store._store.deliveries(10)] == wanted, provider.clock)
    for _ in range(10):  # and the delivery loop has gone back to sleep
        await provider.clock.advance(0)


def test_the_delay_doubles_up_to_a_minute() -> None:
    assert [webhooks.delay(attempts) for attempts in (1, 2, 3, 6, 7, 50)] == [1, 2, 4, 32, 60, 60]


async def test_an_undelivered_webhook_outlives_a_restart(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.refusals = [500]
    clock = ManualClock(START)
    async with notifying(endpoint, tmp_path, clock) as (provider, ask):
        intent = await held(ask)
        await until(counted(endpoint, 1), clock)
        await settled(provider, attempts=1)
    await clock.advance(60)
    async with notifying(endpoint, tmp_path, clock) as (provider, _ask):
        await until(counted(endpoint, 2), clock)
        await settled(provider, attempts=0)
    assert endpoint.events[0]["id"] == endpoint.events[1]["id"]
    assert endpoint.events[1]["data"]["object"]["id"] == intent.id


async def test_an_endpoint_that_is_down_is_tried_again(endpoint: Endpoint) -> None:
    async with notifying(endpoint, webhook_url="http://127.0.0.1:1/nowhere") as (provider, ask):
        await held(ask)
        await settled(provider, attempts=1)
        events = await ask("events.list", {"type": "payment_intent.amount_capturable_updated"})
    assert events.data[0].pending_webhooks == 1


async def test_a_slow_answer_does_not_hold_up_the_other_webhooks(endpoint: Endpoint) -> None:
    endpoint.gate = asyncio.Event()
    async with notifying(endpoint) as (provider, ask):
        for _ in range(5):
            await held(ask)
        await until(counted(endpoint, 5), provider.clock)
        endpoint.gate.set()
        await settled(provider, attempts=0)


async def test_the_types_that_are_sent_can_be_chosen(endpoint: Endpoint) -> None:
    async with notifying(endpoint, webhook_events="*") as (provider, ask):
        await held(ask)
        await until(counted(endpoint, 3), provider.clock)
    assert endpoint.types == {
        "payment_intent.created",
        "payment_intent.amount_capturable_updated",
        "charge.succeeded",
    }


async def test_without_an_endpoint_events_are_kept_and_nothing_is_owed(provider: Provider, ask: AsyncClient) -> None:
    await held(ask)
    events = await ask("events.list")
    assert {event.pending_webhooks for event in events.data} == {0}
