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
    """What had been taken was paid back."""

    order_id: str
    amount: Money
