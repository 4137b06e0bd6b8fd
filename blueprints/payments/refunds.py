"""Paying back: decided here first, by one write that counts it, then asked of the provider, then told.

What is decided counts against what is left of the payment at once, so two refunds that are decided together never pay
back more than was taken. A refund whose answer was lost is looked for at the provider, under our own id for it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated, Literal

import msgspec

from blueprints.payments import domain, provider, store
from blueprints.payments.domain import CANCELLATION, Dispute, NotRefundable, Payment, Refund
from blueprints.payments.webhook import Disputed
from shared import ids
from shared.acting import acting
from shared.contracts.event import Event, EventData
from shared.contracts.orders import ReturnReceived
from shared.contracts.payments import PaymentDisputeClosed, PaymentDisputed, PaymentRefunded, PaymentRefundFailed
from shared.errors import Conflict, Contention, NotFound, Rejected, Transient
from shared.money import MAX_AMOUNT, Money
from shared.persistence.cosmos import ConditionFailed
from shared.telemetry.log import Log
from shared.telemetry.span import for_order
from shared.web.auth import Principal
from shared.web.body import fingerprint, same_request

MAX_ATTEMPTS = 20
"""Refunds of one payment that are decided together take turns; each loses to every other at most once."""

log = Log("payments")


class RefundOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pay back so much of an order, and why; all that is left, where no `amount` is named."""

    reason: Literal["damaged", "lost", "late", "goodwill"]
    amount: (
        Annotated[int, msgspec.Meta(ge=1, le=MAX_AMOUNT, description="Minor units of the order's currency")] | None
    ) = None


class RefundView(msgspec.Struct, frozen=True):
    """A refund as the API shows it. `pending`: the provider has not been heard yet; `failed`: it will not pay."""

    id: str
    status: domain.RefundStatus
    amount: Money
    reason: domain.RefundReason


def view(refund: Refund) -> RefundView:
    return RefundView(refund.id, refund.status, refund.amount, refund.reason)


async def by_staff(caller: Principal, order_id: str, key: str, asked: RefundOrder) -> RefundView:
    """Pay back some of an order. A repeat finds the refund it made, and goes on with it.

    Raises NotFound for an order without a payment, Conflict where less is left of it, Unprocessable for a key that was
    used for another request.
    """
    refund_id, request_hash = derive_id(order_id, key), fingerprint(asked)

    def decided(payment: Payment) -> Payment | None:
        known = payment.refunds.get(refund_id)
        if known is not None:
            same_request(known.request_hash, request_hash, "refund")
            return None
        left = payment.refundable
        currency = payment.amount.currency if payment.amount else "XXX"
        amount = Money(left if asked.amount is None else asked.amount, currency)
        return domain.decide_refund(payment, Refund(refund_id, amount, asked.reason, request_hash=request_hash))

    found = await store.get(order_id)
    if found is None:
        raise NotFound("there is no payment of such an order")
    with _in_trace_of(found, "payments_refund", refund_id):
        try:
            payment = await _change(order_id, decided)
        except NotRefundable as exc:
            raise Conflict(str(exc), code="refund-exceeds-payment") from exc
        log.info("refund.decided", order_id=order_id, refund_id=refund_id, subject=caller.subject, reason=asked.reason)
        with acting(None):  # the decision was the act
            return view((await carry_out(payment, refund_id)).refunds[refund_id])


def derive_id(order_id: str, key: str) -> str:
    """The id of the refund that is made of the order under `key`."""
    return ids.derived("ref", "refund", order_id, key)


async def of_return(event: Event, received: ReturnReceived) -> None:
    """Something has come back: pay back what was paid for it, or what is left of the payment where that is less."""
    refund_id = received.return_id

    def decided(payment: Payment) -> Payment | None:
        if refund_id in payment.refunds:
            return None
        if payment.status in ("authorizing", "authorized"):
            raise Transient(f"the payment of {received.order_id} is not taken yet")
        if any(dispute.status == "open" for dispute in payment.disputes.values()):
            return domain.settle_refund(payment, Refund(refund_id, received.amount, "returned"), "failed")
        amount = Money(min(received.amount.amount, payment.refundable), received.amount.currency)
        refund = Refund(refund_id, amount, "returned")
        return domain.decide_refund(payment, refund) if amount.amount else domain.settle_refund(payment, refund, "made")

    def told(payment: Payment) -> EventData | None:
        """Of a refund that is settled at once: nothing is left to pay, or the bank has the money."""
        refund = payment.refunds[refund_id]
        if refund.status == "failed":
            return PaymentRefundFailed(
                order_id=payment.order_id, refund_id=refund_id, amount=refund.amount, code="disputed"
            )
        return _paid(payment, refund) if refund.status == "made" else None

    payment = await _change(received.order_id, decided, told)
    await carry_out(payment, refund_id)


