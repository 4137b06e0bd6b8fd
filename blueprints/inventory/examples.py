"""A good body and a good answer of each operation, for the API's document and for tests. Products are of `data/`."""

from __future__ import annotations

from typing import Any

_STOCK = {"sku": "85123A", "on_hand": 120, "reserved": 6, "available": 114}

BODIES: dict[str, Any] = {"stock_put": {"on_hand": 120}}
ANSWERS: dict[str, Any] = {"stock_get": _STOCK, "stock_put": _STOCK}
