"""The life of a PaymentIntent, with both official clients."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from localazure.stripe.model import TRANSITIONS
from tests.conformance.stripe.conftest import ORDER, START, Ask, Provider, held

MANUAL = {"amount": 5000, "currency": "usd", "capture_method": "manual", "allowed_payment_method_types": ["card"]}


async def test_a_new_intent_holds_nothing(either: Ask) -> None:
    intent = await either("payment_intents.create", ORDER | {"description": "two lamps"})
    assert intent.id.startswith("pi_")
    assert intent.status == "requires_payment_method"
    assert (intent.amount, intent.currency, intent.amount_capturable, intent.amount_received) == (1250, "gbp", 0, 0)
    assert intent.metadata.order_id == "order-1"
    assert intent.description == "two lamps"
    assert intent.created == int(START)
    assert intent.client_secret.startswith(intent.id)
    assert (await either("payment_intents.retrieve", intent.id)).to_dict() == intent.to_dict()


async def test_an_intent_with_a_payment_method_waits_for_its_confirmation(either: Ask) -> None:
    intent = await either("payment_intents.create", ORDER | {"payment_method": "pm_card_visa"})
    assert intent.status == "requires_confirmation"
    confirmed = await either("payment_intents.confirm", intent.id)
    assert confirmed.status == "requires_capture"
    assert confirmed.payment_method.startswith("pm_")


async def test_confirming_holds_the_money_and_capturing_takes_it(either: Ask) -> None:
    intent = await held(either)
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 1250, 0)
    taken = await either("payment_intents.capture", intent.id)
    assert (taken.status, taken.amount_capturable, taken.amount_received) == ("succeeded", 0, 1250)


async def test_created_and_confirmed_in_one_call(either: Ask) -> None:
    intent = await either("payment_intents.create", ORDER | {"payment_method": "pm_card_mastercard", "confirm": True})
    assert intent.status == "requires_capture"


async def test_without_manual_capture_confirming_takes_the_money_at_once(ask: Ask) -> None:
    order = {name: value for name, value in ORDER.items() if name != "capture_method"}
    intent = await ask("payment_intents.create", order | {"payment_method": "pm_card_visa", "confirm": True})
    assert (intent.status, intent.capture_method, intent.amount_received) == ("succeeded", "automatic_async", 1250)


async def test_the_capture_method_can_be_chosen_when_confirming(ask: Ask) -> None:
    intent = await ask("payment_intents.create", ORDER)
    paid = await ask(
        "payment_intents.confirm", intent.id, {"payment_method": "pm_card_visa", "capture_method": "automatic"}
    )
    assert paid.status == "succeeded"


async def test_a_partial_capture_releases_the_rest_without_a_refund(ask: Ask) -> None:
    intent = await held(ask)
    taken = await ask("payment_intents.capture", intent.id, {"amount_to_capture": 1000, "metadata": {"parcel": "1"}})
    assert (taken.status, taken.amount_capturable, taken.amount_received) == ("succeeded", 0, 1000)
    assert dict(taken.metadata.to_dict()) == {"order_id": "order-1", "parcel": "1"}
    charge = await ask("charges.retrieve", taken.latest_charge)
    assert (charge.amount, charge.amount_captured, charge.amount_refunded) == (1250, 1000, 0)


async def test_capturing_more_than_is_held_is_refused(ask: Ask) -> None:
    intent = await held(ask)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await ask("payment_intents.capture", intent.id, {"amount_to_capture": 1251})
    assert refused.value.code == "amount_too_large"
    assert (await ask("payment_intents.retrieve", intent.id)).status == "requires_capture"


@pytest.mark.parametrize(
    ("card", "decline_code", "message"),
    [
        ("pm_card_chargeDeclined", "generic_decline", "Your card was declined."),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds", "Your card has insufficient funds."),
    ],
)
async def test_a_declined_card_is_a_card_error_that_carries_the_intent(
    either: Ask, card: str, decline_code: str, message: str
) -> None:
    intent = await either("payment_intents.create", ORDER)
    with pytest.raises(stripe.CardError) as declined:
        await either("payment_intents.confirm", intent.id, {"payment_method": card})
    error: Any = declined.value.error
    assert declined.value.http_status == 402
    assert (declined.value.code, error.decline_code, error.message) == ("card_declined", decline_code, message)
    assert error.payment_intent.id == intent.id
    assert error.payment_intent.status == "requires_payment_method"
    after = await either("payment_intents.retrieve", intent.id)
    assert after.last_payment_error.decline_code == decline_code
    assert after.payment_method is None
    charge = await either("charges.retrieve", error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, "card_declined")


async def test_after_a_decline_another_card_may_pay(ask: Ask) -> None:
    intent = await ask("payment_intents.create", ORDER)
    with pytest.raises(stripe.CardError):
        await ask("payment_intents.confirm", intent.id, {"payment_method": "pm_card_chargeDeclined"})
    paid = await ask("payment_intents.confirm", intent.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.last_payment_error) == ("requires_capture", None)


async def test_a_decline_on_creation_leaves_the_intent_behind(provider: Provider, ask: Ask) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await ask("payment_intents.create", ORDER | {"payment_method": "pm_card_chargeDeclined", "confirm": True})
    error: Any = declined.value.error
    (kept,) = (await provider.ledger())["intents"]
    assert kept["id"] == error.payment_intent.id
    assert (kept["status"], kept["held"], kept["authorizations"]) == ("requires_payment_method", 0, 0)


async def test_cancelling_gives_up_the_hold(either: Ask, provider: Provider) -> None:
    intent = await held(either)
    await provider.clock.advance(5)
    canceled = await either("payment_intents.cancel", intent.id, {"cancellation_reason": "requested_by_customer"})
    assert (canceled.status, canceled.amount_capturable) == ("canceled", 0)
    assert canceled.cancellation_reason == "requested_by_customer"
    assert canceled.canceled_at == int(START) + 5
    assert (await provider.ledger())["totals"] == {"gbp": {"held": 0, "captured": 0, "refunded": 0}}


async def into(ask: Ask, status: str) -> Any:
    """An intent in the given state, by the shortest way there."""
    if status == "requires_payment_method":
        return await ask("payment_intents.create", MANUAL)
    intent = await ask("payment_intents.create", MANUAL | {"payment_method": "pm_card_visa"})
    if status == "canceled":
        return await ask("payment_intents.cancel", intent.id)
    if status in ("requires_capture", "succeeded"):
        intent = await ask("payment_intents.confirm", intent.id)
    if status == "succeeded":
        intent = await ask("payment_intents.capture", intent.id)
    return intent


STATUSES = sorted({status for status, _ in TRANSITIONS} | set(TRANSITIONS.values()))
LEGAL = {
    "requires_payment_method": {"confirm", "cancel"},
    "requires_confirmation": {"confirm", "cancel"},
    "requires_capture": {"capture", "cancel"},
    "succeeded": set(),
    "canceled": set(),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("verb", ["confirm", "capture", "cancel"])
async def test_every_state_allows_what_stripes_lifecycle_allows_and_nothing_else(
    ask: Ask, status: str, verb: str
) -> None:
    intent = await into(ask, status)
    assert intent.status == status
    parameters = {"payment_method": "pm_card_visa"} if verb == "confirm" else {}
    if verb in LEGAL[status]:
        assert (await ask(f"payment_intents.{verb}", intent.id, parameters)).status != status
        return
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await ask(f"payment_intents.{verb}", intent.id, parameters)
    error: Any = refused.value.error
    assert refused.value.http_status == 400
    assert refused.value.code == "payment_intent_unexpected_state"
    assert status in str(refused.value)
    assert error.payment_intent.to_dict() == intent.to_dict()


async def test_an_unknown_intent_is_404(either: Ask) -> None:
    for call in ("retrieve", "confirm", "capture", "cancel"):
        with pytest.raises(stripe.InvalidRequestError) as missing:
            await either(f"payment_intents.{call}", "pi_missing")
        assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")


async def test_the_latest_charge_can_be_expanded(ask: Ask) -> None:
    intent = await held(ask)
    expanded = await ask("payment_intents.retrieve", intent.id, {"expand": ["latest_charge"]})
    assert expanded.latest_charge.id == intent.latest_charge
    assert expanded.latest_charge.payment_method_details.card.last4 == "4242"
    listed = await ask("payment_intents.list", {"expand": ["data.latest_charge"]})
    assert listed.data[0].latest_charge.id == intent.latest_charge


async def test_a_redirect_must_have_somewhere_to_return_to(ask: Ask) -> None:
    order = {name: value for name, value in ORDER.items() if name != "allowed_payment_method_types"}
    paid = order | {"payment_method": "pm_card_visa", "confirm": True}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await ask("payment_intents.create", paid)
    assert refused.value.param == "return_url"
    never = paid | {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    assert (await ask("payment_intents.create", never)).automatic_payment_methods.allow_redirects == "never"
    back = paid | {"return_url": "https://shop.example/back"}
    assert (await ask("payment_intents.create", back)).status == "requires_capture"


class TestRefunds:
    async def test_a_refund_gives_back_what_was_captured(self, either: Ask) -> None:
        intent = await held(either)
        await either("payment_intents.capture", intent.id)
        refund = await either("refunds.create", {"payment_intent": intent.id, "metadata": {"why": "broken"}})
        assert (refund.status, refund.amount, refund.currency) == ("succeeded", 1250, "gbp")
        assert (refund.payment_intent, refund.charge) == (intent.id, intent.latest_charge)
        assert (await either("refunds.retrieve", refund.id)).metadata.why == "broken"
        assert (await either("charges.retrieve", intent.latest_charge)).refunded is True

    async def test_partial_refunds_add_up_to_what_was_captured_and_no_further(self, ask: Ask) -> None:
        intent = await held(ask)
        await ask("payment_intents.capture", intent.id, {"amount_to_capture": 1000})
        await ask("refunds.create", {"charge": intent.latest_charge, "amount": 400, "reason": "duplicate"})
        with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
            await ask("refunds.create", {"payment_intent": intent.id, "amount": 601})
        await ask("refunds.create", {"payment_intent": intent.id})
        with pytest.raises(stripe.InvalidRequestError) as again:
            await ask("refunds.create", {"payment_intent": intent.id})
        assert again.value.code == "charge_already_refunded"
        listed = await ask("refunds.list", {"payment_intent": intent.id})
        assert [refund.amount for refund in listed.data] == [600, 400]

    async def test_money_that_is_only_held_cannot_be_refunded(self, ask: Ask) -> None:
        intent = await held(ask)
        for parameters in ({"payment_intent": intent.id}, {"charge": intent.latest_charge}):
            with pytest.raises(stripe.InvalidRequestError):
                await ask("refunds.create", parameters)

    async def test_a_refund_of_nothing_known_is_refused(self, ask: Ask) -> None:
        for parameters in ({"payment_intent": "pi_missing"}, {"charge": "ch_missing"}):
            with pytest.raises(stripe.InvalidRequestError) as refused:
                await ask("refunds.create", parameters)
            assert refused.value.code == "resource_missing"
        with pytest.raises(stripe.InvalidRequestError, match="payment_intent or charge"):
            await ask("refunds.create", {"amount": 100})
