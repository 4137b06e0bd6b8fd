"""What accounts is: what it owns, publishes, hears and demands."""

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
from shared.contracts.personal_data import ErasureAnswered, ErasureRefused, ExportAnswered
from shared.declaration import STAFF, Container, Holding, Scope, Service, crash_points
from shared.settings import CONTACT_KEY, Setting

ERASURE = "accounts/erasure.py"
ERASURE_COOLING_OFF_SECONDS = Setting(
    "ERASURE_COOLING_OFF_SECONDS",
    "How long whoever asked to be erased may think better of it.",
    str(7 * 24 * 3600),
    local="60",
)
ERASURE_CHASE_SECONDS = Setting(
    "ERASURE_CHASE_SECONDS",
    "How long an erasure waits for a service that does not answer before it asks again.",
    str(24 * 3600),
    local="60",
)
EXPORT = "accounts/export.py"
EXPORT_KEEP_SECONDS = Setting(
    "EXPORT_KEEP_SECONDS",
    "How long what a person asked for can be downloaded; then it is deleted.",
    str(24 * 3600),
)
EXPORT_CHASE_SECONDS = Setting(
    "EXPORT_CHASE_SECONDS",
    "How long an export waits for a service that does not answer before it asks again.",
    str(6 * 3600),
    local="60",
)
ASKED = (ErasureAnswered, ExportAnswered)

SERVICE = Service(
    "accounts",
    "Who buys, where they live, and what they agreed to.",
    containers=(
        Container("accounts", "account_id", indexed=("email_key", "kind", "status"), expires=True, outbox=True),
        Container("answers", "erasure_id", expires=True, writes=("create",)),
        Container("exports", "export_id", expires=True, writes=("batch", "patch")),
    ),
    publishes=(
        *(AccountChanged, ErasureRequested, ErasureWithdrawn, ErasureStarted, ErasureDone),
        *(ExportStarted, ExportReady, ActRecorded),
    ),
    hears={
        "orders": (ErasureRefused, *ASKED),
        "carts": ASKED,
        "payments": ASKED,
        "shipping": ASKED,
        "notifications": ASKED,
    },
    scopes=(
        Scope("accounts.read", "Read your account"),
        Scope("accounts.write", "Change your account, or have it erased"),
        Scope("accounts.export", "Download everything that the shop holds of you"),
        Scope("accounts.find", "Find the accounts of others", STAFF),
    ),
    settings=(
        CONTACT_KEY,
        ERASURE_COOLING_OFF_SECONDS,
        ERASURE_CHASE_SECONDS,
        EXPORT_KEEP_SECONDS,
        EXPORT_CHASE_SECONDS,
    ),
    durable=True,
    holds=(
        Holding("name, e-mail address, language and consents", "erased"),
        Holding("saved addresses", "erased"),
        Holding("what was gathered for its owner to download", "erased"),
        Holding("this certificate, by the account's id", "kept", "it proves that the erasure was done"),
    ),
    crash_points=(
        *crash_points("erasure.begun", ERASURE, "it goes on from its history", ("erasing", "withdrawn", "refused")),
        *crash_points("erasure.finished", ERASURE, "an erasure that is over is over once"),
        *crash_points("export.finished", EXPORT, "an export that is over is over once"),
    ),
)
