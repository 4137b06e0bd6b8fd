"""Play a story on the running system with one order as its hero, and show what happens while it happens."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from scripts.demo import follow, order_of, place
from scripts.shop import ApiError, Shop, addresses

DECLINED = "pm_card_chargeDeclined"
MAX_PIECES = 100_000
"""As many pieces as a line may have."""
PLACED = "commerce.order.placed.v1"
PATIENCE = 30.0
"""Seconds that whatever is given back after an order's end may take."""
DEADLINE = 240.0
"""Seconds that an order may take to its end: more than `ORDER_DEADLINE_SECONDS`."""


@dataclass(frozen=True)
class Stage:
    """What a story is played on: a shopper, somebody of the staff, the provider, a product that is on the shelf."""

    shopper: Shop
    staff: Shop
    http: aiohttp.ClientSession
    provider: str
    sku: str
    available: int

    async def buy(self, payment_method: str = "pm_card_visa", pieces: int = 1) -> str:
        """Place an order and follow it to its end; returns its id."""
        order_id, started = await self.place(payment_method, pieces)
        await follow(self.shopper, order_id, started, DEADLINE)
        return order_id

    async def place(self, payment_method: str = "pm_card_visa", pieces: int = 1) -> tuple[str, float]:
        """The order's id, and when it was sent."""
        body = {**order_of([(self.sku, pieces)]), "payment_method": payment_method}
        order, started = await place(self.shopper, body)
        print(f"  {order['id']}  {pieces} of {self.sku}  202 Accepted", flush=True)
        return order["id"], started

    @asynccontextmanager
    async def fault(self, **fault: Any) -> AsyncIterator[None]:
        """The provider misbehaves as told, towards everybody. All of its faults are cleared at the end."""
        async with self.http.post(f"{self.provider}/_local/faults", json=fault) as answer:
            if answer.status >= 300:
                raise ApiError(f"the provider takes no fault: {answer.status} {await answer.text()}")
        try:
            yield
        finally:
            async with self.http.delete(f"{self.provider}/_local/faults"):
                pass

    async def books(self, order_id: str) -> dict[str, int]:
        """How many payments the provider has for the order, what they hold and took, and what the shelf holds back."""
        async with self.http.get(f"{self.provider}/_local/ledger") as answer:
            intents = (await answer.json())["intents"]
        mine = [intent for intent in intents if intent["metadata"].get("order_id") == order_id]
        stock = await self.staff.call("GET", f"/stock/{self.sku}")
        return {
            "payments": len(mine),
            "held": sum(intent["held"] for intent in mine),
            "captured": sum(intent["captured"] for intent in mine),
            "reserved": stock["reserved"],
        }


Story = Callable[[Stage], Awaitable[str]]
"""Plays it, and returns the id of its order."""


async def confirmed(stage: Stage) -> str:
    """all goes well"""
    return await stage.buy()


async def declined(stage: Stage) -> str:
    """the card is declined; the stock is given back"""
    return await stage.buy(DECLINED)


async def out_of_stock(stage: Stage) -> str:
    """more pieces are ordered than there are; the hold on the card is voided"""
    return await stage.buy(pieces=stage.available + 1)


async def cancelled(stage: Stage) -> str:
    """the shopper cancels while the provider is slow; what it then authorises is voided"""
    async with stage.fault(operation="confirm", kind="latency", seconds=2):
        order_id, started = await stage.place()
        await stage.shopper.call("POST", f"/orders/{order_id}/cancel")
        await follow(stage.shopper, order_id, started)
        await _at_rest(stage, order_id, payments=1)
    return order_id


