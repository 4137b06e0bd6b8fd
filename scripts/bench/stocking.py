"""Filling the shop for a measurement: the real products, and more of each than any load can buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from scripts.bench.options import MeasurementFailed, say
from scripts.bench.shoppers import Shopper
from scripts.bench.system import System
from scripts.dataset import Product
from scripts.each import each
from scripts.seed import MAX_CONCURRENCY, body_of
from scripts.shop import token

PLENTY = 100_000_000
"""Pieces of each product."""


async def stock(session: aiohttp.ClientSession, system: System, products: Sequence[Product]) -> None:
    """Put products and stock into the shop, as staff. Raises MeasurementFailed for whatever is refused."""
    staff = await _staff(session, system)
    say(f"  filling the shop with {len(products)} products")
    await each(products, lambda product: _put(staff, product.sku, body_of(product), PLENTY), MAX_CONCURRENCY)


async def offer(session: aiohttp.ClientSession, system: System, sku: str, pieces: int) -> str:
    """Put one product into the shop, so many pieces of it; its SKU. Raises MeasurementFailed."""
    body = {"name": sku, "category": "bench", "price": {"amount": 500, "currency": "GBP"}}
    await _put(await _staff(session, system), sku, body, pieces)
    return sku


async def _staff(session: aiohttp.ClientSession, system: System) -> Shopper:
    return Shopper(session, system, await token(session, system.addresses["entra"], "staff"))


async def _put(staff: Shopper, sku: str, product: Mapping[str, Any], pieces: int) -> None:
    for path, document in ((f"/products/{sku}", product), (f"/stock/{sku}", {"on_hand": pieces})):
        status, answer = await staff.call("PUT", path, document)
        if status >= 400:
            raise MeasurementFailed(f"PUT {path}: {status} {answer}")
