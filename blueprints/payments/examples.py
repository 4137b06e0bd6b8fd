"""A good body and a good answer of each operation, for the API's document and for tests. Products are of `data/`."""

from __future__ import annotations

from typing import Any

BODIES: dict[str, Any] = {
    "payments_refund": {"amount": 255, "reason": "damaged"},
    "payments_webhook": {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded"},
}
ANSWERS: dict[str, Any] = {
    "payments_get": {
        "order_id": "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5",
        "status": "captured",
        "amount": {"amount": 1530, "currency": "GBP"},
    },
    "payments_refund": {
        "id": "ref_2k4l6z3x5c7v2b4n6m3q5w7e2r",
        "status": "made",
        "amount": {"amount": 255, "currency": "GBP"},
        "reason": "damaged",
    },
    "payments_webhook": {"received": True},
}
