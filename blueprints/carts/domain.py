"""What a cart is. Pure: no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

MOST_LINES = 1_000


class CartFull(ValueError):
    """The cart has as many lines as an order may have."""


@dataclass(frozen=True, slots=True)
class Cart:
    """One shopper's basket: pieces by SKU. `version` counts its changes from 1."""

    id: str
    customer_id: str
    version: int
    lines: dict[str, int] = field(default_factory=dict)


def set_line(cart: Cart, sku: str, quantity: int) -> Cart:
    """The cart with `quantity` pieces of `sku`; the same cart where it has them. Raises CartFull."""
    if cart.lines.get(sku) == quantity:
        return cart
    if sku not in cart.lines and len(cart.lines) >= MOST_LINES:
        raise CartFull(f"a cart holds at most {MOST_LINES} lines")
    return replace(cart, version=cart.version + 1, lines={**cart.lines, sku: quantity})


def remove_line(cart: Cart, sku: str) -> Cart:
    """The cart without `sku`; the same cart where it has none."""
    if sku not in cart.lines:
        return cart
    lines = {name: quantity for name, quantity in cart.lines.items() if name != sku}
    return replace(cart, version=cart.version + 1, lines=lines)
