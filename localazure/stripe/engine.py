"""The rules: what becomes of a PaymentIntent, its charge and its refunds. Knows no protocol.

Every method runs inside a transaction of the store that its caller opens. One that raises an `Executed` error has
written what the failure leaves behind (a declined charge, say), and the caller commits it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from msgspec.structs import replace

from localazure.clock import Clock
from localazure.stripe import representation
from localazure.stripe.commands import Cancel, Capture, Confirm, Create, CreateRefund
from localazure.stripe.currencies import written
from localazure.stripe.errors import (
    DOCUMENTATION,
    CardDeclined,
    Executed,
    InvalidRequest,
    NotRefundable,
    UnexpectedState,
)
from localazure.stripe.model import (
    TRANSITIONS,
    Charge,
    Dispute,
    Event,
    Intent,
    Move,
    PaymentMethod,
    Refund,
    allowing,
    new_id,
)
from localazure.stripe.store import Store

_VERBS: dict[Move, tuple[str, str]] = {
    "attach": ("confirm", "confirmed"),
    "capture": ("capture", "captured"),
    "cancel": ("cancel", "canceled"),
}


@dataclass(frozen=True)
class Origin:
    """The request an effect comes from; events name it."""

    request: str
    idempotency_key: str | None


class Engine:
    """`on_event` is told of each event inside the transaction that makes it."""

    def __init__(self, store: Store, clock: Clock, on_event: Callable[[Event], None]) -> None:
        self._store = store
        self._clock = clock
        self._on_event = on_event

    def create(self, command: Create, origin: Origin) -> Intent:
        identity = new_id("pi")
        intent = Intent(
            id=identity,
            client_secret=new_id(f"{identity}_secret"),
            created=self._now(),
            amount=command.amount,
            currency=command.currency,
            capture_method=command.capture_method,
            allowed_types=command.allowed_types,
            allow_redirects=command.allow_redirects,
            metadata=command.metadata,
            description=command.description,
        )
        if command.confirm:
            _check_confirmable(intent, command.payment_method, command.return_url)
        self._store.add(intent)
        self._emit("payment_intent.created", representation.payment_intent(intent), origin)
        if command.payment_method is not None:
            intent = self._attach(intent, command.payment_method)
            self._store.replace(intent)
        return self._charge(intent, origin) if command.confirm else intent

    def confirm(self, identity: str, command: Confirm, origin: Origin) -> Intent:
        intent = self.intent(identity)
        if intent.status not in allowing("attach"):
            raise _refused(intent, "attach")
        if command.allowed_types is not None:
            intent = replace(intent, allowed_types=command.allowed_types, allow_redirects=None)
        _check_confirmable(intent, command.payment_method, command.return_url)
        if command.payment_method is not None:
            intent = self._attach(intent, command.payment_method)
        if command.capture_method is not None:
            intent = replace(intent, capture_method=command.capture_method)
        return self._charge(intent, origin)

    def capture(self, identity: str, command: Capture, origin: Origin) -> Intent:
        intent = self.intent(identity)
        if intent.status not in allowing("capture"):
            raise _refused(intent, "capture")
        amount = intent.amount_capturable if command.amount_to_capture is None else command.amount_to_capture
        if amount > intent.amount_capturable:
            raise Executed(
                f"The payment could not be captured because the requested capture amount "
                f"({written(amount, intent.currency)}) is greater than the amount you can capture for this charge "
                f"({written(intent.amount_capturable, intent.currency)}).",
                code="amount_too_large",
                param="amount_to_capture",
                intent=intent,
            )
        charge = replace(self._latest_charge(intent), captured=True, amount_captured=amount)
        captured = _moved(intent, "capture", amount_capturable=0, amount_received=amount)
        if command.metadata:
            captured = replace(captured, metadata=intent.metadata | command.metadata)
            self._store.replace_metadata(intent, captured)
        self._store.replace(captured)
        self._store.replace(charge)
        self._emit("charge.captured", representation.charge(charge), origin)
        self._emit("payment_intent.succeeded", representation.payment_intent(captured), origin)
        return captured

    def cancel(self, identity: str, command: Cancel, origin: Origin) -> Intent:
        intent = self.intent(identity)
        if intent.status not in allowing("cancel"):
            raise _refused(intent, "cancel")
        canceled = _moved(
            intent, "cancel", amount_capturable=0, canceled_at=self._now(), cancellation_reason=command.reason
        )
        self._store.replace(canceled)
        self._emit("payment_intent.canceled", representation.payment_intent(canceled), origin)
        return canceled

    def refund(self, command: CreateRefund, origin: Origin) -> Refund:
        charge = self._refundable(command)
        left = charge.amount_captured - charge.amount_refunded
        if left == 0:
            raise NotRefundable(f"Charge {charge.id} has already been refunded.", code="charge_already_refunded")
        amount = left if command.amount is None else command.amount
        if amount > left:
            raise NotRefundable(
                f"Refund amount ({written(amount, charge.currency)}) is greater than unrefunded amount on charge "
                f"({written(left, charge.currency)})",
                param="amount",
            )
        refund = Refund(
            id=new_id("re"),
            charge=charge.id,
            payment_intent=charge.payment_intent,
            created=self._now(),
            amount=amount,
            currency=charge.currency,
            reason=command.reason,
            metadata=command.metadata,
        )
        refunded = replace(charge, amount_refunded=charge.amount_refunded + amount)
        self._store.add(refund, parent=refund.payment_intent)
        self._store.replace(refunded)
        before = {"amount_refunded": charge.amount_refunded, "refunded": False}
        self._emit("refund.created", representation.refund(refund), origin)
        self._emit("charge.refunded", representation.charge(refunded), origin, before)
        return refund

    def dispute(self, identity: str, origin: Origin) -> Dispute:
        """The card's owner asks the bank for what was taken and not paid back. Raises NotRefundable for nothing."""
        intent = self.intent(identity)
        charge = self._latest_charge(intent) if intent.status == "succeeded" else None
        left = 0 if charge is None else charge.amount_captured - charge.amount_refunded
        if charge is None or charge.disputed or not left:
            raise NotRefundable(f"PaymentIntent {identity} has nothing that could be disputed.", intent=intent)
        dispute = Dispute(new_id("dp"), charge.id, intent.id, self._now(), left, charge.currency)
        self._store.add(dispute, parent=intent.id)
        self._store.replace(replace(charge, disputed=True))
        self._emit("charge.dispute.created", representation.dispute(dispute), origin)
        return dispute

    def close_dispute(self, identity: str, status: Literal["won", "lost"], origin: Origin) -> Dispute:
        """The bank decides. Raises NotRefundable where it has already."""
        dispute = self._store.get(Dispute, identity)
        if dispute.status != "needs_response":
            raise NotRefundable(f"Dispute {identity} is {dispute.status} already.")
        closed = replace(dispute, status=status)
        charge = self._store.get(Charge, dispute.charge)
        self._store.replace(closed)
        self._store.replace(replace(charge, disputed=status == "lost"))
        self._emit("charge.dispute.closed", representation.dispute(closed), origin)
        return closed

    def intent(self, identity: str) -> Intent:
        """Raises ResourceMissing."""
        return self._store.get(Intent, identity, param="intent")

    def _attach(self, intent: Intent, token: str) -> Intent:
        method = PaymentMethod(new_id("pm"), token)
        return _moved(intent, "attach", payment_method=method, last_payment_error=None)

    def _charge(self, intent: Intent, origin: Origin) -> Intent:
        method = intent.payment_method
        assert method is not None, "only an intent with a payment method is confirmed"
        charge = Charge(
            id=new_id("ch"),
            payment_intent=intent.id,
            created=self._now(),
            amount=intent.amount,
            currency=intent.currency,
            payment_method=method,
            metadata=intent.metadata,
            description=intent.description,
            declined=method.card.decline_code is not None,
        )
        if charge.declined:
            raise self._decline(intent, charge, origin)
        if intent.capture_method == "manual":
            return self._authorize(intent, charge, origin)
        charge = replace(charge, captured=True, amount_captured=charge.amount)
        paid = _moved(intent, "charge", amount_received=intent.amount, latest_charge=charge.id)
        self._keep(paid, charge)
        self._emit("charge.succeeded", representation.charge(charge), origin)
        self._emit("payment_intent.succeeded", representation.payment_intent(paid), origin)
        return paid

    def _authorize(self, intent: Intent, charge: Charge, origin: Origin) -> Intent:
        held = _moved(intent, "authorize", amount_capturable=intent.amount, latest_charge=charge.id)
        self._keep(held, charge)
        self._emit("charge.succeeded", representation.charge(charge), origin)
        self._emit("payment_intent.amount_capturable_updated", representation.payment_intent(held), origin)
        return held

    def _decline(self, intent: Intent, charge: Charge, origin: Origin) -> CardDeclined:
        """The error to raise once what the decline leaves behind is written."""
        card = charge.payment_method.card
        error: dict[str, Any] = {
            "charge": charge.id,
            "code": "card_declined",
            "decline_code": card.decline_code,
            "doc_url": f"{DOCUMENTATION}card-declined",
            "message": card.message,
            "payment_method": representation.payment_method(charge.payment_method, charge.created),
            "type": "card_error",
        }
        declined = _moved(intent, "decline", payment_method=None, latest_charge=charge.id, last_payment_error=error)
        self._keep(declined, charge)
        self._emit("charge.failed", representation.charge(charge), origin)
        self._emit("payment_intent.payment_failed", representation.payment_intent(declined), origin)
        details = {name: error[name] for name in ("charge", "decline_code", "payment_method")}
        return CardDeclined(str(card.message), code="card_declined", intent=declined, **details)

    def _keep(self, intent: Intent, charge: Charge) -> None:
        self._store.replace(intent)
        self._store.add(charge, parent=intent.id)

    def _latest_charge(self, intent: Intent) -> Charge:
        assert intent.latest_charge is not None, "an intent that holds money has a charge"
        return self._store.get(Charge, intent.latest_charge)

    def _refundable(self, command: CreateRefund) -> Charge:
        if command.charge is not None:
            charge = self._store.get(Charge, command.charge, param="charge")
        else:
            intent = self._store.get(Intent, str(command.payment_intent), param="payment_intent")
            if intent.status != "succeeded":
                raise NotRefundable(
                    f"This PaymentIntent ({intent.id}) does not have a successful charge to refund.",
                    code="payment_intent_unexpected_state",
                    intent=intent,
                )
            charge = self._latest_charge(intent)
        if charge.disputed:
            raise NotRefundable(f"Charge {charge.id} has been charged back; it cannot be refunded.", "charge_disputed")
        if not charge.captured:
            raise NotRefundable(f"Charge {charge.id} has not been captured, so there is nothing to refund.")
        return charge

    def _emit(
        self, kind: str, snapshot: dict[str, Any], origin: Origin, changed: Mapping[str, Any] | None = None
    ) -> None:
        event = Event(
            id=new_id("evt"),
            type=kind,
            created=self._now(),
            request=origin.request,
            idempotency_key=origin.idempotency_key,
            object=snapshot,
            changed=dict(changed or {}),
        )
        self._store.add(event, parent=kind)
        self._on_event(event)

    def _now(self) -> int:
        return int(self._clock.time())


def _moved(intent: Intent, move: Move, **changes: Any) -> Intent:
    return replace(intent, status=TRANSITIONS[intent.status, move], **changes)


def _refused(intent: Intent, move: Move) -> UnexpectedState:
    verb, participle = _VERBS[move]
    return UnexpectedState(
        f"You cannot {verb} this PaymentIntent because it has a status of {intent.status}. Only a PaymentIntent with "
        f"one of the following statuses may be {participle}: {', '.join(allowing(move))}.",
        intent,
    )


def _check_confirmable(intent: Intent, payment_method: str | None, return_url: str | None) -> None:
    if payment_method is None and intent.payment_method is None:
        raise InvalidRequest(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
        )
    if intent.allow_redirects == "always" and return_url is None:
        raise InvalidRequest(
            "This PaymentIntent is configured to accept payment methods that might redirect your customer, so you must "
            "provide a return_url. To refuse such methods, create it with allowed_payment_method_types[]=card or with "
            "automatic_payment_methods[enabled]=true and automatic_payment_methods[allow_redirects]=never.",
            param="return_url",
        )
