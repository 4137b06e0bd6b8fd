"""What inventory tells of an order's stock. Subject of each: the order's id."""

from __future__ import annotations

from shared.contracts.event import EventData, event_type
from shared.contracts.orders import Line


@event_type("stock.reserved.v1")
class StockReserved(EventData, frozen=True, kw_only=True):
    """Every line of the order is held."""

    order_id: str


@event_type("stock.rejected.v1")
class StockRejected(EventData, frozen=True, kw_only=True):
    """There is not enough; nothing is held. `short` names the lines that were not to be had, as asked for."""

    order_id: str
    short: list[Line]


@event_type("stock.released.v1")
class StockReleased(EventData, frozen=True, kw_only=True):
    """What was held for a cancelled order, or sold to it, is given back."""

    order_id: str
