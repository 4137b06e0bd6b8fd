"""What catalog is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared.contracts.audit import ActRecorded
from shared.contracts.catalog import ProductChanged, ProductDiscontinued, ProductReinstated
from shared.declaration import STAFF, Container, Scope, Service, crash_points
from shared.settings import TASKS, Setting
from shared.tasks import store

IMPORT_ROWS_PER_SECOND = Setting(
    "IMPORT_ROWS_PER_SECOND",
    "How many rows of an import may change products a second: each is news to orders, and an entry of the audit log.",
    "100",
)

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
        store.container(writes=("batch", "create", "patch", "upsert")),
    ),
    publishes=(ProductChanged, ProductDiscontinued, ProductReinstated, ActRecorded),
    scopes=(Scope("catalog.write", "Change products", STAFF),),
    settings=(IMPORT_ROWS_PER_SECOND, *TASKS),
    durable=True,
    crash_points=(
        *crash_points(
            "publish.part.after:catalog",
            "messaging/publisher.py",
            "events too many for one message batch: the part that was sent is sent again, and recognised",
        ),
        *crash_points("task.start.after", "tasks/triggers.py", "a task is started once, however often", ("catalog",)),
    ),
)
