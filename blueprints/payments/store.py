"""Payments in Cosmos DB: `payments` by /order_id, each with its outbox beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from blueprints.payments.declaration import SERVICE
from blueprints.payments.domain import Payment, Status
from shared.acting import record_act
from shared.contracts.event import EventData
from shared.money import Money
from shared.persistence.cosmos import Container, create, patch
from shared.persistence.documents import document_of, read_as
from shared.persistence.outbox import enqueue_event
from shared.telemetry import trace

PAYMENTS = Container.of(SERVICE, "payments")


async def get(order_id: str) -> Payment | None:
    document = await PAYMENTS.read(order_id, order_id)
    return None if document is None else read_as(PAYMENTS, document, Payment)


async def get_many(order_ids: Sequence[str]) -> list[Payment]:
    """Those of the payments that exist, in the order of their orders."""
    found = {document["id"]: document for document in await PAYMENTS.read_many(order_ids)}
    return [read_as(PAYMENTS, found[order_id], Payment) for order_id in order_ids if order_id in found]


async def add(payment: Payment, event: EventData | None = None) -> None:
    """Write a new payment, and the event that tells of it, if anyone is to hear. Raises AlreadyExists."""
    order_id = payment.order_id
    payment = replace(payment, traceparent=trace.current().traceparent)
    document = document_of(payment, id=order_id, kind="payment")
    outbox = [] if event is None else [enqueue_event(PAYMENTS, order_id, event, version=payment.version)]
    await PAYMENTS.batch(order_id, [create(document), *outbox])


async def advance(payment: Payment, status: Status, event: EventData, decline_code: str | None = None) -> None:
    """Write one transition and its event. Raises ConditionFailed if the payment has changed since it was read."""
    order_id, version = payment.order_id, payment.version + 1
    document_of(replace(payment, status=status, version=version, decline_code=decline_code))
    changes: list[dict[str, Any]] = [
        {"op": "set", "path": "/status", "value": status},
        {"op": "set", "path": "/version", "value": version},
    ]
    if decline_code is not None:
        changes.append({"op": "set", "path": "/decline_code", "value": decline_code})
    unchanged = f"from c where c.version = {payment.version}"
    await PAYMENTS.batch(
        order_id, [patch(order_id, changes, unchanged), enqueue_event(PAYMENTS, order_id, event, version=version)]
    )


async def keep(payment: Payment, event: EventData | None) -> None:
    """Write what became of the payment's refunds and disputes, and the event that tells of it, if anyone is to hear.

    Where a person decides a refund, that is recorded. Raises ConditionFailed if the payment has changed since it
    was read, one version ago.
    """
    order_id, document = payment.order_id, document_of(payment)
    names = ("status", "version", "refunds", "disputes", "pending")
    changes = [{"op": "set", "path": f"/{name}", "value": document[name]} for name in names]
    outbox = [] if event is None else [enqueue_event(PAYMENTS, order_id, event, version=payment.version)]
    unchanged = f"from c where c.version = {payment.version - 1}"
    refunds = {refund.id: str(refund.amount) for refund in payment.refunds.values()}
    act = record_act(PAYMENTS, order_id, order_id, {}, {"refunds": refunds}, payment.version)
    await PAYMENTS.batch(order_id, [patch(order_id, changes, unchanged), *outbox, *act])


async def describe(payment: Payment, customer_id: str, amount: Money) -> None:
    """Say whose payment it is, and of how much, where a cancellation came before anything was known of it."""
    order_id = payment.order_id
    described = document_of(replace(payment, customer_id=customer_id, amount=amount))
    changes = [{"op": "set", "path": f"/{name}", "value": described[name]} for name in ("customer_id", "amount")]
    await PAYMENTS.patch(order_id, order_id, changes)
