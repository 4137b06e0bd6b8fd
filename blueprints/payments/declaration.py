"""What payments is: its containers, the events it publishes, and those it hears."""

from __future__ import annotations

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
    "payments",
    containers=(Container("payments", "order_id", indexed=("kind", "status"), expires=True, outbox=True),),
    publishes=(PaymentAuthorized, PaymentDeclined, PaymentCaptured, PaymentVoided, PaymentRefunded),
    hears={"orders": (OrderPlaced, OrderConfirmed, OrderCancelled)},
)
