"""Disputes: ordered of the part, told by signed webhooks, and in the way of refunds until they are decided."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
import stripe

from tests.conformance.stripe.conftest import Ask, Provider, held
from tests.conformance.stripe.test_stripe_webhooks import Endpoint, counted, endpoint, notifying  # noqa: F401 - a fixture
from tests.conformance.webhooks import until


async def taken(ask: Ask) -> str:
    intent = await held(ask)
    await ask("payment_intents.capture", intent.id)
    return str(intent.id)


async def order(provider: Provider, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{provider.url}/_local/{path}", json=body) as answer,
    ):
        return answer.status, await answer.json()


async def test_what_is_disputed_is_not_refunded_until_the_bank_has_decided(provider: Provider, ask: Ask) -> None:
    intent = await taken(ask)
    await ask("refunds.create", {"payment_intent": intent, "amount": 250})
    status, dispute = await order(provider, "disputes", payment_intent=intent)
    assert (status, dispute["object"], dispute["amount"], dispute["payment_intent"]) == (200, "dispute", 1000, intent)
    charge = await ask("charges.retrieve", dispute["charge"])
    assert charge.disputed
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await ask("refunds.create", {"payment_intent": intent})
    assert refused.value.code == "charge_disputed"
    assert (await order(provider, "disputes", payment_intent=intent))[0] == 400
    assert (await order(provider, f"disputes/{dispute['id']}", status="won"))[1]["status"] == "won"
    assert (await order(provider, f"disputes/{dispute['id']}", status="lost"))[0] == 400
    await ask("refunds.create", {"payment_intent": intent})


async def test_a_dispute_that_is_lost_stays_in_the_way(provider: Provider, ask: Ask) -> None:
    intent = await taken(ask)
    _, dispute = await order(provider, "disputes", payment_intent=intent)
    await order(provider, f"disputes/{dispute['id']}", status="lost")
    with pytest.raises(stripe.InvalidRequestError):
        await ask("refunds.create", {"payment_intent": intent})


async def test_disputes_are_told_by_webhook(endpoint: Endpoint) -> None:  # noqa: F811 - the fixture
    types = "charge.dispute.created,charge.dispute.closed"
    async with notifying(endpoint, webhook_events=types) as (provider, ask):
        _, dispute = await order(provider, "disputes", payment_intent=await taken(ask))
        await order(provider, f"disputes/{dispute['id']}", status="won")
        await until(counted(endpoint, 2), provider.clock)
    told = {event["type"]: event["data"]["object"] for event in endpoint.events}
    assert {kind: (found["id"], found["status"]) for kind, found in told.items()} == {
        "charge.dispute.created": (dispute["id"], "needs_response"),
        "charge.dispute.closed": (dispute["id"], "won"),
    }


@pytest.mark.parametrize("body", [{}, {"payment_intent": 5}, {"payment_intent": "pi_none"}, {"intent": "pi_1"}])
async def test_an_order_that_makes_no_sense_is_refused(provider: Provider, body: dict[str, Any]) -> None:
    status, answer = await order(provider, "disputes", **body)
    assert status in (400, 404)
    assert answer["error"]["type"] == "invalid_request_error"
