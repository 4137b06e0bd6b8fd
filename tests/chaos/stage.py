"""Where stories are told, and what they have done so far."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.chaos.shop import Caller, offer
from tests.chaos.system import System

SLOW = 0.8
"""Seconds that the provider takes where a story needs time to overtake it."""
PIECES = 10


@dataclass
class Told:
    """What the stories have done so far, for the audit."""

    accepted: dict[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    """Order id → the (status, reason) it may come to."""
    stocked: dict[str, int] = field(default_factory=dict)
    parked: set[str] = field(default_factory=set)
    restocked: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """Where a story takes place."""

    system: System
    session: aiohttp.ClientSession
    shopper: Caller
    staff: Caller
    told: Told

    async def stocked(self, pieces: int = PIECES, price: int = 250) -> str:
        sku = await offer(self.staff, price, pieces)
        self.told.stocked[sku] = pieces
        return sku

    async def place(self, body: dict[str, Any], key: str, *ends: tuple[str, str]) -> str:
        order_id = await self.shopper.place(body, key)
        self.told.accepted[order_id] = frozenset(ends)
        return order_id

    async def until(self, path: str, holds: Callable[[Any], bool]) -> None:
        """Wait until `holds` is true of what staff sees at `path`. Raises TimeoutError."""
        async with asyncio.timeout(60):
            while True:
                answer = await self.staff.call("GET", path)
                if answer.status == 200 and holds(answer.json):
                    return
                await asyncio.sleep(0.05)

    async def cancel(self, order_id: str) -> None:
        answer = await self.shopper.call("POST", f"/orders/{order_id}/cancel")
        assert answer.status == 202 or answer.problem == "order-not-cancellable", answer.text


Story = Callable[[Stage], Coroutine[Any, Any, None]]
CONFIRMED = ("confirmed", "")
WISH = ("cancelled", "customer_request")
NOT_APPROVED = ("cancelled", "not_approved")
SHIPPED = (("shipped", ""), ("delivered", ""))


def fresh_key() -> str:
    return secrets.token_hex(8)
