"""What each call asks for: its parameters, read, checked and typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast

from localazure.stripe.currencies import check_amount, check_currency
from localazure.stripe.errors import InvalidRequest, UnsupportedFeature
from localazure.stripe.fields import Fields
from localazure.stripe.form import Parameters
from localazure.stripe.model import CARDS, CaptureMethod, Redirects

CancellationReason = Literal["abandoned", "duplicate", "fraudulent", "requested_by_customer"]
RefundReason = Literal["duplicate", "fraudulent", "requested_by_customer"]

# Parameters Stripe has and localazure has not.
_CREATE = frozenset(
    """amount_details amount_to_confirm application_fee_amount confirmation_token customer
    customer_account excluded_payment_method_types hooks mandate mandate_data off_session on_behalf_of
    payment_details payment_method_configuration payment_method_data payment_method_options radar_options
    receipt_email setup_future_usage shipping statement_descriptor statement_descriptor_suffix transfer_data
    transfer_group use_stripe_sdk""".split()
)
_CAPTURE = frozenset(
    """amount_details application_fee_amount hooks payment_details statement_descriptor
    statement_descriptor_suffix transfer_data""".split()
)
_REFUND = frozenset("currency customer instructions_email origin refund_application_fee reverse_transfer".split())
_LIST = frozenset(["customer", "customer_account", "delivery_success"])


@dataclass(frozen=True)
class Create:
    amount: int
    currency: str
    capture_method: CaptureMethod
    allowed_types: tuple[str, ...] | None
    allow_redirects: Redirects | None
    payment_method: str | None
    confirm: bool
    return_url: str | None
    metadata: dict[str, str]
    description: str | None


@dataclass(frozen=True)
class Confirm:
    payment_method: str | None = None
    capture_method: CaptureMethod | None = None
    return_url: str | None = None
    allowed_types: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Capture:
    amount_to_capture: int | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cancel:
    reason: str | None = None


@dataclass(frozen=True)
class CreateRefund:
    payment_intent: str | None
    charge: str | None
    amount: int | None
    reason: str | None
    metadata: dict[str, str]


@dataclass(frozen=True)
class Page:
    """Which part of a list: newest first, `limit` of them, after or before an object."""

    limit: int = 10
    starting_after: str | None = None
    ending_before: str | None = None
    created: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Search:
    query: str
    limit: int
    page: str | None


@dataclass(frozen=True)
class ListIntents:
    page: Page


@dataclass(frozen=True)
class ListRefunds:
    page: Page
    payment_intent: str | None
    charge: str | None


@dataclass(frozen=True)
class ListEvents:
    page: Page
    types: tuple[str, ...]


def create(parameters: Parameters) -> Create:
    fields = Fields(parameters, _CREATE)
    amount, currency = fields.integer("amount"), fields.text("currency")
    if amount is None:
        raise fields.missing("amount")
    if currency is None:
        raise fields.missing("currency")
    currency = check_currency(currency)
    allowed, redirects = _payment_method_types(fields)
    command = Create(
        amount=check_amount(amount, currency),
        currency=currency,
        capture_method=_capture_method(fields) or "automatic_async",
        allowed_types=allowed,
        allow_redirects=redirects,
        payment_method=_payment_method(fields),
        confirm=fields.boolean("confirm") or False,
        return_url=_return_url(fields),
        metadata=fields.metadata(),
        description=fields.text("description", longest=1000),
    )
    _no_customer_action(fields)
    fields.end()
    if command.return_url and not command.confirm:
        raise InvalidRequest("return_url may only be given together with confirm=true.", param="return_url")
    return command


def _payment_method_types(fields: Fields) -> tuple[tuple[str, ...] | None, Redirects | None]:
    """The types that are allowed, and whether one of them might redirect the shopper.

    Stripe offers what the Dashboard allows, redirects included, unless the request narrows it.
    """
    allowed, automatic = _allowed_types(fields), fields.nested("automatic_payment_methods")
    if automatic is None:
        return allowed, None if allowed else "always"
    enabled = automatic.boolean("enabled")
    redirects = automatic.choice("allow_redirects", Redirects) or "always"
    automatic.end()
    if enabled is None:
        raise automatic.missing("enabled")
    if allowed:
        raise InvalidRequest(
            "You may only specify one of these parameters: automatic_payment_methods, allowed_payment_method_types.",
            param="allowed_payment_method_types",
        )
    return None, cast(Redirects, redirects) if enabled else None


def _allowed_types(fields: Fields) -> tuple[str, ...] | None:
    if fields.texts("payment_method_types") is not None:
        raise InvalidRequest(
            "payment_method_types can no longer be given; use allowed_payment_method_types.",
            code="payment_method_types_no_longer_supported",
            param="payment_method_types",
        )
    allowed = fields.texts("allowed_payment_method_types")
    if allowed is not None and "card" not in allowed:
        raise UnsupportedFeature(f"the payment method types {', '.join(allowed)}", param="allowed_payment_method_types")
    return allowed


def _capture_method(fields: Fields) -> CaptureMethod | None:
    return cast(CaptureMethod | None, fields.choice("capture_method", CaptureMethod))


def _payment_method(fields: Fields) -> str | None:
    token = fields.text("payment_method")
    if token is not None and token not in CARDS:
        raise InvalidRequest(
            f"No such PaymentMethod: '{token}'. localazure has {', '.join(CARDS)}",
            code="resource_missing",
            param="payment_method",
        )
    return token


def _return_url(fields: Fields) -> str | None:
    url = fields.text("return_url")
    if url is not None and "://" not in url:
        raise InvalidRequest("Not a valid URL", code="url_invalid", param="return_url")
    return url


def _no_customer_action(fields: Fields) -> None:
    """Accepted because it changes nothing: no card here ever asks its holder to do something."""
    fields.boolean("error_on_requires_action")
    if fields.choice("confirmation_method", Literal["automatic", "manual"]) == "manual":
        raise UnsupportedFeature("confirmation_method=manual", param="confirmation_method")


def confirm(parameters: Parameters) -> Confirm:
    fields = Fields(parameters, _CREATE)
    command = Confirm(_payment_method(fields), _capture_method(fields), _return_url(fields), _allowed_types(fields))
    fields.boolean("error_on_requires_action")
    fields.end()
    return command


def capture(parameters: Parameters) -> Capture:
    fields = Fields(parameters, _CAPTURE)
    command = Capture(fields.integer("amount_to_capture"), fields.metadata())
    if fields.boolean("final_capture") is False:
        raise UnsupportedFeature("final_capture=false (multicapture)", param="final_capture")
    fields.end()
    if command.amount_to_capture is not None and command.amount_to_capture < 1:
        raise InvalidRequest("Invalid positive integer", code="parameter_invalid_integer", param="amount_to_capture")
    return command


def cancel(parameters: Parameters) -> Cancel:
    fields = Fields(parameters)
    command = Cancel(fields.choice("cancellation_reason", CancellationReason))
    fields.end()
    return command


def create_refund(parameters: Parameters) -> CreateRefund:
    fields = Fields(parameters, _REFUND)
    command = CreateRefund(
        payment_intent=fields.text("payment_intent"),
        charge=fields.text("charge"),
        amount=fields.integer("amount"),
        reason=fields.choice("reason", RefundReason),
        metadata=fields.metadata(),
    )
    fields.end()
    if (command.payment_intent is None) == (command.charge is None):
        raise InvalidRequest(
            "One of the following params should be provided for this request: payment_intent or charge."
        )
    if command.amount is not None and command.amount < 1:
        raise InvalidRequest("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    return command


def list_intents(parameters: Parameters) -> ListIntents:
    fields = Fields(parameters, _LIST)
    command = ListIntents(_page(fields))
    fields.end()
    return command


def list_refunds(parameters: Parameters) -> ListRefunds:
    fields = Fields(parameters)
    command = ListRefunds(_page(fields), fields.text("payment_intent"), fields.text("charge"))
    fields.end()
    return command


def list_events(parameters: Parameters) -> ListEvents:
    fields = Fields(parameters, _LIST)
    one, several = fields.text("type"), fields.texts("types")
    command = ListEvents(_page(fields), several or ((one,) if one else ()))
    fields.end()
    if one and several:
        raise InvalidRequest("You may only specify one of these parameters: type, types.", param="types")
    return command


def search(parameters: Parameters) -> Search:
    fields = Fields(parameters)
    query = fields.text("query")
    if query is None:
        raise fields.missing("query")
    command = Search(query, _limit(fields), fields.text("page"))
    fields.end()
    return command


def _page(fields: Fields) -> Page:
    result = Page(
        limit=_limit(fields),
        starting_after=fields.text("starting_after"),
        ending_before=fields.text("ending_before"),
        created=fields.moments("created"),
    )
    if result.starting_after and result.ending_before:
        raise InvalidRequest(
            "You may only specify one of these parameters: starting_after, ending_before.", param="ending_before"
        )
    return result


def _limit(fields: Fields) -> int:
    asked = fields.integer("limit")
    if asked is None:
        return 10
    if not 1 <= asked <= 100:
        raise InvalidRequest(
            f"Invalid limit: {asked}. It must be from 1 to 100.", code="parameter_invalid_integer", param="limit"
        )
    return asked
