"""The objects of the API and the legal moves of a PaymentIntent. Pure data: no storage, no protocol."""

from __future__ import annotations

import secrets
from typing import Any, Literal

import msgspec

Status = Literal["requires_payment_method", "requires_confirmation", "requires_capture", "succeeded", "canceled"]
Move = Literal["attach", "decline", "authorize", "charge", "capture", "cancel"]
Redirects = Literal["always", "never"]
CaptureMethod = Literal["automatic", "automatic_async", "manual"]

TRANSITIONS: dict[tuple[Status, Move], Status] = {
    ("requires_payment_method", "attach"): "requires_confirmation",
    ("requires_payment_method", "cancel"): "canceled",
    ("requires_confirmation", "attach"): "requires_confirmation",
    ("requires_confirmation", "decline"): "requires_payment_method",
    ("requires_confirmation", "authorize"): "requires_capture",
    ("requires_confirmation", "charge"): "succeeded",
    ("requires_confirmation", "cancel"): "canceled",
    ("requires_capture", "capture"): "succeeded",
    ("requires_capture", "cancel"): "canceled",
}
"""Stripe's lifecycle of a PaymentIntent without `requires_action` and `processing`, which no card here ever needs."""


def allowing(move: Move) -> tuple[Status, ...]:
    """The states from which a move is legal."""
    return tuple(status for status, possible in TRANSITIONS if possible == move)


class Card(msgspec.Struct, frozen=True):
    """A test payment method: what it looks like, and what its issuer answers."""

    brand: str
    last4: str
    decline_code: str | None = None
    message: str | None = None


CARDS = {
    "pm_card_visa": Card("visa", "4242"),
    "pm_card_mastercard": Card("mastercard", "4444"),
    "pm_card_chargeDeclined": Card("visa", "0002", "generic_decline", "Your card was declined."),
    "pm_card_chargeDeclinedInsufficientFunds": Card(
        "visa", "9995", "insufficient_funds", "Your card has insufficient funds."
    ),
}


class PaymentMethod(msgspec.Struct, frozen=True):
    """What a test token becomes when it is used: a payment method with an id of its own."""

    id: str
    token: str

    @property
    def card(self) -> Card:
        return CARDS[self.token]


class Intent(msgspec.Struct, frozen=True):
    """A PaymentIntent. Amounts are minor units; what is held is `amount_capturable`."""

    id: str
    client_secret: str
    created: int
    amount: int
    currency: str
    capture_method: CaptureMethod
    allowed_types: tuple[str, ...] | None = None
    allow_redirects: Redirects | None = None  # None: automatic payment methods are off
    status: Status = "requires_payment_method"
    metadata: dict[str, str] = {}
    description: str | None = None
    payment_method: PaymentMethod | None = None
    amount_capturable: int = 0
    amount_received: int = 0
    latest_charge: str | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    last_payment_error: dict[str, Any] | None = None


class Charge(msgspec.Struct, frozen=True):
    """One attempt to charge a card; it belongs to one PaymentIntent."""

    id: str
    payment_intent: str
    created: int
    amount: int
    currency: str
    payment_method: PaymentMethod
    metadata: dict[str, str]
    description: str | None
    declined: bool = False
    amount_captured: int = 0
    amount_refunded: int = 0
    captured: bool = False
    disputed: bool = False


class Refund(msgspec.Struct, frozen=True):
    """Money given back from one charge."""

    id: str
    charge: str
    payment_intent: str
    created: int
    amount: int
    currency: str
    reason: str | None
    metadata: dict[str, str]


class Dispute(msgspec.Struct, frozen=True):
    """The card's owner asks the bank for a charge's money."""

    id: str
    charge: str
    payment_intent: str
    created: int
    amount: int
    currency: str
    status: Literal["needs_response", "won", "lost"] = "needs_response"


class Event(msgspec.Struct, frozen=True):
    """Something that happened, with the object as it was at that moment, already in the API's form."""

    id: str
    type: str
    created: int
    request: str | None
    idempotency_key: str | None
    object: dict[str, Any]
    changed: dict[str, Any] = {}


def new_id(prefix: str) -> str:
    """An id in Stripe's manner: a prefix that names the kind, then 24 random letters and digits."""
    return f"{prefix}_{secrets.token_hex(12)}"
