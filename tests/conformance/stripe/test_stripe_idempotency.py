"""Idempotency keys as Stripe documents them (docs.stripe.com/api/idempotent_requests)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.conformance.stripe.conftest import ORDER, Ask, Provider, asking, held, running

PAID = ORDER | {"payment_method": "pm_card_visa", "confirm": True}


def key(text: str) -> dict[str, str]:
    return {"idempotency_key": text}


async def intents(provider: Provider) -> list[dict[str, Any]]:
    return list((await provider.ledger())["intents"])


async def test_a_repeat_gets_the_first_answer_and_has_no_second_effect(either: Ask, provider: Provider) -> None:
    first = await either("payment_intents.create", PAID, key("order-1"))
    again = await either("payment_intents.create", PAID, key("order-1"))
    assert again.to_dict() == first.to_dict()
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert again.last_response.headers["Request-Id"] != first.last_response.headers["Request-Id"]
    assert len(await intents(provider)) == 1


async def test_the_order_of_parameters_does_not_matter(ask: Ask) -> None:
    first = await ask("payment_intents.create", PAID, key("order-1"))
    again = await ask("payment_intents.create", dict(reversed(PAID.items())), key("order-1"))
    assert again.id == first.id


async def test_the_answer_is_that_of_the_first_time_even_if_the_object_has_moved_on(ask: Ask) -> None:
    intent = await held(ask)
    await ask("payment_intents.capture", intent.id, {}, key("capture"))
    await ask("refunds.create", {"payment_intent": intent.id})
    assert (await ask("payment_intents.capture", intent.id, {}, key("capture"))).status == "succeeded"


async def test_a_decline_is_replayed_too(either: Ask, provider: Provider) -> None:
    declined = PAID | {"payment_method": "pm_card_chargeDeclined"}
    errors = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as error:
            await either("payment_intents.create", declined, key("order-1"))
        errors.append(error.value)
    assert errors[0].json_body == errors[1].json_body
    assert errors[1].headers is not None
    assert errors[1].headers["Idempotent-Replayed"] == "true"
    assert len(await intents(provider)) == 1


async def test_a_refusal_by_state_is_replayed_though_the_state_has_changed(ask: Ask) -> None:
    intent = await ask("payment_intents.create", ORDER)
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await ask("payment_intents.capture", intent.id, {}, key("capture"))
        assert refused.value.code == "payment_intent_unexpected_state"
        await ask("payment_intents.confirm", intent.id, {"payment_method": "pm_card_visa"}, key("confirm"))


async def test_a_request_that_was_never_executed_leaves_the_key_free(ask: Ask) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await ask("payment_intents.create", PAID | {"amount": 1}, key("order-1"))
    assert (await ask("payment_intents.create", PAID, key("order-1"))).status == "requires_capture"


async def test_the_same_key_with_other_parameters_is_an_idempotency_error(either: Ask, provider: Provider) -> None:
    await either("payment_intents.create", PAID, key("order-1"))
    with pytest.raises(stripe.IdempotencyError) as refused:
        await either("payment_intents.create", PAID | {"amount": 9999}, key("order-1"))
    assert refused.value.http_status == 400
    assert "same parameters" in str(refused.value)
    assert len(await intents(provider)) == 1


async def test_the_same_key_at_another_address_is_an_idempotency_error(ask: Ask) -> None:
    intent = await held(ask)
    await ask("payment_intents.capture", intent.id, {}, key("order-1"))
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        await ask("payment_intents.cancel", intent.id, {}, key("order-1"))


async def test_while_the_first_request_is_under_way_its_key_is_in_use(ask: Ask, provider: Provider) -> None:
    await provider.fault("create", "latency", seconds=5)
    first = asyncio.create_task(ask("payment_intents.create", PAID, key("order-1")))
    async with asyncio.timeout(10):
        while (await provider.ledger())["calls"].get("create", 0) == 0:
            pass
    with pytest.raises(stripe.StripeError) as refused:
        await ask("payment_intents.create", PAID, key("order-1"))
    error: Any = refused.value.error
    assert (refused.value.http_status, error.code) == (409, "idempotency_key_in_use")
    await provider.clock.advance(5)
    assert (await ask("payment_intents.create", PAID, key("order-1"))).id == (await first).id
    assert len(await intents(provider)) == 1


async def test_twenty_repeats_at_once_make_one_intent(ask: Ask, provider: Provider) -> None:
    answers = await asyncio.gather(*(ask("payment_intents.create", PAID, key("order-1")) for _ in range(20)))
    assert len({intent.id for intent in answers}) == 1
    assert len(await intents(provider)) == 1


async def test_a_key_is_remembered_for_a_day(ask: Ask, provider: Provider) -> None:
    first = await ask("payment_intents.create", PAID, key("order-1"))
    await provider.clock.advance(24 * 3600 - 1)
    assert (await ask("payment_intents.create", PAID, key("order-1"))).id == first.id
    await provider.clock.advance(1)
    assert (await ask("payment_intents.create", PAID, key("order-1"))).id != first.id


async def test_a_key_outlives_a_restart(tmp_path: Path) -> None:
    async with running(state=tmp_path) as provider, asking(provider) as ask:
        first = await ask("payment_intents.create", PAID, key("order-1"))
    async with running(state=tmp_path) as provider, asking(provider) as ask:
        again = await ask("payment_intents.create", PAID, key("order-1"))
    assert again.to_dict() == first.to_dict()


async def test_a_key_that_is_too_long_is_refused(ask: Ask) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        await ask("payment_intents.create", PAID, key("k" * 256))
