"""What happens for one order is one trace: its tree, down to each call of the database, is exactly this one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest

from scripts.bench import ingestion
from tests.e2e.conftest import PATIENCE, Client, Provider, Stocked, System, basket
from tests.e2e.order_traces import CANCELLED, CONFIRMED, DECLINED, TIMED_OUT
from tests.e2e.traces import HOSTS, Trace, newcomer, placed, trace_of, traced
from tests.e2e.traces import staff as staff

DEADLINE = 10
MAX_BYTES = 12_000
"""Of a confirmed order, as they are billed: ingestion is paid by the gigabyte."""


@pytest.fixture(scope="module", params=HOSTS)
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with traced(tmp_path_factory.mktemp("edges"), request.param, deadline=DEADLINE, provider=60) as running:
        yield running


@pytest.fixture
async def shopper(system: System, session: aiohttp.ClientSession) -> Client:
    return await newcomer(system, session)


async def heard_of_the_stock(system: System, session: aiohttp.ClientSession, order_id: str) -> None:
    """Return when the order's saga has taken inventory's answer in."""
    host = system.addresses.get("functions") or system.addresses["functions-orders"]
    url = f"{host}/runtime/webhooks/durabletask/instances/{order_id}?showHistory=true"
    async with asyncio.timeout(PATIENCE):
        while True:
            async with session.get(url) as answer:
                if "EventRaised" in await answer.text():
                    return
            await asyncio.sleep(0.05)


async def told(system: System, session: aiohttp.ClientSession, trace_id: str, expected: str) -> Trace:
    return await trace_of(system, session, trace_id, lambda found: found.tree() == expected)


async def test_a_confirmed_order(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked
) -> None:
    _, trace_id = await placed(shopper, basket((await stocked(250, 5), 2)))
    found = await told(system, session, trace_id, CONFIRMED)
    assert found.tree() == CONFIRMED
    roles = {"orders", "inventory", "payments", "shipping", "notifications"}
    assert {row["role"] for row in found.spans.values()} == roles
    rows = await ingestion.recorded(session, system.addresses["insights"], f"operation_Id == '{trace_id}'")
    assert sum(map(len, rows.values())) == len(found.rows) + 2, "two lines of the log: placed and confirmed"
    assert ingestion.report(rows, 1)["bytes"] <= MAX_BYTES


async def test_a_declined_order(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked, provider: Provider
) -> None:
    await provider.fault(operation="confirm", kind="latency", seconds=3)
    _, trace_id = await placed(shopper, basket((await stocked(250, 5), 2), payment_method="pm_card_chargeDeclined"))
    assert (await told(system, session, trace_id, DECLINED)).tree() == DECLINED


async def test_an_order_that_times_out(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked, provider: Provider
) -> None:
    await provider.fault(operation="create", kind="latency", seconds=DEADLINE + 3)
    _, trace_id = await placed(shopper, basket((await stocked(250, 5), 2)))
    assert (await told(system, session, trace_id, TIMED_OUT)).tree() == TIMED_OUT


async def test_an_order_that_its_shopper_cancels(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked, provider: Provider
) -> None:
    await provider.fault(operation="create", kind="latency", seconds=5)
    order_id, trace_id = await placed(shopper, basket((await stocked(250, 5), 2)))
    await heard_of_the_stock(system, session, order_id)
    assert (await shopper.call("POST", f"/orders/{order_id}/cancel")).status == 202
    assert (await told(system, session, trace_id, CANCELLED)).tree() == CANCELLED
