"""What orders is: its containers, the events it publishes, and those it hears."""

from __future__ import annotations

from shared.contracts.carts import CartChanged
from shared.contracts.catalog import ProductChanged
from shared.contracts.inventory import StockRejected, StockReleased, StockReserved
from shared.contracts.orders import OrderCancelled, OrderConfirmed, OrderPlaced
from shared.contracts.payments import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
)
from shared.declaration import Container, Service

SERVICE = Service(
    "orders",
    containers=(
        Container("orders", "order_id", indexed=("kind", "status"), expires=True, outbox=True),
        Container("answers", "order_id", expires=True),
        Container("orders-by-customer", "customer_id", indexed=("sort_key",)),
        Container("products", "sku"),
        Container("carts", "cart_id", expires=True),
    ),
    publishes=(OrderPlaced, OrderConfirmed, OrderCancelled),
    hears={
        "catalog": (ProductChanged,),
        "carts": (CartChanged,),
        "inventory": (StockReserved, StockRejected, StockReleased),
        "payments": (PaymentAuthorized, PaymentDeclined, PaymentCaptured, PaymentVoided, PaymentRefunded),
    },
)
