"""What an operator sees of an event: named fields alone. Pure: no clock, no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SHOWN = frozenset(
    {
        "amount", "cart_id", "category", "currency", "expected", "line", "lines", "money_first", "order_id", "price",
        "quantity", "reason", "sku", "status", "total", "unit_price", "version",
    }
)  # fmt: skip
"""Fields of an event whose values an operator sees. Any other is named, and its value left out."""
HIDDEN = "[redacted]"
DEEPEST = 8
"""Levels of a body that are shown."""


def redacted(body: bytes) -> Any:
    """The JSON of an event with the values of `SHOWN` fields alone; `None` for a body that is no JSON object."""
    event = _read(body)
    return None if event is None else redacted_data(event.get("data"))


def redacted_data(data: Any) -> Any:
    """The same for an event's data, as it is or as JSON text; `None` for what is neither."""
    if isinstance(data, str):
        data = _read(data)
    return _shown(data, 0) if isinstance(data, dict) else None


def _read(text: str | bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _shown(value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        return {name[:40]: _member(name, member, depth) for name, member in value.items()}
    return [_shown(item, depth + 1) for item in value] if isinstance(value, list) else value


def _member(name: str, value: Any, depth: int) -> Any:
    if name not in SHOWN:
        return HIDDEN
    return _shown(value, depth + 1)
