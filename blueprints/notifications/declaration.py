"""What notifications is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared.contracts.accounts import (
    AccountChanged,
    ErasureDone,
    ErasureRequested,
    ErasureStarted,
    ErasureWithdrawn,
    ExportReady,
    ExportStarted,
)
from shared.contracts.audit import ActRecorded
from shared.contracts.orders import OrderCancelled, OrderConfirmed
from shared.contracts.personal_data import ErasureAnswered, ExportAnswered
from shared.declaration import Container, Holding, Scope, Service, crash_points
from shared.settings import CONTACT_KEY, RECONCILIATION, Setting

EMAIL_CONNECTION = Setting(
    "EMAIL_CONNECTION",
    "Connection string of the Azure Communication Services resource that sends e-mail. On Azure use "
    "EMAIL_CONNECTION__endpoint and the app's identity instead.",
    local="endpoint=http://localhost:8084/;accesskey=bG9jYWwtZW1haWwtYWNjZXNzLWtleQ==",
    resource="email",
    identity_part="endpoint",
)
EMAIL_SENDER = Setting(
    "EMAIL_SENDER",
    "Whose name stands on the shop's e-mail: an address of a domain that is linked to that resource.",
    local="shop@durable-commerce.local",
)
EMAIL_TIMEOUT_SECONDS = Setting("EMAIL_TIMEOUT_SECONDS", "How long to wait for one answer of that resource.", "10")

SERVICE = Service(
    "notifications",
    "What the shop wrote to you.",
    containers=(
        Container("recipients", "recipient_id", writes=("create", "patch")),
        Container(
            "mails",
            "recipient_id",
            indexed=("status", "due_at", "sort_key"),
            expires=True,
            outbox=True,
            writes=("batch", "create", "patch", "delete"),
        ),
    ),
    publishes=(ErasureAnswered, ExportAnswered, ActRecorded),
    hears={
        "accounts": (
            *(AccountChanged, ErasureRequested, ErasureWithdrawn, ErasureStarted, ErasureDone),
            *(ExportStarted, ExportReady),
        ),
        "orders": (OrderConfirmed, OrderCancelled),
    },
    scopes=(Scope("notifications.read", "Read what the shop wrote to you"),),
    settings=(
        CONTACT_KEY,
        EMAIL_CONNECTION,
        EMAIL_SENDER,
        EMAIL_TIMEOUT_SECONDS,
        *RECONCILIATION,
    ),
    holds=(
        Holding("e-mail that was sent, and to which address", "erased"),
        Holding(
            "the e-mail address, sealed",
            "redacted",
            "until the last e-mail, which says that the erasure is done, was sent or has been tried for a day",
        ),
    ),
    crash_points=crash_points(
        "mail",
        "notifications/provider.py",
        "an e-mail that may or may not have been sent is asked about, and sent once",
        ("before", "after"),
        ("send",),
    ),
)
