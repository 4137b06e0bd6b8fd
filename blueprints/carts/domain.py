"""What a cart is. Pure: no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

MAX_LINES = 1_000
MAX_PIECES = 100_000
"""Of one line: as many as a request may ask for."""
MAX_MERGED = 100
"""Guest carts that one cart takes in within its life, a week: each leaves its id."""


class CartFull(ValueError):
    """The cart has as many lines as an order may have."""


class MergedTooOften(ValueError):
    """The cart has taken in as many guest carts as it may."""


@dataclass(frozen=True, slots=True)
class Cart:
    """One shopper's basket: pieces by SKU. `version` counts its changes from 1.

    A guest's has no customer. `merged`: the guest carts that were taken in; `merged_into`: the cart that this guest's
    cart was taken into, after which it changes no more.
    """

    id: str
    customer_id: str
    version: int
    lines: dict[str, int] = field(default_factory=dict)
    merged: tuple[str, ...] = ()
    merged_into: str = ""


def set_line(cart: Cart, sku: str, quantity: int) -> Cart:
    """The cart with `quantity` pieces of `sku`; the same cart where it has them. Raises CartFull."""
    if cart.lines.get(sku) == quantity:
        return cart
    if sku not in cart.lines and len(cart.lines) >= MAX_LINES:
        raise CartFull(f"a cart holds at most {MAX_LINES} lines")
    return replace(cart, version=cart.version + 1, lines={**cart.lines, sku: quantity})


def remove_line(cart: Cart, sku: str) -> Cart:
    """The cart without `sku`; the same cart where it has none."""
    if sku not in cart.lines:
        return cart
    lines = {name: quantity for name, quantity in cart.lines.items() if name != sku}
    return replace(cart, version=cart.version + 1, lines=lines)


def claimed(guest: Cart, cart_id: str) -> Cart:
    """The guest's cart once it is to be taken into that cart; the same cart where it was before."""
    return guest if guest.merged_into else replace(guest, version=guest.version + 1, merged_into=cart_id)


def with_guest(cart: Cart, guest: Cart) -> Cart:
    """The cart with what the guest's cart holds added to it; the same cart where that was done before.

    Raises CartFull, MergedTooOften.
    """
    if guest.id in cart.merged:
        return cart
    lines = dict(cart.lines)
    for sku, quantity in guest.lines.items():
        lines[sku] = min(MAX_PIECES, lines.get(sku, 0) + quantity)
    if len(lines) > MAX_LINES:
        raise CartFull(f"a cart holds at most {MAX_LINES} lines, and the two together have {len(lines)}")
    if len(cart.merged) >= MAX_MERGED:
        raise MergedTooOften(f"a cart takes in at most {MAX_MERGED} others")
    return replace(cart, version=cart.version + 1, lines=lines, merged=(*cart.merged, guest.id))
