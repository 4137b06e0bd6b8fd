"""What orders is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared import recovery
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
from shared.declaration import Container, Scope, Service, crash_points
from shared.settings import RECONCILIATION, Setting

ORDER_DEADLINE_SECONDS = Setting(
    "ORDER_DEADLINE_SECONDS",
    "How long a placed order waits for stock and payment before it is cancelled as timed_out.",
    str(recovery.ORDER_DEADLINE_SECONDS),
)
PRODUCT_CACHE_SECONDS = Setting(
    "PRODUCT_CACHE_SECONDS", "How long orders trusts a price it has read from its own product copy.", "5"
)
SAGA = "orders/saga.py"

SERVICE = Service(
    "orders",
    "What a shopper has bought, and what became of it.",
    containers=(
        Container("orders", "order_id", indexed=("kind", "status"), expires=True, outbox=True),
        Container("answers", "order_id", expires=True, writes=("create",)),
        Container("orders-by-customer", "customer_id", indexed=("sort_key",), writes=("create",)),
        Container("products", "sku", writes=("create", "patch")),
        Container("carts", "cart_id", expires=True, writes=("create", "patch")),
    ),
    publishes=(OrderPlaced, OrderConfirmed, OrderCancelled),
    hears={
        "catalog": (ProductChanged,),
        "carts": (CartChanged,),
        "inventory": (StockReserved, StockRejected, StockReleased),
        "payments": (PaymentAuthorized, PaymentDeclined, PaymentCaptured, PaymentVoided, PaymentRefunded),
    },
    scopes=(Scope("orders.read", "Read your orders"), Scope("orders.write", "Place and cancel orders")),
    settings=(ORDER_DEADLINE_SECONDS, PRODUCT_CACHE_SECONDS, *RECONCILIATION),
    durable=True,
    crash_points=(
        *crash_points("saga.start.after", SAGA, "one saga an order, started before anyone can answer"),
        *crash_points(
            "saga.tell",
            SAGA,
            "an answer that was written down reaches the saga, and reaching it twice does no harm",
            ("before", "after"),
            ("stock", "payment", "cancelled"),
        ),
        *crash_points("saga.step", SAGA, "a saga goes on from its history", ("stock", "payment", "cancelled")),
        *crash_points(
            "saga.decided", SAGA, "a decision that was not carried out yet is the same again", ("confirm", "cancel")
        ),
        *crash_points("saga.settled", SAGA, "a decision that was carried out is carried out once"),
    ),
)
