"""A fault in the running system makes its alert's own query give rows, and no other's; where all is well, none does."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from azure.servicebus import ServiceBusMessage

from scripts.bus import connected
from scripts.declared import services
from shared.contracts.orders import OrderPlaced
from tests.e2e.conftest import ROOT, Client, Provider, Stocked, System, basket, started
from tests.e2e.traces import PATIENCE, asked, placed, trace_of

ALERTS = {file.stem: file.read_text() for file in sorted(Path(ROOT, "infra", "queries", "alerts").glob("*.kql"))}
DEADLINE = 15
SLOW = 6
"""Seconds that the provider takes where it is slow: an order's saga is, beyond five."""
PLACED = ("orders: POST /v1/orders", "inventory: inventory_on_orders order.placed")
SETTINGS = {
    "RECONCILE_SCHEDULE": "* * * * * *",
    "RECONCILE_AFTER_SECONDS": "1",
    "STRIPE_TIMEOUT_SECONDS": "60",
    "ORDER_CREDIT": "1000000",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with started(tmp_path_factory.mktemp("alerts"), deadline=DEADLINE, app=SETTINGS) as running:
        yield running


class Watch:
    """Which alerts are raised, by what has been recorded."""

    def __init__(self, system: System, session: aiohttp.ClientSession) -> None:
        self._system, self._session = system, session

    async def firing(self) -> set[str]:
        return {name for name, query in ALERTS.items() if await asked(self._system, self._session, query)}

    async def until(self, expected: set[str]) -> set[str]:
        """The alerts once all of these are raised, or as it is when patience is over."""
        async with asyncio.timeout(2 * PATIENCE):
            deadline = asyncio.get_running_loop().time() + PATIENCE
            while True:
                found = await self.firing()
                if found >= expected or asyncio.get_running_loop().time() > deadline:
                    return found
                await asyncio.sleep(0.5)

    async def confirmed(self, orders: int) -> None:
        """Return when so many confirmations have been recorded."""
        query = "traces | where message == 'order.confirmed' | count"
        async with asyncio.timeout(PATIENCE):
            while (await asked(self._system, self._session, query))[0]["Count"] < orders:  # noqa: ASYNC110
                await asyncio.sleep(0.5)


async def test_each_fault_raises_its_alert_and_no_other(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked, provider: Provider
) -> None:
    watch = Watch(system, session)
    sku = await stocked(250, 50)
    for _ in range(4):
        order_id, _ = await placed(shopper, basket((sku, 1)))
        await shopper.settled(order_id)
    await watch.confirmed(4)
    assert await watch.firing() == set()

    poison = ServiceBusMessage("not an event", message_id=secrets.token_hex(8), subject="commerce.order.placed.v1")
    async with connected(system.addresses["servicebus"]) as bus, bus.get_topic_sender("orders") as sender:
        await sender.send_messages(poison)
    raised = {"dead-letters"}
    assert await watch.until(raised) == raised
    hears = {service.name for service in services() if OrderPlaced in service.hears.get("orders", ())}
    async with asyncio.timeout(PATIENCE):
        while len(rows := await asked(system, session, ALERTS["dead-letters"])) < len(hears):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    assert {(row["service"], row["topic"], row["dead_letters"]) for row in rows} == {
        (service, "orders", 1) for service in hears
    }

    fault = {"status": 429, "retry_after_ms": 5, "count": 25, "database": "inventory", "container": "stock"}
    async with session.post(f"{system.addresses['cosmos']}/_local/faults", json=fault) as answer:
        assert answer.status < 300, await answer.text()
    order_id, _ = await placed(shopper, basket((sku, 1)))
    await shopper.settled(order_id)
    raised |= {"throttling"}
    assert await watch.until(raised) == raised
    (row,) = await asked(system, session, ALERTS["throttling"])
    assert (row["database"], row["container"], row["throttled"]) == ("inventory", "stock", 25)

    await provider.fault(operation="confirm", kind="latency", seconds=SLOW, count=3)
    for order_id, _ in [await placed(shopper, basket((sku, 1))) for _ in range(3)]:
        assert (await shopper.settled(order_id))["status"] == "confirmed"
    raised |= {"latency"}
    assert await watch.until(raised) == raised
    (row,) = await asked(system, session, ALERTS["latency"])
    assert (row["operation"], row["slow"]) == ("order_saga", 3)

    await provider.fault(operation="create", kind="latency", seconds=2 * DEADLINE)
    order_id, _ = await placed(shopper, basket((sku, 1)))
    instance = f"{system.addresses['functions']}/runtime/webhooks/durabletask/instances/{order_id}"
    async with asyncio.timeout(PATIENCE):
        while True:
            async with session.post(f"{instance}/terminate", params={"reason": "by hand"}) as answer:
                if answer.status == 202:
                    break
            await asyncio.sleep(0.05)
    raised |= {"stuck-sagas"}
    assert await watch.until(raised) == raised
    (row,) = await asked(system, session, ALERTS["stuck-sagas"])
    assert (row["status"], row["orders"]) == ("placed", 1)


async def test_every_saved_query_is_answered(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked
) -> None:
    order_id, trace_id = await placed(shopper, basket((await stocked(250, 5), 1)))
    await trace_of(system, session, trace_id, lambda found: {"orders: order_saga", *PLACED} <= found.labels)
    found = {
        file.stem: await asked(system, session, file.read_text().replace('"ord_"', f'"{order_id}"'))
        for file in sorted((ROOT / "infra" / "queries").glob("*.kql"))
    }
    assert [name for name, rows in found.items() if not rows and name not in ("queues", "waiting")] == []
    assert {"POST /v1/orders", "order_saga", "orders_feed"} <= {row["operation"] for row in found["rates"]}
    assert {("payments", "payments"), ("inventory", "inventory")} <= {
        (row["service"], row["target"]) for row in found["services"]
    }
    assert min(row["request_units"] for row in found["request-units"]) >= 0
    assert max(row["request_units"] for row in found["request-units"]) > 10
    assert {row["starts"] for row in found["cold-starts"]} != {0}
    assert {row["itemType"] for row in found["order"]} >= {"request", "dependency"}
