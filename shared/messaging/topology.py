"""The subscriptions that are declared. Written by scripts.infrastructure."""

from __future__ import annotations

SUBSCRIPTIONS: tuple[tuple[str, str], ...] = (
    ("accounts", "carts"),
    ("accounts", "notifications"),
    ("accounts", "operations"),
    ("accounts", "orders"),
    ("accounts", "payments"),
    ("accounts", "shipping"),
    ("carts", "accounts"),
    ("carts", "operations"),
    ("carts", "orders"),
    ("catalog", "carts"),
    ("catalog", "operations"),
    ("catalog", "orders"),
    ("inventory", "operations"),
    ("inventory", "orders"),
    ("notifications", "accounts"),
    ("notifications", "operations"),
    ("orders", "accounts"),
    ("orders", "inventory"),
    ("orders", "notifications"),
    ("orders", "operations"),
    ("orders", "payments"),
    ("orders", "shipping"),
    ("payments", "accounts"),
    ("payments", "operations"),
    ("payments", "orders"),
    ("shipping", "accounts"),
    ("shipping", "operations"),
    ("shipping", "orders"),
)
"""Topic and name of each. The name is that of the service that hears."""
