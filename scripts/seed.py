"""Fill catalog and stock from the real data, through the API, as a member of staff would."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

from scripts.dataset import SPARE_PIECES, Product, read
from scripts.each import each
from scripts.shop import ApiError, Shop
from shared.money import parse

MAX_CONCURRENCY = 24
CURRENCY = "GBP"


async def seed(shop: Shop, products: Sequence[Product]) -> None:
    """Put every product and its stock into the shop, showing how far it is. Repeating it changes nothing."""
    started = time.monotonic()

    def progress(done: int) -> None:
        if done % 50 == 0 or done == len(products):
            show("products", done, len(products), time.monotonic() - started)

    await each(products, lambda product: put(shop, product), MAX_CONCURRENCY, progress)


def body_of(product: Product) -> dict[str, Any]:
    """What the API is told of a product."""
    price = parse(product.price, CURRENCY)
    return {
        "name": product.name,
        "category": product.category,
        "price": {"amount": price.amount, "currency": price.currency},
    }


async def put(shop: Shop, product: Product) -> None:
    """One product, and its stock where it has none yet."""
    await shop.call("PUT", f"/products/{product.sku}", body_of(product))
    await shop.call("PUT", f"/stock/{product.sku}", {"on_hand": product.pieces_sold + SPARE_PIECES})


async def seeded(shop: Shop, products: Sequence[Product]) -> bool:
    """Whether the last product to be put, and its stock, are there already."""
    last = products[-1]
    try:
        await shop.call("GET", f"/products/{last.sku}")
        await shop.call("GET", f"/stock/{last.sku}")
    except ApiError:
        return False
    return True


def show(what: str, done: int, total: int, seconds: float) -> None:
    """One line that grows: how much of it is done, and for how long it has taken."""
    width = 30
    bar = "█" * (width * done // total)
    end = "\n" if done == total else ""
    print(f"\r  {what} {bar:<{width}} {done}/{total}  {seconds:.0f} s", end=end, flush=True)


async def main() -> None:
    products = read().products
    async with Shop("staff") as shop:
        await seed(shop, products)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ApiError as exc:
        sys.exit(str(exc))
