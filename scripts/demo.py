"""Buy one real basket through the API, and show what happens to it while it happens."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from scripts.dataset import Basket, read
from scripts.seed import show
from scripts.shop import ApiError, Shop

BASKET = "536365"
ADDRESS = {
    "name": "A. Shopper",
    "line1": "1 Market Street",
    "city": "London",
    "postal_code": "EC1A 1AA",
    "country": "GB",
}
LAST_WORD = {"confirmed": "commerce.payment.captured.v1", "cancelled": "commerce.order.cancelled.v1"}
PATIENCE = 60.0
"""Seconds that a freshly filled catalog may take to reach the orders service, and an order to be settled."""
TELLING = 25
"""Lines of a cart after which a line tells how far it is: they go in one after the other."""


def order_of(lines: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """The body of an order of these pieces by SKU, on a card that is good."""
    return {
        "items": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
        "shipping_address": ADDRESS,
        "payment_method": "pm_card_visa",
    }


async def buy(shop: Shop, basket: Basket, payment_method: str) -> dict[str, Any]:
    """Fill a cart, order it, and print the order's timeline as it grows. Returns the settled order.

    A product that stands in several rows of the basket is one line of the cart.
    """
    pieces = Counter[str]()
    for sku, quantity in basket.lines:
        pieces[sku] += quantity
    cart, began = await shop.call("POST", "/carts"), time.monotonic()
    for done, (sku, quantity) in enumerate(pieces.items(), 1):
        cart = await shop.call("PUT", f"/carts/{cart['id']}/items/{sku}", {"quantity": quantity})
        if len(pieces) > TELLING and (done % TELLING == 0 or done == len(pieces)):
            show("cart", done, len(pieces), time.monotonic() - began)
    order, started = await place(
        shop,
        {
            "cart_id": cart["id"],
            "cart_version": cart["version"],
            "expected_total": await total_of(shop, pieces),
            "shipping_address": ADDRESS,
            "payment_method": payment_method,
        },
    )
    total = order["total"]
    print(
        f"  {order['id']}  {len(order['items'])} lines, {total['amount'] / 100:,.2f} {total['currency']}  202 Accepted"
    )
    return await follow(shop, order["id"], started)


async def total_of(shop: Shop, pieces: Mapping[str, int]) -> dict[str, Any]:
    """What so many pieces of each SKU cost by the prices that the catalog shows.

    They are asked for one by one where they are few, and read off the list where they are many.
    """
    if len(pieces) <= TELLING:
        found = await asyncio.gather(*(shop.call("GET", f"/products/{sku}") for sku in pieces))
        return {"amount": sum(pieces[item["sku"]] * item["price"]["amount"] for item in found), "currency": "GBP"}
    left, amount, cursor = dict(pieces), 0, ""
    while left:
        page = await shop.call("GET", f"/products?limit=100{cursor and f'&cursor={cursor}'}")
        amount += sum(left.pop(item["sku"], 0) * item["price"]["amount"] for item in page["items"])
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
    return {"amount": amount, "currency": "GBP"}


async def place(shop: Shop, request: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Place an order; answers it, and when the request that was accepted was sent.

    Where orders has not heard of a product or of the cart yet, it is given a moment; a line every two seconds says so.
    """
    key, began, told = secrets.token_hex(8), time.monotonic(), 0
    while True:
        started = time.monotonic()
        try:
            order: dict[str, Any] = await shop.call("POST", "/orders", request, {"Idempotency-Key": key})
            return order, started
        except ApiError as exc:
            early = exc.code in ("unknown-sku", "cart-not-found", "cart-version", "total-changed")
            waited = time.monotonic() - began
            if not early or waited > PATIENCE:
                raise
            if waited >= 2 * told:
                print(
                    "  orders has not heard of every product yet; waiting for the catalog's events", f"{waited:.0f} s"
                )
                told += 1
        await asyncio.sleep(0.2)


async def follow(shop: Shop, order_id: str, started: float, patience: float = 2 * PATIENCE) -> dict[str, Any]:
    """Print each thing that happens to the order once, until the last one has. Raises TimeoutError after `patience`."""
    shown: set[str] = set()
    async with asyncio.timeout(patience):
        while True:
            order: dict[str, Any] = await shop.call("GET", f"/orders/{order_id}")
            for entry in (await shop.call("GET", f"/orders/{order_id}/timeline"))["items"]:
                if entry["event"] not in shown:
                    shown.add(entry["event"])
                    name = entry["event"].removeprefix("commerce.").removesuffix(".v1")
                    print(f"  {time.monotonic() - started:6.2f} s  {name:<20} {entry['source']}")
            if LAST_WORD.get(order["status"]) in shown:
                reason = order["history"][-1]["reason"]
                outcome = order["status"].upper() + (f" ({reason})" if reason else "")
                print(f"  {time.monotonic() - started:6.2f} s  {outcome}")
                return order
            await asyncio.sleep(0.02)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--basket", default=BASKET, help="invoice number of a basket in the data (default %(default)s)")
    parser.add_argument("--account", default="shopper", help="who buys (default %(default)s)")
    parser.add_argument(
        "--payment-method",
        default="pm_card_visa",
        help="pm_card_visa, pm_card_chargeDeclined or pm_card_chargeDeclinedInsufficientFunds (default %(default)s)",
    )
    arguments = parser.parse_args()
    basket = read().basket(arguments.basket)
    print(f"{arguments.account} buys basket {basket.invoice}")
    async with Shop(arguments.account) as shop:
        await buy(shop, basket, arguments.payment_method)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (ApiError, LookupError) as exc:
        sys.exit(str(exc))
