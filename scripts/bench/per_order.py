"""What one order of one line uses: request units, messages, history, invocations, telemetry; what Azure would bill."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime
from typing import Any

import aiohttp

from scripts.bench import ingestion
from scripts.bench.baskets import favourite
from scripts.bench.counters import FEED, LEASES, Counters, snapshot, still
from scripts.bench.figures import each
from scripts.bench.options import MeasurementFailed, Options, say
from scripts.bench.shoppers import Shopper, open_session, shoppers, until_known
from scripts.bench.stocking import stock
from scripts.bench.system import System, running
from scripts.dataset import read
from shared.telemetry.sampling import HOLD_SECONDS

ORDERS = 20
BETWEEN = 0.6
"""Seconds without work after which an order is over: longer than any pause within one."""
QUIET = 3.0
IDLE = 20.0
"""Seconds of doing nothing that are measured, four rounds of the change feeds' long polls."""
PATIENCE = 60.0
SENT = 12.0
"""Seconds until every process has sent what it had: two rounds of its exporter."""
SHARE = 0.1
"""Of the traces, in the run that is sampled; as in production (`infra/environments.bicep`)."""


async def per_order(_: Options) -> dict[str, Any]:
    """Twenty orders one after another, each only after the last one's trailing work is done.

    And twenty more, in a system of their own, whose telemetry is sampled.
    """
    found = await _whole()
    sampled = await _sampled()
    found["telemetry"] |= {"bytes_sampled": sampled["bytes"], "items_sampled": sampled["items"], "share": SHARE}
    return found


async def _sampled() -> dict[str, Any]:
    """What is recorded of an order where a share of the traces is drawn: by ids that are spread evenly."""
    product = favourite(read())
    async with running(environment={"TELEMETRY_SAMPLING": str(SHARE)}) as system, open_session() as session:
        await stock(session, system, [product])
        (buyer,) = await shoppers(session, system, 1)
        await until_known(buyer, lambda: [(product.sku, 1)])
        await still(session, system, QUIET)
        began = datetime.now(UTC)
        say(f"  {ORDERS} orders, of which {SHARE:g} are drawn")
        for order in range(ORDERS):
            await _order_to_its_end(session, system, buyer, product.sku, drawn_evenly(order, ORDERS))
        say(f"  {HOLD_SECONDS:g} s until it is decided what is sent")
        await asyncio.sleep(HOLD_SECONDS + SENT)
        return await _recorded(session, system, began)


def drawn_evenly(place: int, count: int) -> str:
    """A trace id for one of `count`, of which sampling by the id's last eight digits draws each share exactly."""
    return f"{secrets.token_hex(12)}{int((place + 0.5) / count * 2**32):08x}"


async def _recorded(session: aiohttp.ClientSession, system: System, began: datetime) -> dict[str, Any]:
    since = f"timestamp >= datetime({began.isoformat()})"
    return ingestion.report(await ingestion.recorded(session, system.addresses["insights"], since), ORDERS)


async def _whole() -> dict[str, Any]:
    product = favourite(read())
    async with running() as system, open_session() as session:
        await stock(session, system, [product])
        (buyer,) = await shoppers(session, system, 1)
        await until_known(buyer, lambda: [(product.sku, 1)])  # the first order also opens connections
        before, began = await still(session, system, QUIET), time.monotonic()
        moment = datetime.now(UTC)
        say(f"  {ORDERS} orders in quiet")
        for _order in range(ORDERS):
            await _order_to_its_end(session, system, buyer, product.sku)
        after, seconds = await still(session, system, QUIET), time.monotonic() - began
        await asyncio.sleep(SENT)
        told = await _recorded(session, system, moment)
        rested = await snapshot(session, system)
        say(f"  {IDLE:g} s of nothing")
        await asyncio.sleep(IDLE)
        idle = (await snapshot(session, system)).since(rested)
    used = report(after.since(before), seconds, idle)
    return used | {"telemetry": {"bytes_full": told.pop("bytes"), **told}}


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


async def _order_to_its_end(
    session: aiohttp.ClientSession, system: System, buyer: Shopper, sku: str, trace_id: str = ""
) -> None:
    """Place it and wait, without asking the app anything that would count: the saga's status is the task hub's."""
    status, order = await buyer.place([(sku, 1)], trace_id=trace_id)
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
