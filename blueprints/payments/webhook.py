"""What the payment provider tells by webhook, if it is the provider.

Source: Stripe API reference, "Events", "Webhook signatures".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from blueprints.payments.declaration import STRIPE_WEBHOOK_SECRET
from blueprints.payments.provider import Fate, Intent, Subject, code_of, order_id_of
from shared.errors import InvalidRequest
from shared.money import Money
from shared.patterns import whole
from shared.settings import settings

WEBHOOKS: dict[str, Fate] = {
    "payment_intent.amount_capturable_updated": "authorized",
    "payment_intent.payment_failed": "declined",
}
"""The provider's notices that can tell what became of an authorisation."""
REFUNDED = "charge.refunded"
DISPUTED = ("charge.dispute.created", "charge.dispute.closed")
NOTICES = (*WEBHOOKS, REFUNDED, *DISPUTED)
"""What is heard of the provider; the rest only repeats our own doing."""


@dataclass(frozen=True, slots=True)
class Disputed:
    """What the provider tells of a dispute. `open` until the bank has decided it."""

    id: str
    intent_id: str
    amount: Money
    status: Literal["open", "won", "lost"]


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What a webhook tells: the order, the intent, and what became of its money (`None`: nothing new)."""

    kind: str
    order_id: str | None
    intent: Intent | None
    dispute: Disputed | None = None


class _Charge(msgspec.Struct):
    """The part of Stripe's Charge that is read in webhooks."""

    payment_intent: str
    metadata: dict[str, Any] | None = None


class _ChargeData(msgspec.Struct):
    object: _Charge


class _ChargeEvent(msgspec.Struct):
    data: _ChargeData


class _Dispute(msgspec.Struct):
    """The part of Stripe's Dispute that is read in webhooks."""

    id: str
    payment_intent: str
    amount: Annotated[int, msgspec.Meta(ge=0, le=10**12)]
    currency: Annotated[str, msgspec.Meta(pattern=whole("[a-z]{3}"))]
    status: str


class _DisputeData(msgspec.Struct):
    object: _Dispute


class _DisputeEvent(msgspec.Struct):
    data: _DisputeData


class _WebhookData(msgspec.Struct):
    object: Subject


class _Kind(msgspec.Struct):
    type: str


class _WebhookEvent(_Kind):
    data: _WebhookData


def read_webhook(payload: bytes, signature: str) -> WebhookEvent:
    """What the provider tells, if it is the provider.

    Raises InvalidRequest for a signature that is not its own, and for an event whose shape is not the provider's.
    """
    import stripe

    secret = settings().text(STRIPE_WEBHOOK_SECRET)
    try:
        stripe.WebhookSignature.verify_header(payload.decode(), signature, secret, stripe.Webhook.DEFAULT_TOLERANCE)
    except Exception as exc:  # whatever a made-up header makes the package raise, it is not the provider's signature
        raise InvalidRequest("the webhook is not signed by the provider", code="invalid-signature") from exc
    try:
        kind = msgspec.json.decode(payload, type=_Kind).type
        if kind == REFUNDED:
            charge = msgspec.json.decode(payload, type=_ChargeEvent).data.object
            return WebhookEvent(kind, order_id_of(charge.metadata), Intent(charge.payment_intent, "captured"))
        if kind in DISPUTED:
            return WebhookEvent(
                kind, None, None, _disputed(msgspec.json.decode(payload, type=_DisputeEvent).data.object)
            )
        fate = WEBHOOKS.get(kind)
        if fate is None:
            return WebhookEvent(kind, None, None)
        subject = msgspec.json.decode(payload, type=_WebhookEvent).data.object
        amount = Money(subject.amount, subject.currency.upper())
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise InvalidRequest("the webhook is not an event of the provider", code="malformed-webhook") from exc
    order_id = order_id_of(subject.metadata)
    if order_id is None:
        return WebhookEvent(kind, None, None)
    return WebhookEvent(kind, order_id, Intent(subject.id, fate, code_of(subject.last_payment_error), amount))


def _disputed(dispute: _Dispute) -> Disputed:
    status: Literal["open", "won", "lost"] = "open"
    if dispute.status in ("won", "warning_closed"):
        status = "won"
    elif dispute.status == "lost":
        status = "lost"
    return Disputed(dispute.id, dispute.payment_intent, Money(dispute.amount, dispute.currency.upper()), status)
