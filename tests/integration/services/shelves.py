"""Stock of one's own, and what inventory is told of an order."""

from __future__ import annotations

import secrets

from blueprints.inventory import domain, service, store
from tests.integration.services.conftest import Story


async def stocked(pieces: int) -> str:
    sku = f"S{secrets.token_hex(5)}"
    await service.set_on_hand(sku, pieces, None)
    return sku


async def counts(sku: str) -> tuple[int, int]:
    """On hand and reserved, as the API shows them."""
    document = await store.get_stock(sku)
    assert document is not None
    stock = store.stock_of(document)
    assert stock.reserved == domain.pieces(stock.holds) <= stock.on_hand
    view, _ = await service.get(sku)
    assert view.available == view.on_hand - view.reserved == stock.available
    return view.on_hand, view.reserved


async def deliver(story: Story, name: str) -> None:
    handlers = {"placed": service.reserve, "confirmed": service.commit, "cancelled": service.release}
    data = getattr(story, name)
    await handlers[name](story.event(data), data)  # type: ignore[operator]  # each takes its own event


async def clean(sku: str) -> None:
    document = await store.get_stock(sku)
    assert document is not None
    stock = store.stock_of(document)
    await store.clean({sku: domain.sold(stock, await store.get_reservations(stock.holds))})
