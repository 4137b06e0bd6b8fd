"""What a payment is, and which moves are legal. Pure: no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from shared.money import Money

Status = Literal["authorizing", "authorized", "declined", "captured", "voided", "refunded"]
Command = Literal["authorize", "decline", "capture", "void", "refund"]

TRANSITIONS: dict[tuple[Status, Command], Status] = {
    ("authorizing", "authorize"): "authorized",
    ("authorizing", "decline"): "declined",
    ("authorizing", "void"): "voided",
    ("authorized", "capture"): "captured",
    ("authorized", "void"): "voided",
    ("captured", "refund"): "refunded",
}

RefundStatus = Literal["pending", "made", "failed"]
RefundReason = Literal["cancelled", "returned", "damaged", "lost", "late", "goodwill", "provider"]
CANCELLATION = "cancellation"
"""Id of the refund of a cancelled order."""
DisputeStatus = Literal["open", "won", "lost"]

COMPENSATION: dict[Status, Command] = {"authorizing": "void", "authorized": "void", "captured": "refund"}
"""How a cancelled order's money goes back; where it says nothing, nothing is held."""

CAPTURE_DONE: frozenset[Status] = frozenset({"captured", "voided", "refunded"})
"""Where a repeated confirmation finds its work done, and a late one an order that was cancelled after it."""


class IllegalTransition(ValueError):
    """The payment's status does not allow the move."""


class NotRefundable(ValueError):
    """More is to be paid back than is left of what was taken."""


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back. It counts from the moment it is decided, before the provider is asked for it."""

    id: str
    amount: Money
    reason: RefundReason
    status: RefundStatus = "pending"
    request_hash: str = ""


@dataclass(frozen=True, slots=True)
class Dispute:
    """The card's owner wants the amount back from the bank, which has taken it until it decides."""

    amount: Money
    status: DisputeStatus = "open"


@dataclass(frozen=True, slots=True)
class Payment:
    """The money of one order. `intent_id` is the provider's; without one nothing was ever asked for.

    `pending`: how many of the refunds the provider has not been heard of yet.
    """

    order_id: str
    customer_id: str
    status: Status
    version: int
    amount: Money | None
    intent_id: str | None
    decline_code: str | None = None
    refunds: dict[str, Refund] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    pending: int = 0
    traceparent: str = ""
    """What asked for it: whatever comes later without a trace of its order, such as a webhook, goes on from there."""

    @property
    def refunded(self) -> int:
        """Minor units that were paid back."""
        return sum(refund.amount.amount for refund in self.refunds.values() if refund.status == "made")

    @property
    def refundable(self) -> int:
        """Minor units that can still be paid back: taken, and neither paid back, nor about to be, nor disputed."""
        if self.status != "captured" or self.amount is None:
            return 0
        gone = sum(refund.amount.amount for refund in self.refunds.values() if refund.status != "failed")
        disputed = sum(dispute.amount.amount for dispute in self.disputes.values() if dispute.status != "won")
        return max(0, self.amount.amount - gone - disputed)


def decide_refund(payment: Payment, refund: Refund) -> Payment:
    """The payment with the refund decided. Raises NotRefundable where less is left."""
    assert payment.amount is not None, "what was taken was asked for"
    if refund.amount.currency != payment.amount.currency:
        raise NotRefundable(f"the order was paid in {payment.amount.currency}")
    if not 0 < refund.amount.amount <= payment.refundable:
        left = Money(payment.refundable, payment.amount.currency)
        raise NotRefundable(f"{left} of the payment can be paid back, and no more")
    return _with(payment, refund)


def settle_refund(payment: Payment, refund: Refund, status: RefundStatus) -> Payment:
    """The payment after the provider has paid a refund back, or will not."""
    after = _with(payment, replace(refund, status=status))
    whole = after.amount is not None and after.refunded >= after.amount.amount
    return replace(after, status=next_status(after, "refund")) if whole and after.status != "refunded" else after


def disputed(payment: Payment, dispute_id: str, dispute: Dispute) -> Payment:
    """The payment after what the bank has said of a dispute; what it has decided it has decided."""
    known = payment.disputes.get(dispute_id)
    if known == dispute or (known is not None and dispute.status == "open"):
        return payment
    return replace(payment, version=payment.version + 1, disputes={**payment.disputes, dispute_id: dispute})


def _with(payment: Payment, refund: Refund) -> Payment:
    refunds = {**payment.refunds, refund.id: refund}
    pending = sum(each.status == "pending" for each in refunds.values())
    return replace(payment, version=payment.version + 1, refunds=refunds, pending=pending)


def next_status(payment: Payment, command: Command) -> Status:
    """The status that `command` leads to. Raises IllegalTransition with id, from and command."""
    status = TRANSITIONS.get((payment.status, command))
    if status is None:
        raise IllegalTransition(f"the payment of {payment.order_id} is {payment.status}; it cannot {command}")
    return status