async def refunded(stage: Stage) -> str:
    """somebody of the staff pays the whole of a confirmed order back"""
    order_id = await stage.buy()
    why, key = {"reason": "goodwill"}, {"Idempotency-Key": secrets.token_hex(8)}
    await stage.staff.call("POST", f"/orders/{order_id}/refunds", why, key)
    async with asyncio.timeout(PATIENCE):
        while not (paid := await stage.shopper.call("GET", f"/orders/{order_id}/payment")).get("refunded"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    print(f"  REFUNDED {paid['refunded']['amount']} of {paid['amount']['amount']} pence", flush=True)
    return order_id


async def silent_provider(stage: Stage) -> str:
    """the provider authorises and its answer is lost; payments asks it, and learns that it did"""
    async with stage.fault(operation="confirm", kind="hang_after_effect"):
        return await stage.buy()


async def timed_out(stage: Stage) -> str:
    """the provider is silent until the order's deadline has passed (ORDER_DEADLINE_SECONDS, three minutes)"""
    async with stage.fault(operation="confirm", kind="hang_before_effect", seconds=3600, count=None):
        return await stage.buy()


async def duplicate(stage: Stage) -> str:
    """the request comes three times under one Idempotency-Key"""
    body, key = order_of([(stage.sku, 1)]), {"Idempotency-Key": secrets.token_hex(8)}
    started = time.monotonic()
    orders = [await stage.shopper.call("POST", "/orders", body, key) for _ in range(3)]
    order_id: str = orders[0]["id"]
    print(f"  three requests, {len({order['id'] for order in orders})} order: {order_id}", flush=True)
    await follow(stage.shopper, order_id, started)
    return order_id


async def poison(stage: Stage) -> str:
    """a message that nobody can read comes before the order and becomes a dead letter; the order goes its way"""
    from scripts.bus import dead_letter, send

    message_id = await send("orders", PLACED, b"not an event")
    print(f"  {message_id}, which is no event, is sent to the topic orders", flush=True)
    order_id = await stage.buy()
    print(f"  {message_id} of orders/inventory: {await dead_letter('orders', 'inventory', message_id)}", flush=True)
    return order_id


STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (confirmed, declined, out_of_stock, cancelled, refunded, silent_provider, timed_out, duplicate, poison)
}


async def _at_rest(stage: Stage, order_id: str, payments: int = 0) -> dict[str, int]:
    """The books once nothing is held, on the card or on the shelf, with so many payments at least.

    After `PATIENCE` seconds they are returned as they are.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        books = await stage.books(order_id)
        at_rest = books["payments"] >= payments and not books["held"] and not books["reserved"]
        if at_rest or time.monotonic() > deadline:
            return books
        await asyncio.sleep(0.1)


async def play(name: str, account: str) -> None:
    """Play the story and print how the books stand afterwards. Raises ApiError."""
    story = STORIES[name]
    print(f"{name}: {story.__doc__}", flush=True)
    async with Shop(account) as shopper, Shop("staff") as staff, aiohttp.ClientSession() as http:
        stage = Stage(shopper, staff, http, addresses()["stripe"], *await _on_the_shelf(staff))
        books = await _at_rest(stage, await story(stage))
    print(
        f"  the provider has {books['payments']} payment of this order, {books['held']} held, "
        f"{books['captured']} captured; the shelf holds {books['reserved']} pieces back"
    )


async def _on_the_shelf(staff: Shop) -> tuple[str, int]:
    """A product that has a price, and how many pieces of it may be sold. Raises ApiError where there is none."""
    for product in (await staff.call("GET", "/products?limit=100"))["items"]:
        try:
            stock = await staff.call("GET", f"/stock/{product['sku']}")
        except ApiError:
            continue  # a product that was never put on the shelf
        if product["price"]["amount"] and 0 < stock["available"] < MAX_PIECES:
            return product["sku"], stock["available"]
    raise ApiError("there is nothing to buy; `make run` fills the shop")


async def main() -> None:
    stories = "\n".join(f"  {name:<16} {story.__doc__}" for name, story in STORIES.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"stories:\n{stories}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("event", choices=STORIES, metavar="STORY", help="one of the stories below")
    parser.add_argument("--account", default="shopper", help="who buys (default %(default)s)")
    arguments = parser.parse_args()
    await play(arguments.event, arguments.account)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (ApiError, TimeoutError, LookupError) as exc:
        sys.exit(str(exc) or "it took too long")
