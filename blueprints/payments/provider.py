"""The payment provider: Stripe's PaymentIntents with manual capture, through the official package.

An intent is created first and confirmed second. Until it is confirmed it holds no money, and its id is in our
store before that: so an authorisation whose fate is unknown can always be asked for by id, and an order that
was cancelled meanwhile has an intent to cancel, which the provider will then never authorise.

Each call carries an idempotency key made from the order's id: a repeat gets the first answer, not a second hold.
Source: Stripe API reference, "PaymentIntents", "Place a hold on a payment method", "Idempotent requests".
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from blueprints.payments.declaration import (
    STRIPE_API_BASE,
    STRIPE_API_KEY,
    STRIPE_TIMEOUT_SECONDS,
)
from shared.errors import Rejected, Transient
from shared.faultpoints import crash_point
from shared.money import Money
from shared.patterns import ORDER_ID, whole
from shared.settings import settings
from shared.telemetry.span import HTTP, dependency

if TYPE_CHECKING:
    from stripe import AIOHTTPClient, StripeClient, StripeError, StripeObject

UNEXPECTED_STATE = "payment_intent_unexpected_state"

Fate = Literal["unconfirmed", "pending", "authorized", "declined", "captured", "voided"]

_FATES: dict[str, Fate] = {
    "requires_confirmation": "unconfirmed",
    "processing": "pending",
    "requires_action": "declined",
    "requires_capture": "authorized",
    "succeeded": "captured",
    "canceled": "voided",
}
"""Stripe's status → what became of the money. A card that wants its owner to act cannot be charged from here."""

MAX_REFUNDS = 100
"""Of one payment: as many as the provider lists at once."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What the provider knows of one order's money."""

    id: str
    fate: Fate
    decline_code: str = ""
    amount: Money | None = None
    """What the provider says it is about; `None` where it did not say."""


class Failure(msgspec.Struct):
    """Why a payment failed, as Stripe says it."""

    decline_code: str | None = None
    code: str | None = None


class Subject(msgspec.Struct):
    """The part of Stripe's PaymentIntent that is read, in answers and in webhooks."""

    id: str
    amount: Annotated[int, msgspec.Meta(ge=0, le=10**12)]
    currency: Annotated[str, msgspec.Meta(pattern=whole("[a-z]{3}"))]
    status: str = ""
    last_payment_error: Failure | None = None
    metadata: dict[str, Any] | None = None


class Refunded(msgspec.Struct):
    """The part of Stripe's Refund that is read."""

    id: str
    amount: Annotated[int, msgspec.Meta(ge=0, le=10**12)]
    currency: Annotated[str, msgspec.Meta(pattern=whole("[a-z]{3}"))]
    status: str = "succeeded"
    metadata: dict[str, Any] | None = None

    @property
    def refund_id(self) -> str:
        """Which of our refunds it is; empty for one that was made at the provider."""
        given = (self.metadata or {}).get("refund_id", "")
        return given if isinstance(given, str) else ""


class _Refunds(msgspec.Struct):
    data: list[Refunded]


async def create(order_id: str, amount: Money) -> Intent:
    """A new intent for the order, holding nothing yet. Repeating it gives the same one.

    Where the provider will have no such payment (an amount too small, say), the intent has no id and is `declined`.
    """
    return await _or_declined(
        "",
        _ask(
            "create",
            lambda client: client.v1.payment_intents.create_async(
                {
                    "amount": amount.amount,
                    "currency": amount.currency.lower(),
                    "capture_method": "manual",
                    "allowed_payment_method_types": ["card"],
                    "metadata": {"order_id": order_id},
                },
                {"idempotency_key": f"{order_id}:create"},
            ),
        ),
    )


async def confirm(order_id: str, intent_id: str, payment_method: str) -> Intent:
    """Hold the money. A refusal is an answer (`declined`, `void`), not an error."""
    return await _or_declined(
        intent_id,
        _ask(
            "confirm",
            lambda client: client.v1.payment_intents.confirm_async(
                intent_id, {"payment_method": payment_method}, {"idempotency_key": f"{order_id}:confirm"}
            ),
        ),
    )


async def retrieve(intent_id: str) -> Intent:
    """What became of the intent, by the provider's own word. Raises Rejected if it knows no such intent."""
    return await _settled("retrieve", intent_id, lambda client: client.v1.payment_intents.retrieve_async(intent_id))


async def capture(order_id: str, intent_id: str) -> Intent:
    """Take the held money, once."""
    return await _settled(
        "capture",
        intent_id,
        lambda client: client.v1.payment_intents.capture_async(
            intent_id, {}, {"idempotency_key": f"{order_id}:capture"}
        ),
    )


async def void(order_id: str, intent_id: str) -> Intent:
    """Give up the hold, or make sure that there will be none."""
    return await _settled(
        "void",
        intent_id,
        lambda client: client.v1.payment_intents.cancel_async(intent_id, {}, {"idempotency_key": f"{order_id}:void"}),
    )


async def refund(order_id: str, intent_id: str, amount: Money, refund_id: str) -> None:
    """Pay back so much of what was taken, once for each `refund_id`. Raises Rejected if the provider will not."""
    import stripe

    try:
        await _answer(
            "refund",
            lambda client: client.v1.refunds.create_async(
                {
                    "payment_intent": intent_id,
                    "amount": amount.amount,
                    "metadata": {"order_id": order_id, "refund_id": refund_id},
                },
                {"idempotency_key": f"{order_id}:refund:{refund_id}"},
            ),
        )
    except stripe.StripeError as exc:
        raise _refused(exc) from exc


