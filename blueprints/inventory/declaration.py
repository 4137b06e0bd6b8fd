"""What inventory is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared.contracts.audit import ActRecorded
from shared.contracts.inventory import StockRejected, StockReleased, StockReserved
from shared.contracts.orders import (
    OrderApprovalRequested,
    OrderAuthorized,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    ReturnReceived,
)
from shared.declaration import STAFF, Container, Scope, Service
from shared.settings import RECONCILIATION

SERVICE = Service(
    "inventory",
    "How many pieces there are. For staff.",
    containers=(
        Container("stock", "shelf", indexed=("kind",), expires=True, writes=("batch", "patch")),
        Container(
            "reservations", "order_id", indexed=("kind", "status"), expires=True, outbox=True, writes=("batch", "patch")
        ),
    ),
    publishes=(StockReserved, StockRejected, StockReleased, ActRecorded),
    hears={
        "orders": (
            *(OrderPlaced, OrderAuthorized, OrderApprovalRequested, OrderConfirmed, OrderCancelled),
            ReturnReceived,
        )
    },
    scopes=(Scope("stock.read", "Read stock", STAFF), Scope("stock.write", "Count stock", STAFF)),
    settings=RECONCILIATION,
)
