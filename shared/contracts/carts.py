"""What carts tells: a basket's content has changed."""

from __future__ import annotations

from shared.contracts.event import EventData, event_type
from shared.contracts.orders import Line


@event_type("cart.changed.v1")
class CartChanged(EventData, frozen=True, kw_only=True):
    """The whole basket as it now is. Subject: the cart's id."""

    cart_id: str
    customer_id: str
    lines: list[Line]
