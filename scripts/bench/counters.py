"""What the parts count, read over HTTP, and when they have stopped counting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from scripts.bench.figures import difference, summed
from scripts.bench.options import MeasurementFailed
from scripts.bench.system import System

FEED = "feed"
"""Reading the change feed: it goes on while nothing happens, so it says nothing about whether work is left."""
LEASES = "leases"
"""Any operation on the leases of the change feeds: renewals go on while nothing happens, checkpoints are work's."""
LOOK = 0.1
"""Seconds between two looks at the counters."""


@dataclass(frozen=True)
class Counters:
    """Everything counted since the system started, by name."""

    request_units: Mapping[str, float]
    containers: Mapping[str, float]
    operations: Mapping[str, float]
    sent: Mapping[str, float]
    deliveries: Mapping[str, float]
    invocations: Mapping[str, float]
    durable: Mapping[str, float]

    def since(self, before: Counters) -> Counters:
        """What was counted between the two. Raises ValueError if anything was reset meanwhile."""
        return Counters(**{name: difference(value, vars(before)[name]) for name, value in vars(self).items()})

    @property
    def work(self) -> tuple[object, ...]:
        """What changes as long as any work is left."""
        operations = {name: count for name, count in self.operations.items() if name not in (FEED, LEASES)}
        return operations, self.sent, self.deliveries, self.invocations, self.durable


def parse(charges: Any, entities: Mapping[str, Mapping[str, int]], host: Any) -> Counters:
    """The three answers as one: Cosmos DB by kind of operation, Service Bus by what was done, the host by function.

    Whatever is done to leases is one kind.
    A subscription's name has a slash in it, a topic's has none; a message sent to a topic is counted there once, and
    again in each subscription it is put into.
    """
    rows: list[dict[str, Any]] = charges["operations"]
    return Counters(
        request_units=summed((_kind(row), row["request_units"]) for row in rows),
        containers=summed(
            (f"{row['database']}/{row['container']}", row["request_units"]) for row in rows if row["operation"] != FEED
        ),
        operations=summed((_kind(row), row["operations"]) for row in rows),
        sent=summed(_counts((name, counts) for name, counts in entities.items() if "/" not in name)),
        deliveries=summed(_counts((name, counts) for name, counts in entities.items() if "/" in name)),
        invocations=dict(host["invocations"]),
        durable=dict(host["durable"]),
    )


def _kind(row: Mapping[str, Any]) -> str:
    return LEASES if row["container"] == LEASES else str(row["operation"])


def _counts(entities: Iterable[tuple[str, Mapping[str, int]]]) -> list[tuple[str, float]]:
    return [(what, count) for _, counts in entities for what, count in counts.items()]


async def snapshot(session: aiohttp.ClientSession, system: System) -> Counters:
    """All counters, as they are now."""
    addresses = (
        f"{system.addresses['cosmos']}/_local/charges",
        f"{system.broker_admin}/_local/counters",
        f"{system.addresses['functions']}/admin/localazure/counters",
    )
    return parse(*await asyncio.gather(*(_get(session, address) for address in addresses)))


async def still(session: aiohttp.ClientSession, system: System, quiet: float, patience: float = 180.0) -> Counters:
    """The counters once none that means work has moved for `quiet` seconds.

    Raises MeasurementFailed where they do not come to rest within `patience` seconds.
    """
    deadline = time.monotonic() + patience
    last, since = await snapshot(session, system), time.monotonic()
    while time.monotonic() - since < quiet:
        if time.monotonic() > deadline:
            raise MeasurementFailed(f"the system did not come to rest within {patience:g} s")
        await asyncio.sleep(LOOK)
        now = await snapshot(session, system)
        if now.work != last.work:
            since = time.monotonic()
        last = now
    return last


async def _get(session: aiohttp.ClientSession, address: str) -> Any:
    async with session.get(address) as answer:
        answer.raise_for_status()
        return await answer.json()
