"""Filling the shop for a measurement: the real products, and more of each than any load can buy."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp

from scripts.bench.options import MeasurementFailed, say
from scripts.bench.shoppers import Shopper
from scripts.bench.system import System
from scripts.dataset import Product
from scripts.each import each
from scripts.seed import AT_ONCE, body_of
from scripts.shop import token

PLENTY = 100_000_000
"""Pieces of each product."""


async def stock(session: aiohttp.ClientSession, system: System, products: Sequence[Product]) -> None:
    """Put products and stock into the shop, as staff. Raises MeasurementFailed for whatever is refused."""
    staff = Shopper(session, system, await token(session, system.addresses["entra"], "staff"))
    say(f"  filling the shop with {len(products)} products")
    await each(products, lambda product: _put(staff, product), AT_ONCE)


async def _put(staff: Shopper, product: Product) -> None:
    for path, document in (
        (f"/products/{product.sku}", body_of(product)),
        (f"/stock/{product.sku}", {"on_hand": PLENTY}),
    ):
        status, answer = await staff.call("PUT", path, document)
        if status >= 400:
            raise MeasurementFailed(f"PUT {path}: {status} {answer}")
