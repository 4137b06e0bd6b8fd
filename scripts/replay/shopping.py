"""Doing what the plan says, through the API: products and stock, orders, then the stock's other changes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from scripts.demo import order_of
from scripts.each import each
from scripts.replay.plan import Order, Plan
from scripts.shop import ApiError, Shop

T = TypeVar("T")

MAX_CONCURRENCY = 12
PATIENCE = 300.0
"""Seconds that one thing may take, with all its repeats."""
AGAIN = frozenset({"unknown-sku", "too-many-requests", "temporarily-unavailable", "contention", "backend-timeout"})
"""Refusals after which the same request may well succeed; an order repeats under its key."""

Progress = Callable[[str, int, int], None]


@dataclass
class Outcome:
    """What came of it: settled orders by key, and on which SKUs the stock was not what it had to be."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    surprises: dict[str, str] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)


class Replay:
    """One file's plan and who does it: a partner, who orders for all customers of the file, and staff."""

    def __init__(self, plan: Plan, partner: Shop, staff: Shop, progress: Progress, rate: float) -> None:
        self._plan, self._partner, self._staff = plan, partner, staff
        self._progress, self._rate = progress, rate
        self.outcome = Outcome()
        self._sold: Counter[str] = Counter()

    async def run(self) -> Outcome:
        await self._each("products", list(self._plan.start.items()), self._offer)
        began = time.monotonic()
        numbered = list(enumerate(self._plan.orders))
        await self._each("orders", numbered, lambda item: self._order(began, *item))
        for order, _ in confirmed(self._plan, self.outcome):
            for line in order.lines:
                self._sold[line.sku] += line.pieces
        await self._each("stock", list(self._plan.start.items()), self._adjust)
        return self.outcome

    async def _each(self, what: str, items: Sequence[T], do: Callable[[T], Awaitable[None]]) -> None:
        await each(items, do, MAX_CONCURRENCY, lambda done: self._progress(what, done, len(items)))

    async def _offer(self, item: tuple[str, int]) -> None:
        """The product, and its pieces where nobody has counted it yet: a second run finds what the first left."""
        sku, pieces = item
        if self._plan.prices[sku] > 0:
            body = {
                "name": self._plan.names[sku],
                "category": "replay",
                "listed": False,  # a product for each price is no assortment to show to anybody
                "price": {"amount": self._plan.prices[sku], "currency": "GBP"},
            }
            await _patiently(lambda: self._staff.call("PUT", f"/products/{quote(sku)}", body))
        if await self._stock(sku) is None:
            await _patiently(lambda: self._staff.call("PUT", f"/stock/{quote(sku)}", {"on_hand": pieces}))

    async def _order(self, began: float, number: int, order: Order) -> None:
        if self._rate:
            await asyncio.sleep(max(0.0, began + number / self._rate - time.monotonic()))
        body = order_of((line.sku, line.pieces) for line in order.lines)
        placed = await _patiently(lambda: self._partner.call("POST", "/orders", body, {"Idempotency-Key": order.key}))
        deadline, pause = time.monotonic() + PATIENCE, 0.1
        while True:
            found = await _patiently(lambda: self._partner.call("GET", f"/orders/{placed['id']}"))
            if found["status"] != "placed":
                self.outcome.orders[order.key] = found
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the order {placed['id']} has not been settled in {PATIENCE:g} s")
            await asyncio.sleep(pause)
            pause = min(2.0, pause * 1.5)

    async def _adjust(self, item: tuple[str, int]) -> None:
        """Returns, finds, write-offs and gifts of one SKU, at once and only once: the count says if it was done."""
        sku, start = item
        sold = self._sold[sku]
        before, after = start - sold, start - sold + self._plan.change[sku]
        on_hand = await self._settled_stock(sku, {before, after})
        if on_hand == before != after:
            await _patiently(lambda: self._staff.call("PUT", f"/stock/{quote(sku)}", {"on_hand": after}))
            on_hand = await self._stock(sku)
        if on_hand != after:
            self.outcome.surprises[sku] = f"{on_hand} pieces where {after} were expected"
        self.outcome.stock[sku] = -1 if on_hand is None else on_hand

    async def _settled_stock(self, sku: str, expected: set[int]) -> int | None:
        """The count, once what was sold has left the shelf, which follows the order's confirmation."""
        deadline = time.monotonic() + 30
        while (on_hand := await self._stock(sku)) not in expected and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        return on_hand

    async def _stock(self, sku: str) -> int | None:
        try:
            found = await _patiently(lambda: self._staff.call("GET", f"/stock/{quote(sku)}"))
        except ApiError as exc:
            if exc.code == "not-found":
                return None
            raise
        return int(found["on_hand"])


async def _patiently(ask: Callable[[], Awaitable[Any]]) -> Any:
    """The answer, asked for again while the refusal is one that passes. Raises ApiError."""
    deadline, pause = time.monotonic() + PATIENCE, 0.2
    while True:
        try:
            return await ask()
        except ApiError as exc:
            if exc.code not in AGAIN or time.monotonic() > deadline:
                raise
        await asyncio.sleep(pause)
        pause = min(5.0, pause * 2)


def confirmed(plan: Plan, outcome: Outcome) -> Iterable[tuple[Order, dict[str, Any]]]:
    """The orders that went through, each with its document."""
    for order in plan.orders:
        found = outcome.orders.get(order.key)
        if found is not None and found["status"] == "confirmed":
            yield order, found