async def refunds(intent_id: str) -> list[Refunded]:
    """What was paid back of the intent, by the provider's own word, at most a hundred times."""
    import stripe

    try:
        answer = await _answer(
            "refunds",
            lambda client: client.v1.refunds.list_async({"payment_intent": intent_id, "limit": MAX_REFUNDS}),
        )
        return msgspec.convert(answer, _Refunds).data
    except stripe.StripeError as exc:
        raise _refused(exc) from exc
    except msgspec.ValidationError as exc:
        raise Transient("the payment provider's answer is not understood") from exc


async def order_of(intent_id: str) -> str | None:
    """The order that an intent belongs to; `None` where it is not one of ours."""
    import stripe

    try:
        answer = await _answer("retrieve", lambda client: client.v1.payment_intents.retrieve_async(intent_id))
    except stripe.StripeError as exc:
        raise _refused(exc) from exc
    return order_id_of(msgspec.convert(answer, Subject).metadata)


async def close() -> None:
    """Give the connections back; the next call makes new ones."""
    if _transport.cache_info().currsize:
        await _transport().close_async()  # type: ignore[no-untyped-call]  # untyped in the package
    _transport.cache_clear()
    _client.cache_clear()


@cache
def _transport() -> AIOHTTPClient:
    import stripe

    return stripe.AIOHTTPClient(timeout=settings().seconds(STRIPE_TIMEOUT_SECONDS))


@cache
def _client() -> StripeClient:
    import stripe

    logging.getLogger("stripe").setLevel(logging.WARNING)  # at INFO it logs the parameters of every request
    return stripe.StripeClient(
        settings().text(STRIPE_API_KEY),
        base_addresses={"api": settings().text(STRIPE_API_BASE)},
        http_client=_transport(),
        max_network_retries=0,
    )


async def _answer(name: str, call: Callable[[StripeClient], Awaitable[StripeObject]]) -> dict[str, Any]:
    """Translates what may pass; what is wrong with the request itself is the caller's to judge."""
    import stripe

    crash_point("provider.before", name)
    try:
        with dependency(HTTP, f"stripe {name}", settings().text(STRIPE_API_BASE).partition("://")[2]):
            return (await call(_client())).to_dict()
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError, TimeoutError) as exc:
        raise Transient("the payment provider does not answer at present") from exc
    except (stripe.AuthenticationError, stripe.PermissionError) as exc:
        raise Transient("the payment provider does not accept this service's key") from exc
    except stripe.StripeError as exc:
        if exc.http_status == 409:
            raise Transient("the payment provider is still busy with the same request") from exc
        raise
    finally:
        crash_point("provider.after", name)


async def _ask(name: str, call: Callable[[StripeClient], Awaitable[StripeObject]]) -> Intent:
    return _intent(await _answer(name, call))


async def _or_declined(intent_id: str, answer: Awaitable[Intent]) -> Intent:
    import stripe

    try:
        return await answer
    except stripe.CardError as exc:
        body: Any = exc.json_body or {}
        return Intent(intent_id, "declined", code_of(msgspec.convert(body.get("error", {}), Failure)))
    except stripe.InvalidRequestError as exc:
        if exc.code == UNEXPECTED_STATE:
            return await retrieve(intent_id)
        return Intent(intent_id, "declined", exc.code or "invalid_request")


async def _settled(name: str, intent_id: str, call: Callable[[StripeClient], Awaitable[StripeObject]]) -> Intent:
    import stripe

    try:
        return await _ask(name, call)
    except stripe.StripeError as exc:
        if exc.code != UNEXPECTED_STATE:
            raise _refused(exc) from exc
        return await retrieve(intent_id)


def order_id_of(metadata: dict[str, Any] | None) -> str | None:
    """The order that something at the provider is about; `None` where it is not one of ours."""
    order_id = (metadata or {}).get("order_id", "")
    return order_id if isinstance(order_id, str) and ORDER_ID.fullmatch(order_id) else None


def _refused(error: StripeError) -> Rejected:
    """A request that the provider will never carry out. Its own words may repeat what was sent."""
    return Rejected(f"the payment provider refuses ({error.code or type(error).__name__})", code="provider-refused")


def _intent(answer: Mapping[str, Any]) -> Intent:
    """Raises Transient for an answer of another shape, or a status that nobody knows yet: it decides nothing."""
    try:
        found = msgspec.convert(answer, Subject)
        amount = Money(found.amount, found.currency.upper())
    except msgspec.ValidationError as exc:
        raise Transient("the payment provider gave an answer of another shape") from exc
    code = code_of(found.last_payment_error)
    if found.status == "requires_payment_method":
        return Intent(found.id, "declined" if code else "unconfirmed", code, amount)
    if found.status == "requires_action":
        code = "authentication_required"
    fate = _FATES.get(found.status)
    if fate is None:
        raise Transient("the payment provider gave a status that is not known here")
    return Intent(found.id, fate, code, amount)


def code_of(error: Failure | None) -> str:
    return "" if error is None else error.decline_code or error.code or "card_declined"
