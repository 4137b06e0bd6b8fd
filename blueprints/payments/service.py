"""What payments can do: hold an order's money, take it, and give it back, each once.

Whatever happens between a call to the provider and our writing down its answer, the next delivery of the same
event finds the payment in our store, asks the provider what became of it, and goes on from there.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

import msgspec

from blueprints.payments import domain, provider, refunds, store
from blueprints.payments.declaration import SERVICE
from blueprints.payments.domain import Command, Payment
from blueprints.payments.provider import Intent
from blueprints.payments.refunds import RefundView
from blueprints.payments.webhook import REFUNDED, WebhookEvent
from shared import data_export
from shared.contracts.accounts import ErasureStarted
from shared.contracts.event import Event, EventData
from shared.contracts.orders import OrderApprovalRequested, OrderCancelled, OrderConfirmed, OrderPlaced
from shared.contracts.payments import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentVoided,
)
from shared.contracts.personal_data import ExportListed
from shared.errors import NotFound, Rejected, Transient
from shared.messaging.republish import each_apart, hold_until, republish_overdue, waiting
from shared.money import Money
from shared.persistence.cosmos import AlreadyExists, ConditionFailed
from shared.personal_data import answer
from shared.settings import RECONCILE_AFTER_SECONDS, settings
from shared.telemetry.log import Log
from shared.telemetry.span import for_order
from shared.web.auth import Principal

log = Log("payments")


class PaymentView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A payment as the API shows it."""

    order_id: str
    status: domain.Status
    amount: Money
    decline_code: str | None = None
    refunded: Money | None = None
    refunds: tuple[RefundView, ...] = ()
    disputed: bool = False


class WebhookAck(msgspec.Struct, frozen=True):
    """What the provider is told when it has told us something."""

    received: bool = True


async def get(caller: Principal, order_id: str) -> PaymentView:
    """The payment of the caller's own order; staff may see any. Raises NotFound."""
    payment = await store.get(order_id)
    if payment is None or payment.amount is None or not (payment.customer_id == caller.subject or caller.is_staff):
        raise NotFound("there is no payment of such an order")
    return _view(payment, payment.amount)


def _view(payment: Payment, amount: Money) -> PaymentView:
    refunded = Money(payment.refunded, amount.currency) if payment.refunded else None
    disputed = any(dispute.status == "open" for dispute in payment.disputes.values())
    made = tuple(map(refunds.view, payment.refunds.values()))
    return PaymentView(payment.order_id, payment.status, amount, payment.decline_code, refunded, made, disputed)


async def authorize(event: Event, placed: OrderPlaced) -> None:
    """Hold the order's total on the shopper's card, unless the order was cancelled meanwhile."""
    order_id = placed.order_id
    payment = await store.get(order_id)
    if payment is None:
        intent = await provider.create(order_id, placed.total)
        payment = Payment(order_id, placed.customer_id, "authorizing", 1, placed.total, intent.id)
        if not await _begun(payment, intent):
            return
        intent = await provider.confirm(order_id, intent.id, placed.payment_method)
    elif payment.status == "authorizing" and payment.intent_id is not None:
        intent = await provider.retrieve(payment.intent_id)
        if intent.fate == "unconfirmed":
            intent = await provider.confirm(order_id, payment.intent_id, placed.payment_method)
    else:
        if payment.amount is None:
            await store.describe(payment, placed.customer_id, placed.total)
        return
    await _learn(payment, intent)


async def wait(event: Event, asked: OrderApprovalRequested) -> None:
    """A person decides about the order: the money that is held for it is not overdue until then."""
    await hold_until(store.PAYMENTS, asked.order_id, "authorized", asked.until)


async def capture(event: Event, confirmed: OrderConfirmed) -> None:
    """The order goes through: take the held money, unless the order was cancelled since."""
    payment = await _payment(confirmed.order_id)
    if payment.status in domain.CAPTURE_DONE:
        return
    status = domain.next_status(payment, "capture")
    assert payment.intent_id is not None, "what is authorized has an intent"
    intent = await provider.capture(payment.order_id, payment.intent_id)
    if intent.fate != "captured":
        raise Transient(f"the provider says {intent.fate} of the payment of {payment.order_id}")
    await store.advance(payment, status, PaymentCaptured(order_id=payment.order_id, amount=confirmed.total))
    log.spanned("payment.captured", order_id=payment.order_id)


async def void_or_refund(event: Event, cancelled: OrderCancelled) -> None:
    """The order does not go through: void what is held, refund what was taken, and hold nothing later."""
    order_id = cancelled.order_id
    payment = await store.get(order_id)
    if payment is None:
        try:
            await store.add(Payment(order_id, "", "voided", 1, None, None))
            return
        except AlreadyExists:
            payment = await _payment(order_id)
    if domain.COMPENSATION.get(payment.status) == "void":
        assert payment.intent_id is not None, "what can be given back was asked for"
        intent = await provider.void(order_id, payment.intent_id)
        if intent.fate not in ("voided", "captured"):
            raise Transient(f"the provider says {intent.fate} of the payment of {order_id}")
        if intent.fate == "voided":
            await store.advance(payment, domain.next_status(payment, "void"), PaymentVoided(order_id=order_id))
            log.info("payment.given_back", order_id=order_id)
            return
        # taken at the provider, though a crash kept us from writing it down
        captured = domain.next_status(payment, "capture")
        assert payment.amount is not None, "what was taken was asked for"
        await store.advance(payment, captured, PaymentCaptured(order_id=order_id, amount=payment.amount))
        payment = await _payment(order_id)
    if payment.status == "captured":
        await refunds.of_cancellation(payment)


