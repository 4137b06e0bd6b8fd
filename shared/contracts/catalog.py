"""What the catalog tells: a product is new or has changed."""

from __future__ import annotations

from shared.contracts.event import EventData, event_type
from shared.money import Money


@event_type("product.changed.v1")
class ProductChanged(EventData, frozen=True, kw_only=True):
    """The product as it now is. Subject: the SKU."""

    sku: str
    name: str
    category: str
    price: Money
