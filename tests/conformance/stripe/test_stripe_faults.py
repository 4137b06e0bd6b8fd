"""Faults to order: what the caller sees, and what has become of the money."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
import stripe

from tests.conformance.stripe.conftest import ORDER, Ask, Provider, held

VISA = {"payment_method": "pm_card_visa"}


class Patient:
    """A call under way, whose caller may give up."""

    def __init__(self, call: Any) -> None:
        self.task = asyncio.ensure_future(call)

    async def give_up(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def under_way(provider: Provider, operation: str, number: int = 1) -> None:
    """Until the provider has begun that many calls of an operation."""
    async with asyncio.timeout(10):
        while (await provider.ledger())["calls"].get(operation, 0) < number:
            pass


async def money(provider: Provider) -> dict[str, int]:
    return dict((await provider.ledger())["totals"]["gbp"])


async def test_latency_delays_the_effect_and_the_answer(ask: Ask, provider: Provider) -> None:
    intent = await ask("payment_intents.create", ORDER)
    await provider.fault("confirm", "latency", seconds=30)
    call = Patient(ask("payment_intents.confirm", intent.id, VISA))
    await under_way(provider, "confirm")
    assert (await money(provider))["held"] == 0
    await provider.clock.advance(30)
    assert (await call.task).status == "requires_capture"


async def test_a_caller_that_gives_up_does_not_stop_the_effect(ask: Ask, provider: Provider) -> None:
    intent = await ask("payment_intents.create", ORDER)
    await provider.fault("confirm", "latency", seconds=30)
    call = Patient(ask("payment_intents.confirm", intent.id, VISA))
    await under_way(provider, "confirm")
    await call.give_up()
    await provider.clock.advance(30)
    assert (await money(provider))["held"] == 1250


async def test_hang_after_effect_keeps_the_answer_back_for_good(ask: Ask, provider: Provider) -> None:
    intent = await ask("payment_intents.create", ORDER)
    await provider.fault("confirm", "hang_after_effect")
    call = Patient(ask("payment_intents.confirm", intent.id, VISA, {"idempotency_key": "confirm-1"}))
    await under_way(provider, "confirm")
    assert (await money(provider))["held"] == 1250
    await provider.clock.advance(3600)
    assert not call.task.done()
    await call.give_up()
    again = await ask("payment_intents.confirm", intent.id, VISA, {"idempotency_key": "confirm-1"})
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert (await money(provider))["held"] == 1250


async def test_hang_before_effect_acts_late_behind_a_silent_caller(ask: Ask, provider: Provider) -> None:
    intent = await ask("payment_intents.create", ORDER)
    await provider.fault("confirm", "hang_before_effect", seconds=120)
    call = Patient(ask("payment_intents.confirm", intent.id, VISA))
    await under_way(provider, "confirm")
    await call.give_up()
    await provider.clock.advance(119)
    assert (await ask("payment_intents.retrieve", intent.id)).status == "requires_payment_method"
    await provider.clock.advance(1)
    assert (await ask("payment_intents.retrieve", intent.id)).status == "requires_capture"


async def test_an_intent_cancelled_before_a_late_effect_holds_nothing(ask: Ask, provider: Provider) -> None:
    intent = await ask("payment_intents.create", ORDER)
    await provider.fault("confirm", "hang_before_effect", seconds=120)
    call = Patient(ask("payment_intents.confirm", intent.id, VISA))
    await under_way(provider, "confirm")
    await call.give_up()
    await ask("payment_intents.cancel", intent.id)
    await provider.clock.advance(120)
    assert (await money(provider))["held"] == 0


async def test_drop_after_effect_loses_the_answer_not_the_effect(ask: Ask, provider: Provider) -> None:
    intent = await held(ask)
    await provider.fault("capture", "drop_after_effect")
    with pytest.raises(stripe.APIConnectionError):
        await ask("payment_intents.capture", intent.id, {}, {"idempotency_key": "capture-1"})
    assert await money(provider) == {"held": 0, "captured": 1250, "refunded": 0}
    assert (await ask("payment_intents.capture", intent.id, {}, {"idempotency_key": "capture-1"})).status == "succeeded"


@pytest.mark.parametrize(
    ("status", "error"), [(500, stripe.APIError), (503, stripe.APIError), (429, stripe.RateLimitError)]
)
async def test_a_status_is_answered_before_any_effect(
    ask: Ask, provider: Provider, status: int, error: type[stripe.StripeError]
) -> None:
    await provider.fault("create", "status", status=status)
    with pytest.raises(error) as refused:
        await ask("payment_intents.create", ORDER, {"idempotency_key": "order-1"})
    assert refused.value.http_status == status
    assert (await provider.ledger())["intents"] == []
    again = await ask("payment_intents.create", ORDER, {"idempotency_key": "order-1"})
    assert again.status == "requires_payment_method"


async def test_a_fault_strikes_as_often_as_ordered(ask: Ask, provider: Provider) -> None:
    intent = await ask("payment_intents.create", ORDER)
    await provider.fault("retrieve", "status", count=2)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            await ask("payment_intents.retrieve", intent.id)
    assert (await ask("payment_intents.retrieve", intent.id)).id == intent.id


async def test_a_fault_without_a_count_strikes_until_it_is_cleared(ask: Ask, provider: Provider) -> None:
    await provider.fault("*", "status", status=503, count=None)
    for _ in range(3):
        with pytest.raises(stripe.APIError):
            await ask("payment_intents.list")
    await provider.clear_faults()
    assert (await ask("payment_intents.list")).data == []


@pytest.mark.parametrize(
    "operation", ["create", "confirm", "capture", "cancel", "refund", "retrieve", "search", "list"]
)
async def test_each_operation_can_be_struck(ask: Ask, provider: Provider, operation: str) -> None:
    intent = await held(ask)
    calls: dict[str, tuple[Any, ...]] = {
        "create": ("payment_intents.create", ORDER),
        "confirm": ("payment_intents.confirm", intent.id),
        "capture": ("payment_intents.capture", intent.id),
        "cancel": ("payment_intents.cancel", intent.id),
        "refund": ("refunds.create", {"payment_intent": intent.id}),
        "retrieve": ("payment_intents.retrieve", intent.id),
        "search": ("payment_intents.search", {"query": "status:'succeeded'"}),
        "list": ("payment_intents.list",),
    }
    await provider.fault(operation, "status")
    with pytest.raises(stripe.APIError, match="injected"):
        await ask(*calls[operation])


async def test_creating_with_confirm_counts_as_confirming(ask: Ask, provider: Provider) -> None:
    await provider.fault("confirm", "status")
    assert (await ask("payment_intents.create", ORDER)).status == "requires_payment_method"
    with pytest.raises(stripe.APIError):
        await ask("payment_intents.create", ORDER | VISA | {"confirm": True})


async def test_a_fault_can_be_meant_for_one_order(ask: Ask, provider: Provider) -> None:
    one = await ask("payment_intents.create", ORDER)
    other = await ask("payment_intents.create", ORDER | {"metadata": {"order_id": "order-2"}})
    await provider.fault("confirm", "status", match={"metadata.order_id": "order-2"}, count=None)
    assert (await ask("payment_intents.confirm", one.id, VISA)).status == "requires_capture"
    with pytest.raises(stripe.APIError):
        await ask("payment_intents.confirm", other.id, VISA)


async def test_clearing_the_faults_lets_a_hanging_caller_go(ask: Ask, provider: Provider) -> None:
    await provider.fault("create", "hang_after_effect")
    call = Patient(ask("payment_intents.create", ORDER))
    await under_way(provider, "create")
    await provider.clear_faults()
    with pytest.raises(stripe.APIConnectionError):
        await call.task


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"operation": "explode", "kind": "latency"}, "explode"),
        ({"operation": "create", "kind": "sulk"}, "sulk"),
        ({"operation": "create", "kind": "status", "status": 418}, "418"),
        ({"operation": "create", "kind": "status", "colour": "red"}, "colour"),
        ({"operation": "create", "kind": "status", "match": {"amount": "5"}}, "amount"),
        ({"operation": "create", "kind": "status", "count": 0}, "count"),
    ],
)
async def test_a_fault_that_cannot_be_understood_is_refused(
    provider: Provider, order: dict[str, Any], named: str
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{provider.url}/_local/faults", json=order) as answer,
    ):
        assert answer.status == 400
        assert named in (await answer.json())["error"]["message"]


async def test_the_ledger_counts_calls_and_sums_money_by_currency(ask: Ask, provider: Provider) -> None:
    first, second = await held(ask), await held(ask, currency="usd", amount=900)
    await ask("payment_intents.capture", first.id)
    await ask("refunds.create", {"payment_intent": first.id, "amount": 250})
    ledger = await provider.ledger()
    assert ledger["totals"] == {
        "gbp": {"held": 0, "captured": 1250, "refunded": 250},
        "usd": {"held": 900, "captured": 0, "refunded": 0},
    }
    assert ledger["calls"] == {"create": 2, "confirm": 2, "capture": 1, "refund": 1}
    (entry,) = [entry for entry in ledger["intents"] if entry["id"] == second.id]
    assert (entry["authorizations"], entry["charges"], entry["metadata"]) == (1, 1, {"order_id": "order-1"})
