"""What a product is. Pure: no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.money import Money


@dataclass(frozen=True, slots=True)
class Product:
    """One thing for sale. `version` counts its changes from 1; consumers order its events by it.

    One that is not `listed` can be read and ordered by whoever knows its SKU, and is in no list. One that is
    `discontinued` is in no list either, and can only be read: what was ordered of it before is still delivered.
    """

    sku: str
    name: str
    category: str
    price: Money
    description: str | None = None
    listed: bool = True
    discontinued: bool = False
    version: int = 1


def needs_etag(present: Product, wanted: Product) -> str:
    """What is changed by those alone who have seen the product: its price, and whether it is sold. Else empty."""
    if present.price != wanted.price:
        return "another price"
    if present.discontinued != wanted.discontinued:
        return "taking a product off the shop, or bringing it back,"
    return ""


def revised(present: Product | None, wanted: Product) -> Product | None:
    """`wanted` as the next version of `present`, or `None` where that would change nothing."""
    if present is None:
        return wanted
    if present == replace(wanted, version=present.version):
        return None
    return replace(wanted, version=present.version + 1)
