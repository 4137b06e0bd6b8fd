"""Returns in Cosmos DB: they lie in `orders`, in the partition of their order, with its outbox.

Every batch moves the order's version, from the one it was read at: so what happens to an order and to its returns is in
one order, and two returns of the same pieces exclude each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blueprints.orders.domain import Order
from blueprints.orders.returns import Return
from blueprints.orders.store import ORDERS
from shared.acting import record_act
from shared.contracts.event import EventData
from shared.persistence.cosmos import Operation, create, patch, replace
from shared.persistence.documents import document_of, read_as
from shared.persistence.outbox import enqueue_event


@dataclass(frozen=True)
class ReadReturn:
    """A return as it was read, and at which ETag."""

    case: Return
    etag: str


async def get(order_id: str, return_id: str) -> ReadReturn | None:
    document = await ORDERS.read(return_id, order_id)
    return None if document is None else ReadReturn(read_as(ORDERS, document, Return), document["_etag"])


async def of_order(order_id: str) -> list[Return]:
    """The order's returns, the first one first."""
    query = "SELECT * FROM c WHERE c.kind = 'return'"
    found = [read_as(ORDERS, document, Return) async for document in ORDERS.query(query, {}, key=order_id)]
    return sorted(found, key=lambda case: (case.history[0].at, case.id))


async def add(order: Order, case: Return, event: EventData) -> None:
    """Write a new return. Raises ConditionFailed where the order has moved since it was read, or AlreadyExists."""
    await _write(order, create(_item(case)), event, case.id, {}, {"status": case.status})


async def advance(order: Order, read: ReadReturn, after: Return, event: EventData) -> None:
    """Write one move. Raises ConditionFailed."""
    before, now = {"status": read.case.status}, {"status": after.status}
    await _write(order, replace(_item(after), read.etag), event, after.id, before, now)


async def _write(
    order: Order,
    operation: Operation,
    event: EventData,
    return_id: str,
    before: Mapping[str, str],
    after: Mapping[str, str],
) -> None:
    version = order.version + 1
    moved = patch(
        order.id, [{"op": "set", "path": "/version", "value": version}], f"from c where c.version = {order.version}"
    )
    act = record_act(ORDERS, order.id, return_id, before, after, version)
    await ORDERS.batch(order.id, [operation, moved, enqueue_event(ORDERS, order.id, event, version=version), *act])


def _item(case: Return) -> dict[str, Any]:
    return document_of(case, kind="return")
