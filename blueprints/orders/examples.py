"""A good body and a good answer of each operation, for the API's document and for tests. Products are of `data/`."""

from __future__ import annotations

from typing import Any

_ADDRESS = {"name": "A. Shopper", "line1": "1 High Street", "city": "London", "postal_code": "N1 1AA", "country": "GB"}
_PLACED_AT = "2026-11-02T09:00:00.000000Z"
_ORDER: dict[str, Any] = {
    "id": "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5",
    "status": "placed",
    "items": [
        {
            "sku": "85123A",
            "name": "WHITE HANGING HEART T-LIGHT HOLDER",
            "quantity": 6,
            "unit_price": {"amount": 255, "currency": "GBP"},
        }
    ],
    "total": {"amount": 1530, "currency": "GBP"},
    "shipping_address": {**_ADDRESS, "line2": None},
    "placed_at": _PLACED_AT,
    "history": [{"status": "placed", "at": _PLACED_AT, "reason": None}],
    "cancel_requested": False,
    "approval": None,
}
_UNTIL = "2026-11-03T09:00:01.000000Z"
_APPROVED_ORDER = {
    **_ORDER,
    "status": "confirmed",
    "history": [
        *_ORDER["history"],
        {"status": "awaiting_approval", "at": "2026-11-02T09:00:01.000000Z", "reason": None},
        {"status": "confirmed", "at": "2026-11-02T10:30:00.000000Z", "reason": None},
    ],
    "approval": {"rules": ["large"], "until": _UNTIL, "decided_by": "staff"},
}
_CANCELLED = {
    **_ORDER,
    "status": "cancelled",
    "history": [
        *_ORDER["history"],
        {"status": "cancelled", "at": "2026-11-02T09:00:01.000000Z", "reason": "customer_request"},
    ],
}

_RETURN: dict[str, Any] = {
    "id": "ret_5o7p2a4s6d3f5g7h2j4k6l3z5x",
    "order_id": _ORDER["id"],
    "status": "requested",
    "items": [
        {
            "sku": "85123A",
            "quantity": 2,
            "unit_price": {"amount": 255, "currency": "GBP"},
            "restocked": 0,
            "written_off": 0,
        }
    ],
    "reason": "unwanted",
    "value": {"amount": 510, "currency": "GBP"},
    "history": [{"status": "requested", "at": "2026-11-09T10:00:00.000Z"}],
    "decided_by": None,
    "refunded": None,
}
_APPROVED: dict[str, Any] = {
    **_RETURN,
    "status": "approved",
    "decided_by": "staff",
    "history": [*_RETURN["history"], {"status": "approved", "at": "2026-11-09T11:30:00.000Z"}],
}
_RECEIVED = {
    **_APPROVED,
    "status": "received",
    "items": [{**_RETURN["items"][0], "restocked": 1, "written_off": 1}],
    "history": [*_APPROVED["history"], {"status": "received", "at": "2026-11-12T09:15:00.000Z"}],
}

BODIES: dict[str, Any] = {
    "orders_find": {"sku": "85123A", "status": "placed", "placed_from": "2026-11-02T00:00:00Z"},
    "approvals_decide": {"decision": "approve", "why": "The customer has called, and all is well"},
    "returns_request": {"items": [{"sku": "85123A", "quantity": 2}], "reason": "unwanted"},
    "returns_decide": {"decision": "approve"},
    "returns_receive": {"items": [{"sku": "85123A", "restocked": 1, "written_off": 1}]},
    "orders_place": {
        "items": [{"sku": "85123A", "quantity": 6}],
        "shipping_address": _ADDRESS,
        "payment_method": "pm_card_visa",
    },
}
ANSWERS: dict[str, Any] = {
    "orders_place": _ORDER,
    "orders_list": {
        "items": [{key: _ORDER[key] for key in ("id", "status", "total", "placed_at")}],
        "next_cursor": None,
    },
    "orders_find": {
        "items": [
            {
                "customer_id": "6f1c2a9e-2a64-4d0f-9d0b-3a51f0f1c001",
                **{key: _ORDER[key] for key in ("id", "status", "total", "placed_at")},
            }
        ],
        "next_cursor": None,
    },
    "orders_get": _ORDER,
    "orders_timeline": {
        "items": [{"at": _PLACED_AT, "event": "commerce.order.placed.v1", "source": "orders"}],
        "next_cursor": None,
    },
    "orders_cancel": _CANCELLED,
    "approvals_list": {
        "items": [
            {
                "id": _ORDER["id"],
                "customer_id": "6f1c2a9e-2a64-4d0f-9d0b-3a51f0f1c001",
                "total": _ORDER["total"],
                "country": "GB",
                "placed_at": _PLACED_AT,
                "rules": ["large"],
                "until": _UNTIL,
            }
        ],
        "next_cursor": None,
    },
    "approvals_decide": _APPROVED_ORDER,
    "returns_request": _RETURN,
    "returns_list": {"items": [_RETURN], "next_cursor": None},
    "returns_get": _RETURN,
    "returns_decide": _APPROVED,
    "returns_receive": _RECEIVED,
}
