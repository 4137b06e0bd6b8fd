"""What one order of one line uses: request units, messages, history, invocations; what Azure would bill."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp

from scripts.bench.baskets import favourite
from scripts.bench.counters import FEED, LEASES, Counters, snapshot, still
from scripts.bench.figures import each
from scripts.bench.options import MeasurementFailed, Options, say
from scripts.bench.shoppers import Shopper, open_session, shoppers, until_known
from scripts.bench.stocking import stock
from scripts.bench.system import System, running
from scripts.dataset import read

ORDERS = 20
BETWEEN = 0.6
"""Seconds without work after which an order is over: longer than any pause within one."""
QUIET = 3.0
IDLE = 20.0
"""Seconds of doing nothing that are measured, four rounds of the change feeds' long polls."""
PATIENCE = 60.0


async def per_order(_: Options) -> dict[str, Any]:
    """Twenty orders one after another, each only after the last one's trailing work is done."""
    product = favourite(read())
    async with running() as system, open_session() as session:
        await stock(session, system, [product])
        (buyer,) = await shoppers(session, system, 1)
        await until_known(buyer, lambda: [(product.sku, 1)])  # the first order also opens connections
        before, began = await still(session, system, QUIET), time.monotonic()
        say(f"  {ORDERS} orders in quiet")
        for _order in range(ORDERS):
            await _order_to_its_end(session, system, buyer, product.sku)
        after, seconds = await still(session, system, QUIET), time.monotonic() - began
        say(f"  {IDLE:g} s of nothing")
        await asyncio.sleep(IDLE)
        idle = (await snapshot(session, system)).since(after)
    return report(after.since(before), seconds, idle)


def report(used: Counters, seconds: float, idle: Counters, count: int = ORDERS) -> dict[str, Any]:
    """The averages of one order out of `count` that took `seconds` together, and what a minute of nothing costs.

    `total` leaves the change feed out: part of its reads happen because time passes, not because of an order. Leases
    are written for both reasons; what `idle`, of `IDLE` seconds, says that time costs is no order's.
    """
    renewals = idle.request_units.get(LEASES, 0) * seconds / IDLE
    checkpoints = max(0.0, used.request_units.get(LEASES, 0) - renewals)
    units = each({**used.request_units, LEASES: checkpoints}, count)
    return {
        "orders": count,
        "request_units": {
            "total": round(sum(value for kind, value in units.items() if kind != FEED), 2),
            "by_kind": units,
            "by_container": each(used.containers, count),
            "operations": each(used.operations, count),
        },
        "service_bus": {
            "sent": round(used.sent.get("sent", 0) / count, 2),
            "delivered": round(used.deliveries.get("delivered", 0) / count, 2),
            "others": each(
                {f"{what}": n for what, n in {**used.sent, **used.deliveries}.items() if what not in _EXPECTED}, count
            ),
        },
        "durable": each(used.durable, count),
        "invocations": {
            "total": round(sum(used.invocations.values()) / count, 2),
            "by_function": each(used.invocations, count),
        },
        "idle_request_units_per_minute": round(sum(idle.request_units.values()) * 60 / IDLE, 1),
    }


_EXPECTED = frozenset({"sent", "delivered", "completed"})


async def _order_to_its_end(session: aiohttp.ClientSession, system: System, buyer: Shopper, sku: str) -> None:
    """Place it and wait, without asking the app anything that would count: the saga's status is the task hub's."""
    status, order = await buyer.place([(sku, 1)])
    if status != 202:
        raise MeasurementFailed(f"an order was refused: {status} {order}")
    saga = f"{system.addresses['functions']}/runtime/webhooks/durabletask/instances/{order['id']}"
    deadline = time.monotonic() + PATIENCE
    while True:
        async with session.get(saga) as answer:
            found = await answer.json() if answer.status in (200, 202) else {}
        if found.get("runtimeStatus") in ("Completed", "Failed", "Terminated"):
            break
        if time.monotonic() > deadline:
            raise MeasurementFailed(f"the saga of {order['id']} does not end: {found}")
        await asyncio.sleep(0.05)
    if found.get("output") != "confirmed":
        raise MeasurementFailed(f"the order {order['id']} was not confirmed: {found}")
    await still(session, system, BETWEEN)