async def of_cancellation(payment: Payment) -> None:
    """A captured order is cancelled: pay back all that is left of it."""

    def decided(payment: Payment) -> Payment | None:
        if CANCELLATION in payment.refunds or not payment.refundable:
            return None
        assert payment.amount is not None, "what was taken was asked for"
        amount = Money(payment.refundable, payment.amount.currency)
        return domain.decide_refund(payment, Refund(CANCELLATION, amount, "cancelled"))

    payment = await _change(payment.order_id, decided)
    if CANCELLATION in payment.refunds:
        await carry_out(payment, CANCELLATION)


async def carry_out(payment: Payment, refund_id: str) -> Payment:
    """Have the provider pay a refund that was decided, unless it has; the payment afterwards. Raises Transient."""
    refund = payment.refunds[refund_id]
    if refund.status != "pending":
        return payment
    assert payment.intent_id is not None, "what was taken has an intent"
    made = {known.refund_id for known in await provider.refunds(payment.intent_id) if known.status != "failed"}
    failure = ""
    if refund_id not in made:
        try:
            await provider.refund(payment.order_id, payment.intent_id, refund.amount, refund_id)
        except Rejected as exc:
            failure = exc.code

    def settled(payment: Payment) -> Payment | None:
        if payment.refunds[refund_id].status != "pending":
            return None
        return domain.settle_refund(payment, refund, "failed" if failure else "made")

    def told(payment: Payment) -> EventData:
        if failure:
            return PaymentRefundFailed(
                order_id=payment.order_id, refund_id=refund_id, amount=refund.amount, code=failure
            )
        return _paid(payment, refund)

    payment = await _change(payment.order_id, settled, told)
    log.info("refund.settled", order_id=payment.order_id, refund_id=refund_id, code=failure or None)
    return payment


async def adopt(order_id: str, intent_id: str) -> None:
    """The provider tells that something was paid back: what was not decided here was so at the provider."""
    known = await store.get(order_id)
    if known is None or known.intent_id != intent_id or known.status not in ("captured", "refunded"):
        return
    for found in await provider.refunds(intent_id):
        if found.refund_id in known.refunds or found.status == "failed":
            continue
        refund = Refund(found.id, Money(found.amount, found.currency.upper()), "provider")
        with _in_trace_of(known, "payments_hear", refund.id):
            await _adopt(order_id, refund)


async def _adopt(order_id: str, refund: Refund) -> None:
    def made(payment: Payment) -> Payment | None:
        return None if refund.id in payment.refunds else domain.settle_refund(payment, refund, "made")

    await _change(order_id, made, lambda payment: _paid(payment, refund))
    log.warning("refund.made_at_the_provider", order_id=order_id, refund_id=refund.id)


def _in_trace_of(payment: Payment, name: str, key: str) -> AbstractContextManager[None]:
    """See `for_order`."""
    return for_order("payments", name, payment.order_id, payment.traceparent, f"{name}/{key}")


async def dispute(told: Disputed) -> None:
    """The provider tells of a dispute, or how it was decided; late and repeated notices change nothing."""
    order_id = await provider.order_of(told.intent_id)
    payment = None if order_id is None else await store.get(order_id)
    if order_id is None or payment is None or payment.intent_id != told.intent_id:
        return
    event: EventData = PaymentDisputed(order_id=order_id, amount=told.amount)
    if told.status != "open":
        event = PaymentDisputeClosed(order_id=order_id, amount=told.amount, won=told.status == "won")
    before = payment.version

    def heard(payment: Payment) -> Payment | None:
        after = domain.disputed(payment, told.id, Dispute(told.amount, told.status))
        return None if after is payment else after

    with _in_trace_of(payment, "payments_hear", f"{told.id}/{told.status}"):
        payment = await _change(order_id, heard, lambda _: event)
        if payment.version != before:
            log.warning("payment.disputed", order_id=order_id, status=told.status)


async def unfinished(order_id: str) -> None:
    """Go on with the refunds of a payment that the provider has not been heard of. Raises Transient."""
    payment = await store.get(order_id)
    if payment is None:
        return
    for refund_id in tuple(payment.refunds):
        payment = await carry_out(payment, refund_id)


async def _change(
    order_id: str,
    change: Callable[[Payment], Payment | None],
    told: Callable[[Payment], EventData | None] = lambda _: None,
) -> Payment:
    """The payment after `change`, which is written and told; as it is, where there is nothing to change."""
    for _ in range(MAX_ATTEMPTS):
        payment = await store.get(order_id)
        if payment is None:
            raise Transient(f"the payment of {order_id} is not here yet")
        after = change(payment)
        if after is None:
            return payment
        try:
            await store.keep(after, told(after))
        except ConditionFailed:
            continue
        return after
    raise Contention("the payment keeps changing", retry_after=1)


def _paid(payment: Payment, refund: Refund) -> PaymentRefunded:
    total = Money(payment.refunded, refund.amount.currency)
    return PaymentRefunded(order_id=payment.order_id, amount=refund.amount, refund_id=refund.id, total=total)
