"""What payments is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared.contracts.accounts import ErasureStarted
from shared.contracts.audit import ActRecorded
from shared.contracts.orders import OrderApprovalRequested, OrderCancelled, OrderConfirmed, OrderPlaced, ReturnReceived
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
from shared.contracts.personal_data import ErasureAnswered, ExportAnswered, ExportListed
from shared.declaration import STAFF, Container, Holding, Scope, Service, crash_points
from shared.settings import RECONCILIATION, Setting

STRIPE_API_KEY = Setting("STRIPE_API_KEY", "Secret key of the payment provider.", local="sk_test_local", secret=True)
STRIPE_API_BASE = Setting(
    "STRIPE_API_BASE",
    "Base address of the payment provider's API.",
    "https://api.stripe.com",
    local="http://localhost:12111",
)
STRIPE_WEBHOOK_SECRET = Setting(
    "STRIPE_WEBHOOK_SECRET", "Signing secret of the provider's webhook endpoint.", local="whsec_local", secret=True
)
STRIPE_TIMEOUT_SECONDS = Setting(
    "STRIPE_TIMEOUT_SECONDS", "How long to wait for one answer of the payment provider.", "10"
)

SERVICE = Service(
    "payments",
    "How an order is paid.",
    containers=(
        Container(
            "payments",
            "order_id",
            indexed=("kind", "status", "pending"),
            expires=True,
            outbox=True,
            writes=("batch", "patch"),
        ),
    ),
    publishes=(
        *(PaymentAuthorized, PaymentDeclined, PaymentCaptured, PaymentVoided),
        *(PaymentRefunded, PaymentRefundFailed, PaymentDisputed, PaymentDisputeClosed, ActRecorded),
        *(ErasureAnswered, ExportAnswered),
    ),
    hears={
        "orders": (
            *(OrderPlaced, OrderApprovalRequested, OrderConfirmed, OrderCancelled),
            *(ReturnReceived, ExportListed),
        ),
        "accounts": (ErasureStarted,),
    },
    holds=(
        Holding(
            "what was paid for which order, by the account's id",
            "kept",
            "records of payments are kept for ten years by tax law; they name nobody, and cards are the provider's",
        ),
    ),
    scopes=(
        Scope("payments.read", "Read how your orders were paid"),
        Scope("payments.refund", "Pay back what was paid for orders", STAFF),
    ),
    settings=(STRIPE_API_KEY, STRIPE_API_BASE, STRIPE_WEBHOOK_SECRET, STRIPE_TIMEOUT_SECONDS, *RECONCILIATION),
    crash_points=(
        *crash_points(
            "provider.before",
            "payments/provider.py",
            "a call that may or may not have been made is made, once",
            ("create", "confirm", "retrieve", "capture", "void", "refund", "refunds"),
        ),
        *crash_points(
            "provider.after",
            "payments/provider.py",
            "money that was moved without our knowing is found by asking the provider",
            ("create", "confirm", "retrieve", "capture", "void", "refund", "refunds"),
        ),
    ),
)
