"""What the others are told of an order: the event of each of its moves."""

from __future__ import annotations

from blueprints.orders.domain import Order
from shared.contracts.event import EventData
from shared.contracts.orders import Line, OrderApprovalRequested, OrderCancelled, OrderConfirmed, OrderPlaced


def placed(order: Order, payment_method: str) -> OrderPlaced:
    return OrderPlaced(
        order_id=order.id,
        customer_id=order.customer_id,
        lines=lines_of(order),
        total=order.total,
        payment_method=payment_method,
        money_first=not order.stock_asked,
    )


def lines_of(order: Order) -> list[Line]:
    return [Line(line.sku, line.quantity) for line in order.lines]


def of_move(order: Order) -> EventData | None:
    """What the others are told of the order's last move; of shipments, shipping has told it."""
    if order.status == "awaiting_approval":
        assert order.approval is not None and order.approval.until is not None, "it waits until then"
        return OrderApprovalRequested(order_id=order.id, until=order.approval.until)
    if order.status == "confirmed":
        return OrderConfirmed(
            order_id=order.id,
            total=order.total,
            customer_id=order.customer_id,
            lines=lines_of(order),
            approved=order.approval is not None,
        )
    if order.status != "cancelled":
        return None
    assert order.reason is not None, "an order is never cancelled without a reason"
    return OrderCancelled(order_id=order.id, reason=order.reason, customer_id=order.customer_id)
