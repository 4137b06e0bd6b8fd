"""A good body and a good answer of each operation, for the API's document and for tests. Products are of `data/`."""

from __future__ import annotations

from typing import Any

_CART = {
    "id": "crt_4q2n5xk7d6h3w2m5r7t2y4u6i3",
    "items": [{"sku": "85123A", "quantity": 6}],
    "version": 2,
    "discontinued": [],
}

_GUEST = {**_CART, "id": "gst_4q2n5xk7d6h3w2m5r7t2y4u6i34q2n5xk7d6h3w2m5r7t2y4u6i3"}

BODIES: dict[str, Any] = {
    "carts_set_line": {"quantity": 6},
    "carts_merge": {"guest_cart_id": _GUEST["id"]},
    "guest_carts_set_line": {"quantity": 6},
}
ANSWERS: dict[str, Any] = {
    "carts_open": {**_CART, "items": [], "version": 1},
    "carts_get": _CART,
    "carts_set_line": _CART,
    "carts_remove_line": {**_CART, "items": [], "version": 3},
    "carts_merge": _CART,
    "guest_carts_open": {**_GUEST, "items": [], "version": 1},
    "guest_carts_get": _GUEST,
    "guest_carts_set_line": _GUEST,
    "guest_carts_remove_line": {**_GUEST, "items": [], "version": 3},
}
