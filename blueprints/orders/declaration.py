"""What orders is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared import recovery
from shared.contracts.accounts import ErasureRequested, ErasureStarted, ExportStarted
from shared.contracts.audit import ActRecorded
from shared.contracts.carts import CartChanged
from shared.contracts.catalog import ProductChanged
from shared.contracts.inventory import StockRejected, StockReleased, StockReserved
from shared.contracts.orders import (
    OrderApprovalRequested,
    OrderAuthorized,
    OrderCancellationRequested,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    ReturnApproved,
    ReturnExpired,
    ReturnOverdue,
    ReturnReceived,
    ReturnRefunded,
    ReturnRefused,
    ReturnRequested,
)
from shared.contracts.payments import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentVoided,
)
from shared.contracts.personal_data import ErasureAnswered, ErasureRefused, ExportAnswered, ExportListed
from shared.contracts.shipping import (
    ShipmentDelayed,
    ShipmentDelivered,
    ShipmentFailed,
    ShipmentShipped,
    ShipmentStopped,
)
from shared.declaration import STAFF, Container, Holding, Scope, Service, crash_points
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
ORDER_LINES_PER_MINUTE = Setting(
    "ORDER_LINES_PER_MINUTE",
    "How many order lines a customer may order a minute, in the long run; 1,000 at once are always allowed.",
    "600",
)
ORDER_MOST_OPEN = Setting("ORDER_MOST_OPEN", "How many orders of one customer may be under way at a time.", "20")
ORDER_DECLINES_PER_HOUR = Setting(
    "ORDER_DECLINES_PER_HOUR", "How many orders of one customer may be declined by the payment provider an hour.", "10"
)
ORDER_PARTNER_FACTOR = Setting(
    "ORDER_PARTNER_FACTOR", "How many customers a partner counts as in these three: it orders for its own.", "50"
)
ORDER_CREDIT = Setting(
    "ORDER_CREDIT",
    "Worth of the goods, in minor units, that are held for any customer before the money is, beyond what that customer "
    "has paid so far.",
    "0",
)
APPROVAL_RULES = Setting(
    "APPROVAL_RULES",
    "Which orders wait for a person: a table of rules in JSON, as docs/operations.md has it. None by default.",
    "[]",
)
APPROVAL_SECONDS = Setting(
    "APPROVAL_SECONDS",
    "How long such an order waits for that person before it is cancelled as not_approved; six days after it was placed "
    "at the latest, while its money is surely held.",
    str(24 * 3600),
)
RETURN_AUTO_LIMIT = Setting(
    "RETURN_AUTO_LIMIT", "Worth of a return, in minor units, up to which it approves itself.", "5000"
)

SERVICE = Service(
    "orders",
    "What a shopper has bought, and what became of it.",
    containers=(
        Container(
            "orders", "order_id", indexed=("kind", "status"), expires=True, outbox=True, writes=("batch", "patch")
        ),
        Container("answers", "order_id", expires=True, writes=("create",)),
        Container("orders-by-customer", "customer_id", indexed=("sort_key", "skus/[]"), writes=("create",)),
        Container("customers", "customer_id"),
        Container("products", "sku", writes=("create", "patch")),
        Container("carts", "cart_id", expires=True, writes=("create", "patch")),
    ),
    publishes=(
        *(OrderPlaced, OrderAuthorized, OrderApprovalRequested, OrderConfirmed),
        *(OrderCancellationRequested, OrderCancelled, ActRecorded),
        *(ReturnRequested, ReturnApproved, ReturnRefused, ReturnOverdue, ReturnExpired, ReturnReceived, ReturnRefunded),
        *(ErasureRefused, ErasureAnswered, ExportListed, ExportAnswered),
    ),
    hears={
        "catalog": (ProductChanged,),
        "carts": (CartChanged,),
        "inventory": (StockReserved, StockRejected, StockReleased),
        "payments": (
            *(PaymentAuthorized, PaymentDeclined, PaymentCaptured, PaymentVoided),
            *(PaymentRefunded, PaymentRefundFailed, PaymentDisputed, PaymentDisputeClosed),
        ),
        "shipping": (ShipmentShipped, ShipmentDelivered, ShipmentDelayed, ShipmentFailed, ShipmentStopped),
        "accounts": (ErasureRequested, ErasureStarted, ExportStarted),
    },
    scopes=(
        Scope("orders.read", "Read your orders"),
        Scope("orders.write", "Place and cancel orders"),
        Scope("orders.approve", "Decide orders that wait for a person", STAFF),
        Scope("orders.find", "Find the orders of others", STAFF),
        Scope("returns.write", "Ask to send back what was delivered"),
        Scope("returns.decide", "Decide returns, and count what comes back", STAFF),
    ),
    settings=(
        ORDER_DEADLINE_SECONDS,
        PRODUCT_CACHE_SECONDS,
        ORDER_LINES_PER_MINUTE,
        ORDER_MOST_OPEN,
        ORDER_DECLINES_PER_HOUR,
        ORDER_PARTNER_FACTOR,
        ORDER_CREDIT,
        APPROVAL_RULES,
        APPROVAL_SECONDS,
        RETURN_AUTO_LIMIT,
        *RECONCILIATION,
    ),
    durable=True,
    holds=(
        Holding("names and addresses that orders went to", "redacted", "the country stays: taxes are counted by it"),
        Holding("fingerprints of the last twenty ways to pay, where a rule of approval counts them", "erased"),
        Holding(
            "what was ordered and what it cost, by the account's id",
            "kept",
            "books are kept for ten years by commercial and tax law; they name nobody",
        ),
    ),
    crash_points=(
        *crash_points("saga.start.after", SAGA, "one saga an order, started before anyone can answer"),
        *crash_points(
            "saga.tell",
            SAGA,
            "an answer that was written down reaches the saga, and reaching it twice does no harm",
            ("before", "after"),
            ("stock", "payment", "cancelled", "approved"),
        ),
        *crash_points("saga.step", SAGA, "a saga goes on from its history", ("stock", "payment", "cancelled")),
        *crash_points(
            "approval.step",
            "orders/approval_saga.py",
            "a decision that was written down is carried out, however its saga hears of it",
            ("approved", "cancelled", "time"),
        ),
        *crash_points(
            "saga.decided", SAGA, "a decision that was not carried out yet is the same again", ("confirm", "cancel")
        ),
        *crash_points("saga.settled", SAGA, "a decision that was carried out is carried out once"),
        *crash_points("return.start.after", "orders/return_saga.py", "one saga a return"),
        *crash_points(
            "return.wake",
            "orders/return_saga.py",
            "a return that has changed goes on from what is written down",
            ("before", "after"),
        ),
    ),
)