async def erase(event: Event, started: ErasureStarted) -> None:
    """Nothing here names anybody: answer what is kept."""
    await answer(SERVICE, store.PAYMENTS, started)


async def export(event: Event, listed: ExportListed) -> None:
    """Tell how the customer's orders were paid: those of the list that are theirs."""
    payments = [
        _view(payment, payment.amount)
        for payment in await store.get_many(listed.orders)
        if payment.amount is not None and payment.customer_id == listed.account_id
    ]
    await data_export.answer(store.PAYMENTS, listed, data_export.held(payments=payments))


async def handle_webhook(notice: WebhookEvent) -> None:
    """Act on the provider's word: it may come before our own call's answer, long after, or twice."""
    if notice.dispute is not None:
        await refunds.dispute(notice.dispute)
    if notice.order_id is None or notice.intent is None:
        return
    if notice.kind == REFUNDED:
        await refunds.adopt(notice.order_id, notice.intent.id)
        return
    payment = await store.get(notice.order_id)
    if payment is None or payment.intent_id != notice.intent.id:
        if notice.intent.fate == "authorized":
            await _void_stray(notice.order_id, notice.intent.id)
    elif payment.status == "authorizing":
        with _heard(payment, notice.kind):
            await _learn(payment, notice.intent)
    elif payment.status == "voided" and notice.intent.fate == "authorized":
        with _heard(payment, notice.kind):
            await provider.void(notice.order_id, notice.intent.id)
            log.warning("payment.late_hold_voided", order_id=notice.order_id)


def _heard(payment: Payment, kind: str) -> AbstractContextManager[None]:
    """See `for_order`: what a webhook brings about."""
    key = f"{payment.intent_id}/{kind}"
    return for_order("payments", "payments_hear", payment.order_id, payment.traceparent, key)


async def reconcile() -> None:
    """Money that has been held for too long: tell orders again that it is. Refunds that were decided: make them."""
    await republish_overdue(store.PAYMENTS, "payment", "authorized")
    overdue = await waiting(store.PAYMENTS, "refunding", "c.pending > 0", settings().seconds(RECONCILE_AFTER_SECONDS))
    await each_apart(store.PAYMENTS, overdue, refunds.unfinished)


async def _begun(payment: Payment, intent: Intent) -> bool:
    """Write down that the money was asked for, before it is. False where there is nothing to go on with."""
    order_id = payment.order_id
    try:
        if intent.fate == "declined":
            refused = replace(payment, status="declined", intent_id=None, decline_code=intent.decline_code)
            await store.add(refused, PaymentDeclined(order_id=order_id, code=intent.decline_code))
            return False
        await store.add(payment)
    except AlreadyExists as exc:
        await _lost_race(order_id, intent.id)
        raise Transient("someone else wrote first; look again") from exc
    return True


async def _learn(payment: Payment, intent: Intent) -> None:
    """Write down what became of an authorisation, and tell it."""
    order_id = payment.order_id
    intent = await _as_asked(payment, intent)
    command: Command
    event: EventData
    if intent.fate == "authorized":
        assert payment.amount is not None, "what is held was asked for"
        command, event = "authorize", PaymentAuthorized(order_id=order_id, amount=payment.amount)
    elif intent.fate == "declined":
        command, event = "decline", PaymentDeclined(order_id=order_id, code=intent.decline_code)
    elif intent.fate == "voided":
        command, event = "void", PaymentVoided(order_id=order_id)
    else:
        raise Transient(f"the provider has not decided on the payment of {order_id} yet ({intent.fate})")
    status = domain.next_status(payment, command)
    try:
        await store.advance(payment, status, event, intent.decline_code or None)
    except ConditionFailed:
        await _lost_race(order_id, intent.id)
        return
    tell = log.info if intent.decline_code else log.spanned
    tell(f"payment.{status}", order_id=order_id, code=intent.decline_code or None)


async def _void_stray(order_id: str, intent_id: str) -> None:
    """Give up a hold that no payment of ours knows; one that the provider does not know either holds nothing."""
    try:
        await provider.void(order_id, intent_id)
    except Rejected as exc:
        log.warning("payment.stray_unknown", order_id=order_id, code=exc.code)
    else:
        log.warning("payment.stray_hold_voided", order_id=order_id)


async def _as_asked(payment: Payment, intent: Intent) -> Intent:
    """The intent, where it holds what was asked for. Money of another amount or currency is given up: a refusal."""
    if intent.fate != "authorized" or intent.amount == payment.amount:
        return intent
    log.error("payment.amount_differs", order_id=payment.order_id)
    await provider.void(payment.order_id, intent.id)
    return Intent(intent.id, "declined", "amount_differs")


async def _lost_race(order_id: str, intent_id: str) -> None:
    """Someone else wrote first: another delivery of the same event, or the order's cancellation."""
    payment = await _payment(order_id)
    if payment.status == "voided" and intent_id:
        await provider.void(order_id, intent_id)


async def _payment(order_id: str) -> Payment:
    payment = await store.get(order_id)
    if payment is None:
        raise Transient(f"the payment of {order_id} is not here yet")
    return payment
