"""What a product is. Pure: no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.money import Money


@dataclass(frozen=True, slots=True)
class Product:
    """One thing for sale. `version` counts its changes from 1; consumers order its events by it.

    One that is not `listed` can be read and ordered by whoever knows its SKU, and is in no list.
    """

    sku: str
    name: str
    category: str
    price: Money
    description: str | None = None
    listed: bool = True
    version: int = 1


def revised(present: Product | None, wanted: Product) -> Product | None:
    """`wanted` as the next version of `present`, or `None` where that would change nothing."""
    if present is None:
        return wanted
    if present == replace(wanted, version=present.version):
        return None
    return replace(wanted, version=present.version + 1)
