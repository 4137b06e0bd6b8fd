"""The objects as the API shows them, field for field as the official client declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localazure.stripe.errors import DOCUMENTATION, ApiError
from localazure.stripe.model import Charge, Dispute, Event, Intent, PaymentMethod, Refund

API_VERSION = "2026-10-28.endive"
"""The version the `stripe` package 16.1 pins, and the shape of everything below."""


def payment_intent(intent: Intent) -> dict[str, Any]:
    automatic = None
    if intent.allow_redirects is not None:
        automatic = {"allow_redirects": intent.allow_redirects, "enabled": True}
    return {
        "id": intent.id,
        "object": "payment_intent",
        "allowed_payment_method_types": intent.allowed_types,
        "amount": intent.amount,
        "amount_capturable": intent.amount_capturable,
        "amount_received": intent.amount_received,
        "automatic_payment_methods": automatic,
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": intent.capture_method,
        "client_secret": intent.client_secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "customer": None,
        "description": intent.description,
        "last_payment_error": intent.last_payment_error,
        "latest_charge": intent.latest_charge,
        "livemode": False,
        "metadata": intent.metadata,
        "next_action": None,
        "payment_method": intent.payment_method.id if intent.payment_method else None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "setup_future_usage": None,
        "shipping": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": intent.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def payment_method(method: PaymentMethod, created: int) -> dict[str, Any]:
    return {
        "id": method.id,
        "object": "payment_method",
        "card": {"brand": method.card.brand, "last4": method.card.last4},
        "created": created,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def charge(charge: Charge) -> dict[str, Any]:
    card = charge.payment_method.card
    return {
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.amount_captured,
        "amount_refunded": charge.amount_refunded,
        "balance_transaction": None,
        "captured": charge.captured,
        "created": charge.created,
        "currency": charge.currency,
        "customer": None,
        "description": charge.description,
        "disputed": charge.disputed,
        "failure_code": "card_declined" if charge.declined else None,
        "failure_message": card.message,
        "livemode": False,
        "metadata": charge.metadata,
        "outcome": {
            "network_status": "declined_by_network" if charge.declined else "approved_by_network",
            "reason": card.decline_code,
            "type": "issuer_declined" if charge.declined else "authorized",
        },
        "paid": not charge.declined,
        "payment_intent": charge.payment_intent,
        "payment_method": charge.payment_method.id,
        "payment_method_details": {"card": {"brand": card.brand, "last4": card.last4}, "type": "card"},
        "refunded": bool(charge.amount_captured) and charge.amount_refunded == charge.amount_captured,
        "status": "failed" if charge.declined else "succeeded",
    }


def refund(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": None,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "metadata": refund.metadata,
        "payment_intent": refund.payment_intent,
        "reason": refund.reason,
        "receipt_number": None,
        "status": "succeeded",
    }


def dispute(dispute: Dispute) -> dict[str, Any]:
    return {
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transactions": [],
        "charge": dispute.charge,
        "created": dispute.created,
        "currency": dispute.currency,
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": dispute.payment_intent,
        "reason": "general",
        "status": dispute.status,
    }


def event(event: Event, pending: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"object": event.object}
    if event.changed:
        data["previous_attributes"] = event.changed
    return {
        "id": event.id,
        "object": "event",
        "api_version": API_VERSION,
        "created": event.created,
        "data": data,
        "livemode": False,
        "pending_webhooks": int(pending),
        "request": {"id": event.request, "idempotency_key": event.idempotency_key},
        "type": event.type,
    }


def listing(url: str, data: list[dict[str, Any]], has_more: bool) -> Mapping[str, Any]:
    return {"object": "list", "url": url, "has_more": has_more, "data": data}


def search_result(url: str, data: list[dict[str, Any]], next_page: str | None) -> Mapping[str, Any]:
    return {
        "object": "search_result",
        "url": url,
        "has_more": next_page is not None,
        "next_page": next_page,
        "data": data,
    }


def error(exc: ApiError) -> dict[str, Any]:
    body: dict[str, Any] = {"type": exc.type, "message": exc.message}
    if exc.code is not None:
        body["code"] = exc.code
        body["doc_url"] = f"{DOCUMENTATION}{exc.code.replace('_', '-')}"
    if exc.param is not None:
        body["param"] = exc.param
    if exc.intent is not None:
        body["payment_intent"] = payment_intent(exc.intent)
    return {"error": body | exc.details}
