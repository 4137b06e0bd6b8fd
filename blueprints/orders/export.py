"""What orders tells of a customer who wants to see what is held of them: orders and returns, as the API shows them.

Payments and shipping know orders, and no customers: that a customer's orders can be found costs them nothing
otherwise. So the list of these goes out beside the answer, and they answer when they hear it.
"""

from __future__ import annotations

from blueprints.orders import return_service, return_store, store
from blueprints.orders.domain import Order
from blueprints.orders.shapes import view
from shared import data_export
from shared.contracts.accounts import ExportStarted
from shared.contracts.event import Event
from shared.contracts.personal_data import ExportListed


async def export(event: Event, started: ExportStarted) -> None:
    """Tell which orders the customer has, and what they hold."""
    orders = await _newest(started.account_id)
    returns = [
        return_service.view(case)
        for order in orders
        if order.status == "delivered"
        for case in await return_store.of_order(order.id)
    ]
    held = data_export.held(orders=list(map(view, orders)), returns=returns)
    listed = ExportListed(
        export_id=started.export_id,
        account_id=started.account_id,
        key=started.key,
        orders=[order.id for order in orders[: data_export.MAX_ITEMS]],
    )
    await data_export.answer(store.ORDERS, started, held, also=(listed,))


async def _newest(customer_id: str) -> list[Order]:
    """The customer's orders, the newest first, one more than are told: also those that are in no list yet."""
    found = await store.list_by_customer(customer_id, None, data_export.MAX_ITEMS + 1)
    known, _ = await store.get_customer(customer_id)
    orders = {order.id: order for _, order in found}
    orders |= await store.get_many(order_id for order_id in known.open if order_id not in orders)
    return sorted(orders.values(), key=lambda order: (order.placed_at, order.id), reverse=True)
