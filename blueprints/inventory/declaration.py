"""What inventory is: its containers, the events it publishes, and those it hears."""

from __future__ import annotations

from shared.contracts.inventory import StockRejected, StockReleased, StockReserved
from shared.contracts.orders import OrderCancelled, OrderConfirmed, OrderPlaced
from shared.declaration import Container, Service

SERVICE = Service(
    "inventory",
    containers=(
        Container("stock", "shelf"),
        Container("reservations", "order_id", indexed=("kind", "status"), expires=True, outbox=True),
    ),
    publishes=(StockReserved, StockRejected, StockReleased),
    hears={"orders": (OrderPlaced, OrderConfirmed, OrderCancelled)},
)
