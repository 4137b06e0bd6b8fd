"""Refunds: to the penny, once each, and never more than was taken, whoever decides them at the same time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from typing import Any

import pytest
import stripe

from blueprints.payments import refunds, service, store
from blueprints.payments.domain import CANCELLATION, Payment
from blueprints.payments.provider import Intent
from blueprints.payments.refunds import RefundOrder, RefundView
from blueprints.payments.webhook import DISPUTED, REFUNDED, Disputed, WebhookEvent
from shared.acting import Actor, acting
from shared.contracts.orders import ReturnReceived
from shared.errors import Conflict, NotFound, Transient, Unprocessable
from shared.money import Money
from shared.web.auth import Principal
from tests.integration.services.conftest import Story, intents, told
from tests.integration.services.test_payments_service import deliver, misbehave

STAFF = Principal("staff", frozenset(), frozenset({"staff"}))


async def paid() -> Story:
    """An order of 5.00 whose money was taken."""
    order = Story("ord_" + "".join(secrets.choice("abcdefgh234567") for _ in range(26)), [])
    await deliver(order, "placed")
    await deliver(order, "confirmed")
    return order


def came_back(order: Story, amount: int, return_id: str = "") -> ReturnReceived:
    return_id = return_id or f"ret_{secrets.token_hex(4)}"
    return ReturnReceived(order_id=order.order_id, return_id=return_id, amount=Money(amount, "GBP"), restocked=[])


async def give(order: Story, received: ReturnReceived) -> None:
    await refunds.of_return(order.event(received, 9), received)


def ask(order: Story, amount: int | None, key: str = "") -> Coroutine[Any, Any, RefundView]:
    return refunds.by_staff(STAFF, order.order_id, key or secrets.token_hex(4), RefundOrder("goodwill", amount))


async def payment_of(order: Story) -> Payment:
    payment = await store.get(order.order_id)
    assert payment is not None
    return payment


async def back(addresses: dict[str, str], order: Story) -> int:
    """Minor units that the provider has paid back, which is what we say was."""
    [intent] = await intents(addresses["stripe"], order.order_id)
    assert intent["refunded"] == (await payment_of(order)).refunded <= intent["captured"] == 500
    return int(intent["refunded"])


async def paid_back_by_hand(addresses: dict[str, str], order: Story, amount: int) -> WebhookEvent:
    """Pay back at the provider itself; what it tells of that."""
    intent_id = str((await payment_of(order)).intent_id)
    client = stripe.StripeClient("sk_test_local", base_addresses={"api": addresses["stripe"]})
    await asyncio.to_thread(client.v1.refunds.create, {"payment_intent": intent_id, "amount": amount})
    return WebhookEvent(REFUNDED, order.order_id, Intent(intent_id, "captured"))


async def test_what_came_back_is_paid_back_once_however_often_its_event_comes(addresses: dict[str, str]) -> None:
    order = await paid()
    received = came_back(order, 123)
    await asyncio.gather(*(give(order, received) for _ in range(3)), return_exceptions=True)
    await give(order, received)
    assert await back(addresses, order) == 123
    assert (await told(store.PAYMENTS, order.order_id)).count("payment.refunded") == 1
    assert (await payment_of(order)).status == "captured"


async def test_parts_sum_to_the_whole_and_then_nothing_is_left(addresses: dict[str, str]) -> None:
    order = await paid()
    for amount in (100, 250, 149, 1):
        await give(order, came_back(order, amount))
    assert await back(addresses, order) == 500
    assert (await payment_of(order)).status == "refunded"
    with pytest.raises(Conflict):
        await ask(order, 1)
    await give(order, came_back(order, 50, "ret_late"))
    payment = await payment_of(order)
    assert (payment.refunds["ret_late"].amount.amount, payment.refunds["ret_late"].status) == (0, "made")
    assert await back(addresses, order) == 500
    assert (await told(store.PAYMENTS, order.order_id)).count("payment.refunded") == 5


async def test_refunds_that_are_decided_together_never_pay_more_than_was_taken(addresses: dict[str, str]) -> None:
    order = await paid()
    wanted = [ask(order, 200) for _ in range(4)] + [give(order, came_back(order, 150)) for _ in range(4)]
    done = await asyncio.gather(*wanted, return_exceptions=True)
    assert not [each for each in done if isinstance(each, BaseException) and not isinstance(each, Conflict | Transient)]
    assert 450 <= await back(addresses, order) <= 500
    assert (await payment_of(order)).pending == 0


async def test_staff_pays_back_once_under_a_key_and_all_that_is_left_without_an_amount(
    addresses: dict[str, str],
) -> None:
    order = await paid()
    first, again = await ask(order, 120, "key"), await ask(order, 120, "key")
    assert first == again
    assert (first.status, first.amount) == ("made", Money(120, "GBP"))
    with pytest.raises(Unprocessable):
        await ask(order, 121, "key")
    assert (await ask(order, None)).amount == Money(380, "GBP")
    assert await back(addresses, order) == 500
    with pytest.raises(Conflict):
        await ask(order, None)


async def test_what_was_not_paid_is_not_paid_back(addresses: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        await ask(Story("ord_none", []), 1)
    order = Story(f"ord_{secrets.token_hex(8)}", [])
    await deliver(order, "placed")
    with pytest.raises(Conflict):
        await ask(order, 1)
    with pytest.raises(Transient):
        await give(order, came_back(order, 1))
    assert (await payment_of(order)).refunds == {}


async def test_more_than_was_taken_is_refused_and_nothing_is_written(addresses: dict[str, str]) -> None:
    order = await paid()
    before = await payment_of(order)
    with pytest.raises(Conflict) as refused:
        await ask(order, 501)
    assert refused.value.code == "refund-exceeds-payment"
    assert await payment_of(order) == before


@pytest.mark.parametrize("kind", ["drop_after_effect", "status"])
async def test_a_refund_whose_answer_was_lost_is_found_at_the_provider(addresses: dict[str, str], kind: str) -> None:
    order = await paid()
    await misbehave(addresses["stripe"], {"operation": "refund", "kind": kind, "count": 1})
    with pytest.raises(Transient):
        await ask(order, 200, "key")
    assert (await payment_of(order)).pending == 1
    with pytest.raises(Conflict):
        await ask(order, 301)
    await refunds.unfinished(order.order_id)
    assert await back(addresses, order) == 200
    assert (await ask(order, 200, "key")).status == "made"
    assert await back(addresses, order) == 200


async def test_a_cancelled_order_gets_back_what_was_not_paid_back_yet(addresses: dict[str, str]) -> None:
    order = await paid()
    await ask(order, 120)
    for _ in range(2):
        await deliver(order, "cancelled")
    payment = await payment_of(order)
    assert (payment.status, payment.refunds[CANCELLATION].amount) == ("refunded", Money(380, "GBP"))
    assert await back(addresses, order) == 500


async def test_a_confirmation_that_comes_after_the_cancellation_takes_nothing(addresses: dict[str, str]) -> None:
    order = Story(f"ord_{secrets.token_hex(8)}", [])
    for name in ("placed", "cancelled", "confirmed", "confirmed"):
        await deliver(order, name)
    [intent] = await intents(addresses["stripe"], order.order_id)
    assert (intent["captured"], intent["held"]) == (0, 0)


async def test_what_was_paid_back_at_the_provider_is_noted_and_counts(addresses: dict[str, str]) -> None:
    order = await paid()
    notice = await paid_back_by_hand(addresses, order, 150)
    await ask(order, 100)
    await asyncio.gather(*(service.handle_webhook(notice) for _ in range(3)))
    assert await back(addresses, order) == 250
    assert (await told(store.PAYMENTS, order.order_id)).count("payment.refunded") == 2
    with pytest.raises(Conflict):
        await ask(order, 251)


async def test_a_refund_at_the_provider_that_was_not_heard_of_makes_ours_fail_and_not_loop(
    addresses: dict[str, str],
) -> None:
    order = await paid()
    notice = await paid_back_by_hand(addresses, order, 400)
    assert (await ask(order, 200)).status == "failed"
    assert (await told(store.PAYMENTS, order.order_id))[-1] == "payment.refund_failed"
    await service.handle_webhook(notice)
    assert (await ask(order, 100)).status == "made"
    assert await back(addresses, order) == 500


async def test_what_is_disputed_is_not_paid_back_until_the_bank_has_decided(addresses: dict[str, str]) -> None:
    order = await paid()
    intent = str((await payment_of(order)).intent_id)

    async def bank(status: Any) -> None:
        kind = DISPUTED[0] if status == "open" else DISPUTED[1]
        await service.handle_webhook(
            WebhookEvent(kind, None, None, Disputed("dp_1", intent, Money(500, "GBP"), status))
        )

    for _ in range(2):
        await bank("open")
    with pytest.raises(Conflict):
        await ask(order, 1)
    await give(order, came_back(order, 100, "ret_disputed"))
    assert (await payment_of(order)).refunds["ret_disputed"].status == "failed"
    await bank("won")
    await bank("open")
    assert (await ask(order, 100)).status == "made"
    assert (await told(store.PAYMENTS, order.order_id))[2:] == [
        "payment.disputed", "payment.refund_failed", "payment.dispute_closed", "payment.refunded",
    ]  # fmt: skip
    assert await back(addresses, order) == 100


async def test_a_dispute_that_is_lost_leaves_nothing_to_pay_back(addresses: dict[str, str]) -> None:
    order = await paid()
    intent = str((await payment_of(order)).intent_id)
    await service.handle_webhook(
        WebhookEvent(DISPUTED[1], None, None, Disputed("dp_1", intent, Money(500, "GBP"), "lost"))
    )
    with pytest.raises(Conflict):
        await ask(order, 1)


async def test_who_decides_a_refund_is_recorded_once(addresses: dict[str, str]) -> None:
    order = await paid()
    with acting(Actor("staff-7", "", ("staff",), "payments_refund", "a broken cup")):
        made = await ask(order, 120, "key")
        await ask(order, 120, "key")
    names = await told(store.PAYMENTS, order.order_id)
    assert names == ["payment.authorized", "payment.captured", "act.recorded", "payment.refunded"]
    assert made.status == "made"
