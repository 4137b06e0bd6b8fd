"""A good body and a good answer of each operation, for the API's document and for tests. Products are of `data/`."""

from __future__ import annotations

from typing import Any

_PRODUCT = {
    "sku": "85123A",
    "name": "WHITE HANGING HEART T-LIGHT HOLDER",
    "category": "home",
    "price": {"amount": 255, "currency": "GBP"},
}

_TASK = {
    "id": "tsk_4q2n5xk7d6h3w2m5r7t2y4u6i3",
    "kind": "import",
    "status": "completed",
    "progress": {"done": 4, "total": 4},
    "created_at": "2026-11-27T09:30:00.000000Z",
    "updated_at": "2026-11-27T09:30:02.000000Z",
    "result": {"rows": 3, "created": 1, "changed": 1, "unchanged": 0, "refused": 1},
}

BODIES: dict[str, Any] = {
    "products_put": {key: value for key, value in _PRODUCT.items() if key != "sku"},
    "catalog_imports_start": "sku,name,category,price.amount,price.currency\n"
    "85123A,WHITE HANGING HEART T-LIGHT HOLDER,home,255,GBP\n",
}
ANSWERS: dict[str, Any] = {
    "products_list": {"items": [_PRODUCT], "next_cursor": None},
    "products_get": _PRODUCT,
    "products_put": _PRODUCT,
    "catalog_imports_list": {"items": [_TASK], "next_cursor": None},
    "catalog_imports_get": _TASK,
    "catalog_imports_cancel": {key: value for key, value in _TASK.items() if key != "result"}
    | {"status": "cancelling", "progress": {"done": 2, "total": 4}},
    "catalog_imports_start": {key: value for key, value in _TASK.items() if key != "result"}
    | {"status": "pending", "progress": {"done": 0, "total": None}},
    "catalog_imports_errors": {
        "items": [
            {
                "line": 4,
                "code": "price-zero",
                "detail": "a price of 0 gives the product away; say so with `free`: true",
            }
        ],
        "next_cursor": None,
    },
}
