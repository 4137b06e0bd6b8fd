"""The subscriptions that are declared. Written by scripts.infrastructure."""

from __future__ import annotations

SUBSCRIPTIONS: tuple[tuple[str, str], ...] = (
    ("carts", "orders"),
    ("catalog", "operations"),
    ("catalog", "orders"),
    ("inventory", "operations"),
    ("inventory", "orders"),
    ("orders", "inventory"),
    ("orders", "operations"),
    ("orders", "payments"),
    ("orders", "shipping"),
    ("payments", "orders"),
    ("shipping", "orders"),
)
"""Topic and name of each. The name is that of the service that hears."""
