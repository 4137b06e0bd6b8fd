"""A good body and a good answer of each operation, for the API's document and for tests. Products are of `data/`."""

from __future__ import annotations

from typing import Any

_SHIPPED_AT = "2026-11-02T15:00:00.000Z"
_SHIPMENT = {
    "id": "shp_3w5r7t2y4u6i3o5p7a2s4d6f2g",
    "order_id": "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5",
    "status": "shipped",
    "items": [{"sku": "85123A", "quantity": 6}],
    "carrier": "RoyalMail",
    "tracking_number": "EZ2000000002",
    "shipped_at": _SHIPPED_AT,
    "tracking": {"status": "unknown", "since": _SHIPPED_AT},
    "delayed": False,
    "reason": None,
}

BODIES: dict[str, Any] = {
    "shipments_ship": {
        "carrier": "RoyalMail",
        "tracking_number": "EZ2000000002",
        "items": [{"sku": "85123A", "quantity": 6}],
    },
    "shipments_webhook": {
        "id": "evt_1",
        "object": "Event",
        "description": "tracker.updated",
        "result": {"id": "trk_1", "object": "Tracker", "status": "in_transit"},
    },
}
ANSWERS: dict[str, Any] = {
    "shipments_ship": _SHIPMENT,
    "shipments_list": {"items": [_SHIPMENT], "next_cursor": None},
    "shipments_get": {**_SHIPMENT, "tracking": {"status": "in_transit", "since": "2026-11-02T18:10:00.000Z"}},
    "shipments_webhook": {"received": True},
}
