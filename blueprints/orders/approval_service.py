"""What can be done about orders that wait for a person: list them, decide one, and decide for time."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from blueprints.orders import store
from blueprints.orders.declaration import APPROVAL_SECONDS
from blueprints.orders.domain import Approval, Command, Order, Status
from blueprints.orders.service import existing, in_trace_of, settle
from blueprints.orders.shapes import OrderView, WaitingOrder, view
from shared.acting import because
from shared.clock import parse_timestamp, utc_now
from shared.contracts.orders import CancelReason
from shared.errors import Conflict, Forbidden
from shared.messaging.republish import each_apart, unfinished
from shared.operating import Source, oldest
from shared.persistence.documents import readable
from shared.settings import RECONCILE_AFTER_SECONDS, settings
from shared.telemetry.log import Log
from shared.web.auth import Principal
from shared.web.paging import Page

Decision = Literal["approve", "refuse"]
COMMANDS: dict[Decision, tuple[Command, CancelReason | None]] = {
    "approve": ("approve", None),
    "refuse": ("refuse", "not_approved"),
}
WAITING = Source(store.ORDERS, "c.kind = 'order' AND c.status = 'awaiting_approval'")

log = Log("orders")


async def list_waiting(cursor: str | None, limit: int) -> Page[WaitingOrder]:
    """The orders that wait, those first that have waited for the longest time. Raises InvalidRequest, Transient."""
    found, following = await oldest([WAITING], cursor, "approvals", limit)
    orders = readable(store.ORDERS, (document for _, document in found), Order)
    return Page(items=list(map(_waiting, orders)), next_cursor=following)


async def decide(caller: Principal, order_id: str, decision: Decision, why: str) -> OrderView:
    """A person decides. The same decision again has the same answer.

    Raises NotFound; Forbidden for one's own order; Conflict for another decision, one that comes too late, and an order
    that does not wait.
    """
    order = await existing(order_id)
    if order.customer_id == caller.subject:
        raise Forbidden("somebody else decides about your own order", code="own-order")
    if order.approval is not None and order.status == "awaiting_approval":
        if is_over(order):
            raise Conflict("the time to decide is over; the order is about to be cancelled", code="approval-too-late")
        with in_trace_of(order, "orders_decide_approval"), because(why):
            decided = replace(order.approval, decided_by="staff")
            order = await settle(order_id, *COMMANDS[decision], order=order, approval=decided)
    _expect(order, decision)
    return view(order, to_staff=True)


def is_over(order: Order) -> bool:
    """Whether it is time's to decide."""
    until = order.approval.until if order.approval is not None else None
    return until is not None and utc_now() >= parse_timestamp(until)


async def time_out(order_id: str, by: Literal["staff", "time"] = "time") -> Order:
    """Nobody has approved of it: cancel an order that waits. The order as it now is; raises NotFound."""
    order = await existing(order_id)
    approval = replace(order.approval or Approval(()), decided_by=by)
    return await settle(order_id, *COMMANDS["refuse"], order=order, approval=approval)


async def stands(order_id: str) -> tuple[Status, str | None]:
    """The order's status, and until when it waits for a person. Raises NotFound."""
    order = await existing(order_id)
    return order.status, order.approval.until if order.approval is not None else None


async def reconcile() -> None:
    """Orders that wait long after their time, because no saga follows them: decide for time."""
    patience = settings().seconds(APPROVAL_SECONDS) + settings().seconds(RECONCILE_AFTER_SECONDS)

    async def one(order_id: str) -> None:
        order = await existing(order_id)
        if is_over(order):
            with in_trace_of(order, "orders_reconcile"):
                order = await time_out(order_id)
                log.warning("order.reconciled", order_id=order_id, status=order.status)

    await each_apart(store.ORDERS, await unfinished(store.ORDERS, "order", "awaiting_approval", patience), one)


def _expect(order: Order, decision: Decision) -> None:
    """Raises Conflict unless a person has decided the order like that."""
    if order.approval is None or order.approval.until is None or order.approval.decided_by is None:
        raise Conflict(f"the order waits for nobody's decision: it is {order.status}", code="order-not-waiting")
    if order.approval.decided_by == "time":
        raise Conflict("the time to decide is over: the order is cancelled", code="approval-too-late")
    approved = any(entry.status == "confirmed" for entry in order.history)
    if approved != (decision == "approve"):
        raise Conflict(f"the order has been {'approved' if approved else 'refused'}", code="approval-decided")


def _waiting(order: Order) -> WaitingOrder:
    assert order.approval is not None and order.approval.until is not None, "what waits was marked"
    return WaitingOrder(
        order.id,
        order.customer_id,
        order.total,
        order.shipping_address.country,
        order.placed_at,
        order.approval.rules,
        order.approval.until,
    )
