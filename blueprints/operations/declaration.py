"""What operations is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared.contracts.audit import ActRecorded
from shared.declaration import ADMIN, Container, Scope, Service, crash_points
from shared.operating import READ, WRITE
from shared.settings import TASKS
from shared.tasks import store

REDRIVE = "operations/redrive.py"

SERVICE = Service(
    "operations",
    "What is stuck, why, and how it is mended. For staff; mending is for administrators.",
    containers=(
        store.container(writes=("batch", "create", "patch")),
        Container("set-aside", "queue", indexed=("sort_key",), writes=("create",)),
        Container("audit", "day", indexed=("type", "id")),
    ),
    hears=dict.fromkeys(
        ("accounts", "carts", "catalog", "inventory", "notifications", "orders", "payments", "shipping"), (ActRecorded,)
    ),
    scopes=(
        Scope("operations.audit", "Read and verify the audit log", ADMIN),
        READ,
        WRITE,
    ),
    settings=TASKS,
    durable=True,
    operates=True,
    crash_points=(
        *crash_points(
            "task.start.after", "tasks/triggers.py", "a task is started once, however often", ("operations",)
        ),
        *crash_points("redrive.sent", REDRIVE, "what was sent and not noted is sent again under the same message id"),
        *crash_points("redrive.noted", REDRIVE, "what was noted as sent is completed, and not sent again"),
        *crash_points("set_aside.kept", "operations/service.py", "what is kept already is only taken out of the queue"),
    ),
)
