"""Two attacks within the limits of calls, and what others notice of them.

`large`: 30 orders of 600 lines each, with a card that is declined. `hoard`: 102 orders for all that is left of one
product, with such a card, while 25 buyers want a piece of it. An attacker who is told to come again does so, until the
measurement is over. Each attack is made by a new customer, and by one who has paid for an order
before; each by another.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp

from scripts.bench.baskets import Lines, spread
from scripts.bench.counters import still
from scripts.bench.figures import ratio
from scripts.bench.options import Options, say
from scripts.bench.shoppers import Shopper, load, open_session, shoppers, until_known
from scripts.bench.stocking import offer, stock
from scripts.bench.system import System, running
from scripts.dataset import Dataset, read

DECLINED = "pm_card_chargeDeclined"
LARGE_ORDERS, LINES = 30, 600
HOARDING_ORDERS, PIECES, BUYERS = 102, 100, 25
OTHERS = 3
"""Shoppers who buy one thing after another meanwhile."""
KINDS = ("new", "known")
PROBED = 20
"""Every so many of the products is asked for until all are known: orders are limited by their lines."""
QUIET = 2.0
PAUSE = 0.5
"""Seconds until an attacker who was refused tries again."""


@dataclass
class Attack:
    """What the attacker was told: how often, by status and problem."""

    told: Counter[str] = field(default_factory=Counter)

    async def insist(self, attacker: Shopper, lines: Callable[[], Lines], end: float) -> None:
        """Place one order with the declined card; a refusal is tried again until `end`."""
        while True:
            status, answer = await attacker.place(lines(), DECLINED)
            code = "accepted" if status == 202 else str(answer.get("type", "")).rpartition(":")[2]
            self.told[f"{status} {code}"] += 1
            if status == 202 or time.time() > end:
                return
            await asyncio.sleep(PAUSE)


async def hostile(options: Options) -> dict[str, Any]:
    """Others' latency without and with each attack, and what became of the honest buyers of the hoarded product."""
    data = read()
    async with running() as system, open_session() as session:
        await stock(session, system, data.products)
        everyone = await shoppers(session, system, OTHERS + 5 + 2 * BUYERS, "apim")
        others, attackers, buyers = everyone[:OTHERS], everyone[OTHERS : OTHERS + 4], everyone[OTHERS + 5 :]
        probing = everyone[OTHERS + 4]
        scene = _Scene(session, system, data, others, options.seconds)
        await until_known(probing, lambda: scene.large()[::PROBED])
        quiet = await scene.others_meanwhile("nobody attacks", None)
        found: dict[str, Any] = {"others": OTHERS, "seconds": options.seconds, "quiet": quiet}
        for attacker in attackers[1::2]:
            await scene.pays(attacker)
        for kind, attacker in zip(KINDS, attackers[:2], strict=True):
            attack = Attack()
            report = await scene.others_meanwhile(f"large orders of a {kind} customer", _large(scene, attack, attacker))
            found[f"large_{kind}"] = _compared(report, quiet, attack)
        for kind, attacker, some in zip(KINDS, attackers[2:], (buyers[:BUYERS], buyers[BUYERS:]), strict=True):
            attack, honest = Attack(), Counter[str]()
            sku = await offer(session, system, f"HOARDED{kind.upper()}", PIECES)
            await until_known(probing, partial(_more_than_there_is, sku))
            hoard = _hoard(scene, attack, attacker, some, sku, honest)
            report = await scene.others_meanwhile(f"hoarding of a {kind} customer", hoard)
            found[f"hoard_{kind}"] = {**_compared(report, quiet, attack), "honest": dict(honest)}
    return found


def _more_than_there_is(sku: str) -> Lines:
    return [(sku, PIECES + 1)]


def _compared(report: dict[str, Any], quiet: dict[str, Any], attack: Attack) -> dict[str, Any]:
    to_quiet = ratio(report["confirmed_ms"]["p95"], quiet["confirmed_ms"]["p95"])
    return {**report, "p95_to_quiet": to_quiet, "attacker": dict(attack.told)}


@dataclass
class _Scene:
    """The shop and the others who buy in it."""

    session: aiohttp.ClientSession
    system: System
    data: Dataset
    others: list[Shopper]
    seconds: float

    def large(self) -> Lines:
        return [(product.sku, 1) for product in self.data.products[:LINES]]

    async def pays(self, shopper: Shopper) -> None:
        """One order that goes through: from then on its customer has paid."""
        once: Iterator[Lines] = spread(self.data)
        await load([shopper], once, 0.5)

    async def others_meanwhile(self, what: str, attack: Callable[[float], Awaitable[None]] | None) -> dict[str, Any]:
        """How long the others' orders take while `attack` (given its end) is going on."""
        await still(self.session, self.system, QUIET)
        say(f"  {what}, {len(self.others)} others, {self.seconds:g} s")
        async with asyncio.TaskGroup() as group:
            buying = group.create_task(load(self.others, spread(self.data), self.seconds))
            if attack is not None:
                group.create_task(attack(time.time() + self.seconds))  # type: ignore[arg-type]  # a coroutine
        report = buying.result().report()
        return {name: report[name] for name in ("confirmed", "accepted_ms", "confirmed_ms", "not_confirmed", "refused")}


def _large(scene: _Scene, attack: Attack, attacker: Shopper) -> Callable[[float], Awaitable[None]]:
    async def run(end: float) -> None:
        await asyncio.gather(*(attack.insist(attacker, scene.large, end) for _ in range(LARGE_ORDERS)))

    return run


def _hoard(
    scene: _Scene, attack: Attack, attacker: Shopper, buyers: list[Shopper], sku: str, honest: Counter[str]
) -> Callable[[float], Awaitable[None]]:
    async def wants_all(number: int, end: float) -> None:
        await asyncio.sleep(scene.seconds * number / HOARDING_ORDERS)
        await attack.insist(attacker, lambda: [(sku, PIECES - honest["confirmed"])], end)

    async def wants_one(number: int, buyer: Shopper) -> None:
        await asyncio.sleep(scene.seconds * number / BUYERS)
        order = await buyer.bought([(sku, 1)])
        honest[order["history"][-1].get("reason") or order["status"]] += 1

    async def run(end: float) -> None:
        await asyncio.gather(
            *(wants_all(number, end) for number in range(HOARDING_ORDERS)),
            *(wants_one(number, buyer) for number, buyer in enumerate(buyers)),
        )

    return run
