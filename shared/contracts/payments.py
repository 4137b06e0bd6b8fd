"""What payments tells of an order's money. Subject of each: the order's id."""

from __future__ import annotations

from shared.contracts.event import EventData, event_type
from shared.money import Money


@event_type("payment.authorized.v1")
class PaymentAuthorized(EventData, frozen=True, kw_only=True):
    """The amount is held on the shopper's card."""

    order_id: str
    amount: Money


@event_type("payment.declined.v1")
class PaymentDeclined(EventData, frozen=True, kw_only=True):
    """The provider refused; no money is held. `code` is the provider's decline code."""

    order_id: str
    code: str


@event_type("payment.captured.v1")
class PaymentCaptured(EventData, frozen=True, kw_only=True):
    """The held amount was taken."""

    order_id: str
    amount: Money


@event_type("payment.voided.v1")
class PaymentVoided(EventData, frozen=True, kw_only=True):
    """The hold on the shopper's card was given up; nothing was taken."""

    order_id: str


@event_type("payment.refunded.v1")
class PaymentRefunded(EventData, frozen=True, kw_only=True):
    """Of what had been taken, so much was paid back.

    `refund_id`: a return's id (`ret_…`), that of a refund by staff (`ref_…`) or of one that was made at the provider
    (`re_…`); `cancellation` is that of a cancelled order. `total`: what has been paid back of the order so far.
    """

    order_id: str
    amount: Money
    refund_id: str = ""
    total: Money | None = None


@event_type("payment.refund_failed.v1")
class PaymentRefundFailed(EventData, frozen=True, kw_only=True):
    """The provider will not pay this back; a person has to. `code` is the provider's."""

    order_id: str
    refund_id: str
    amount: Money
    code: str


@event_type("payment.disputed.v1")
class PaymentDisputed(EventData, frozen=True, kw_only=True):
    """The card's owner disputes the payment: the bank has taken the amount back until that is decided."""

    order_id: str
    amount: Money


@event_type("payment.dispute_closed.v1")
class PaymentDisputeClosed(EventData, frozen=True, kw_only=True):
    """The bank has decided the dispute; lost, the amount stays with the card's owner."""

    order_id: str
    amount: Money
    won: bool
