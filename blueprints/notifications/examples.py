"""A good answer of each operation, for the API's document and for tests."""

from __future__ import annotations

from typing import Any

BODIES: dict[str, Any] = {}
ANSWERS: dict[str, Any] = {
    "mails_list": {
        "items": [
            {
                "id": "order_confirmed:ord_7x3kq5n2w4m6r5t3y2u7i4o6p5",
                "kind": "order_confirmed",
                "address": "shopper@durable-commerce.local",
                "subject": "Your order ord_7x3kq5n2w4m6r5t3y2u7i4o6p5 is confirmed",
                "text": "Thank you. Your order is confirmed, and its total of £15.30 is paid.\n",
                "sent_at": "2026-03-01T12:00:02.000Z",
            }
        ],
        "next_cursor": None,
    }
}
