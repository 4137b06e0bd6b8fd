"""What catalog is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared.contracts.audit import ActRecorded
from shared.contracts.catalog import ProductChanged, ProductDiscontinued, ProductReinstated
from shared.declaration import STAFF, Container, Scope, Service, crash_points

SERVICE = Service(
    "catalog",
    "What is for sale, and at what price.",
    containers=(
        Container(
            "products",
            "sku",
            indexed=("kind", "category", "sku", "search_text"),
            expires=True,
            outbox=True,
            writes=("batch", "upsert"),
        ),
    ),
    publishes=(ProductChanged, ProductDiscontinued, ProductReinstated, ActRecorded),
    scopes=(Scope("catalog.write", "Change products", STAFF),),
    crash_points=crash_points(
        "publish.part.after:catalog",
        "messaging/publisher.py",
        "events too many for one message batch: the part that was sent is sent again, and recognised",
    ),
)
