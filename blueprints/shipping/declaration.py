"""What shipping is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared.contracts.accounts import ErasureStarted
from shared.contracts.audit import ActRecorded
from shared.contracts.orders import OrderCancellationRequested, OrderConfirmed
from shared.contracts.personal_data import ErasureAnswered, ExportAnswered, ExportListed
from shared.contracts.shipping import (
    ShipmentDelayed,
    ShipmentDelivered,
    ShipmentFailed,
    ShipmentShipped,
    ShipmentStopped,
)
from shared.declaration import STAFF, Container, Holding, Scope, Service, crash_points
from shared.settings import Setting

EASYPOST_API_KEY = Setting("EASYPOST_API_KEY", "Key of the carriers' provider.", local="EZTK_local", secret=True)
EASYPOST_API_BASE = Setting(
    "EASYPOST_API_BASE",
    "Base address of the carriers' provider, with its version.",
    "https://api.easypost.com/v2",
    local="http://localhost:12112/v2",
)
EASYPOST_WEBHOOK_SECRET = Setting(
    "EASYPOST_WEBHOOK_SECRET",
    "Secret that the carriers' provider signs webhooks with.",
    local="easypost_local",
    secret=True,
)
EASYPOST_TIMEOUT_SECONDS = Setting(
    "EASYPOST_TIMEOUT_SECONDS", "How long to wait for one answer of the carriers' provider.", "10"
)
TRACKING_POLL_SECONDS = Setting(
    "TRACKING_POLL_SECONDS",
    "How long after its start a parcel is asked for again; each time twice as long, up to a day.",
    "3600",
)
TRACKING_SILENT_SECONDS = Setting(
    "TRACKING_SILENT_SECONDS",
    "After how long without news of its carrier a parcel counts as delayed; a week.",
    "604800",
)

SERVICE = Service(
    "shipping",
    "What has left the house, and where it is.",
    containers=(
        Container(
            "shipments",
            "order_id",
            indexed=("kind", "status", "tracker_id"),
            expires=True,
            outbox=True,
            writes=("batch",),
        ),
    ),
    publishes=(
        *(ShipmentShipped, ShipmentDelivered, ShipmentDelayed, ShipmentFailed, ShipmentStopped),
        *(ActRecorded, ErasureAnswered, ExportAnswered),
    ),
    hears={
        "orders": (OrderConfirmed, OrderCancellationRequested, ExportListed),
        "accounts": (ErasureStarted,),
    },
    holds=(
        Holding(
            "what was shipped for which order and under which tracking number, by the account's id",
            "kept",
            "proof of delivery is part of a sale's records, which are kept for ten years by tax law; it names nobody",
        ),
    ),
    scopes=(
        Scope("shipments.read", "Read what of your orders was shipped"),
        Scope("shipments.write", "Ship orders", STAFF),
    ),
    settings=(
        EASYPOST_API_KEY,
        EASYPOST_API_BASE,
        EASYPOST_WEBHOOK_SECRET,
        EASYPOST_TIMEOUT_SECONDS,
        TRACKING_POLL_SECONDS,
        TRACKING_SILENT_SECONDS,
    ),
    durable=True,
    crash_points=(
        *crash_points(
            "carrier.before",
            "shipping/provider.py",
            "a call that may or may not have been made is made again, and follows the same parcel",
            ("follow", "look"),
        ),
        *crash_points(
            "carrier.after",
            "shipping/provider.py",
            "what the carrier said without our hearing it is asked again",
            ("follow", "look"),
        ),
        *crash_points("monitor.start.after", "shipping/monitor.py", "one monitor a shipment"),
        *crash_points(
            "monitor.wake", "shipping/monitor.py", "an end that was written down ends the monitor", ("before", "after")
        ),
    ),
)
