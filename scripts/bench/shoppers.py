"""Shoppers: each places an order, waits until it is confirmed, and places the next. One process, few requests.

When an order was confirmed is read from the order's own history, in the clock of this same machine, so looking
seldom does not blur it. A shopper looks for the first time when most orders so far were through, and then less and
less often; how many looks that took is part of the result.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp

from scripts.bench.baskets import Lines
from scripts.bench.figures import percentiles, rate
from scripts.bench.options import MeasurementFailed
from scripts.bench.system import System
from scripts.demo import order_of

WARM_UP = 2.0
"""Seconds of the same load before the clock starts."""
FIRST_LOOK, LOOK, MAX_LOOK, GROWTH = 0.1, 0.05, 0.5, 1.5
REMEMBERED = 50
"""Orders whose time to confirmation says when to look at the next ones."""
PATIENCE = 120.0
REQUEST_TIMEOUT = 60.0
DOORS = {"functions": "/api/v1", "apim": "/v1"}
"""Where the API begins at each part that has it."""


@dataclass(frozen=True)
class Bought:
    """One order. Moments are seconds since the epoch, `accepted` and `confirmed` seconds since `sent`."""

    sent: float
    accepted: float
    confirmed: float | None
    lines: int
    looks: int


@dataclass
class Load:
    """What a load came to. Only orders sent between `start` and `end` count for latencies."""

    start: float
    end: float
    bought: list[Bought] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        """Rate by moment of confirmation, latencies by moment of sending; nothing is dropped silently."""
        counted = [order for order in self.bought if self.start <= order.sent < self.end]
        confirmed = [order.sent + order.confirmed for order in self.bought if order.confirmed is not None]
        within = sum(self.start <= moment < self.end for moment in confirmed)
        return {
            "per_second": rate(within, self.end - self.start),
            "confirmed": within,
            "accepted_ms": percentiles([order.accepted * 1000 for order in counted]),
            "confirmed_ms": percentiles([order.confirmed * 1000 for order in counted if order.confirmed is not None]),
            "not_confirmed": sum(order.confirmed is None for order in self.bought),
            "refused": len(self.refused),
            "lines_per_order": round(sum(order.lines for order in counted) / max(1, len(counted)), 1),
            "looks_per_order": round(sum(order.looks for order in counted) / max(1, len(counted)), 1),
        }


class Shopper:
    """One account, buying one thing after another."""

    def __init__(self, session: aiohttp.ClientSession, system: System, token: str, door: str = "functions") -> None:
        self._session = session
        self._base = system.addresses[door] + DOORS[door]
        self._headers = {"Authorization": f"Bearer {token}"}

    async def place(self, lines: Lines, card: str = "pm_card_visa", trace_id: str = "") -> tuple[int, Any]:
        """The answer to a new order: its status and its document. `trace_id`: of the trace that it is to be."""
        order = {**order_of(lines), "payment_method": card}
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        if trace_id:
            headers["traceparent"] = f"00-{trace_id}-{secrets.token_hex(8)}-00"
        return await self.call("POST", "/orders", order, headers)

    async def bought(self, lines: Lines) -> dict[str, Any]:
        """The order once it is settled. Raises MeasurementFailed for one that is not accepted."""
        status, answer = await self.place(lines)
        if status != 202:
            raise MeasurementFailed(f"an order is refused: {status} {answer}")
        return (await self._settled(answer["id"], FIRST_LOOK))[0]

    async def buy(self, lines: Lines, load: Load, usual: deque[float]) -> None:
        """Place the order, wait until it is settled, and note it in `load`."""
        sent, began = time.time(), time.perf_counter()
        status, answer = await self.place(lines)
        accepted = time.perf_counter() - began
        if status != 202:
            load.refused.append(f"{status} {json.dumps(answer)}")
            return
        order, looks = await self._settled(answer["id"], FIRST_LOOK if not usual else sorted(usual)[len(usual) // 2])
        took = max(accepted, _moment(order["history"][-1]["at"]) - sent) if order["status"] == "confirmed" else None
        load.bought.append(Bought(sent, accepted, took, len(lines), looks))
        if took is not None:
            usual.append(took)

    async def _settled(self, order_id: str, first: float) -> tuple[dict[str, Any], int]:
        looks, pause, deadline = 0, LOOK, time.monotonic() + PATIENCE
        await asyncio.sleep(first)
        while True:
            status, order = await self.call("GET", f"/orders/{order_id}")
            looks += 1
            if (status == 200 and order["status"] != "placed") or time.monotonic() > deadline:
                return order, looks
            await asyncio.sleep(pause)
            pause = min(MAX_LOOK, pause * GROWTH)

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """One request to the API: the status and the document of its answer."""
        sent = {**self._headers, **(headers or {})}
        async with self._session.request(method, f"{self._base}{path}", json=body, headers=sent) as answer:
            return answer.status, json.loads(await answer.text() or "null")


def open_session() -> aiohttp.ClientSession:
    """The one session of a measurement; no shopper waits for another one's connection."""
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT)
    return aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))


async def shoppers(
    session: aiohttp.ClientSession, system: System, count: int, door: str = "functions"
) -> list[Shopper]:
    """So many different customers, at the host itself or at the gateway."""
    return [Shopper(session, system, await _token(session, system, number), door) for number in range(count)]


async def load(buyers: Sequence[Shopper], baskets: Iterator[Lines], seconds: float) -> Load:
    """Let everyone buy for `seconds`, after a warm-up; every order is followed to its end.

    Raises MeasurementFailed if no order at all was confirmed.
    """
    start = time.time() + WARM_UP
    result, usual = Load(start, start + seconds), deque[float](maxlen=REMEMBERED)

    async def shop(buyer: Shopper) -> None:
        while time.time() < result.end:
            await buyer.buy(next(baskets), result, usual)

    async with asyncio.TaskGroup() as group:
        for buyer in buyers:
            group.create_task(shop(buyer))
    if not any(order.confirmed is not None for order in result.bought):
        raise MeasurementFailed(f"no order was confirmed; the first refusal: {next(iter(result.refused), 'none')}")
    return result


async def until_known(buyer: Shopper, probe: Callable[[], Lines]) -> None:
    """Place an order of `probe()`, again and again until orders has heard of everything in it."""
    deadline = time.monotonic() + PATIENCE
    while (answer := await buyer.place(probe()))[0] != 202:
        if time.monotonic() > deadline:
            raise MeasurementFailed(f"the shop does not sell what it was filled with: {answer}")
        await asyncio.sleep(0.2)


async def _token(session: aiohttp.ClientSession, system: System, number: int) -> str:
    identity = f"00000000-0000-4000-8000-{number:012d}"
    order = {"account": "shopper", "claims": {"oid": identity, "sub": identity}}
    async with session.post(f"{system.addresses['entra']}/_local/tokens", json=order) as answer:
        answer.raise_for_status()
        return str((await answer.json())["access_token"])


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
