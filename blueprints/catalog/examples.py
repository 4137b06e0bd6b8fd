"""A good body and a good answer of each operation, for the API's document and for tests. Products are of `data/`."""

from __future__ import annotations

from typing import Any

_PRODUCT = {
    "sku": "85123A",
    "name": "WHITE HANGING HEART T-LIGHT HOLDER",
    "category": "home",
    "price": {"amount": 255, "currency": "GBP"},
}

BODIES: dict[str, Any] = {"products_put": {key: value for key, value in _PRODUCT.items() if key != "sku"}}
ANSWERS: dict[str, Any] = {
    "products_list": {"items": [_PRODUCT], "next_cursor": None},
    "products_get": _PRODUCT,
    "products_put": _PRODUCT,
}
