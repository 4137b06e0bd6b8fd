"""What the catalog tells: a product is new or has changed, is sold no more, or again."""

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
    discontinued: bool = False
    """Whether it is sold no more."""


@event_type("product.discontinued.v1")
class ProductDiscontinued(EventData, frozen=True, kw_only=True):
    """The product is sold no more. Subject: the SKU."""

    sku: str


@event_type("product.reinstated.v1")
class ProductReinstated(EventData, frozen=True, kw_only=True):
    """A product that was discontinued is sold again. Subject: the SKU."""

    sku: str
