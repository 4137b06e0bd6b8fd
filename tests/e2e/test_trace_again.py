"""What is done again adds no edge to an order's trace: after a worker's death, a redelivery, and a feed's replay."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator

import aiohttp
import pytest
from azure.cosmos.aio import CosmosClient

from localazure.cosmos import EMULATOR_KEY
from scripts.bus import connected
from shared.messaging.publisher import encode
from shared.persistence.outbox import event_of
from tests.e2e.conftest import Client, Provider, Stocked, System, basket
from tests.e2e.order_traces import CONFIRMED
from tests.e2e.traces import HOSTS, Trace, label, newcomer, placed, trace_of, traced, without_calls
from tests.e2e.traces import staff as staff

DEADLINE = 120
"""A provider that does not answer is waited for until what came before has been told, and its caller is dead."""
UNDER_WAY = {"orders: POST /v1/orders", "orders: start order_saga", "orders: raise stock", "orders: stock"}
"""Told, when all has happened but for the payment."""
SEND = "orders: send orders order.confirmed"
TWICE = {
    "orders: orders_feed order.confirmed",
    SEND,
    "inventory: inventory_on_orders order.confirmed",
    "payments: payments_on_orders order.confirmed",
    "notifications: notifications_on_orders order.confirmed",
}


@pytest.fixture(scope="module", params=HOSTS)
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with traced(tmp_path_factory.mktemp("again"), request.param, deadline=DEADLINE, provider=DEADLINE) as running:
        yield running


@pytest.fixture
async def shopper(system: System, session: aiohttp.ClientSession) -> Client:
    return await newcomer(system, session)


async def kill_workers(system: System, session: aiohttp.ClientSession) -> int:
    """SIGKILL for every process that runs the app's code; how many."""
    killed = 0
    for name, address in system.addresses.items():
        if name.startswith("functions"):
            async with session.get(f"{address}/admin/host/processes") as answer:
                for process in (await answer.json())["processes"]:
                    if process["processName"] == "python":
                        os.kill(process["processId"], signal.SIGKILL)
                        killed += 1
    return killed


async def again(system: System, order_id: str, found: Trace) -> None:
    """What tells that the order is confirmed comes out of the feed once more, and to its subscribers once more."""
    (send,) = [span for span, row in found.spans.items() if label(row) == SEND]
    async with CosmosClient(f"{system.addresses['cosmos']}/", EMULATOR_KEY) as client:
        container = client.get_database_client("orders").get_container_client("orders")
        outbox = f"outbox:order.confirmed.v1:{order_id}:2"
        touch = [{"op": "set", "path": "/ttl", "value": 3600}]
        document = await container.patch_item(outbox, partition_key=order_id, patch_operations=touch)
    message = encode(event_of(dict(document)), "again", f"00-{found.spans[send]['trace']}-{send}-01")
    async with connected(system.addresses["servicebus"]) as bus, bus.get_topic_sender("orders") as sender:
        await sender.send_messages(message)


async def test_it_adds_no_edge(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked, provider: Provider
) -> None:
    await provider.fault(operation="create", kind="hang_after_effect")
    order_id, trace_id = await placed(shopper, basket((await stocked(250, 5), 2)))
    before = await trace_of(system, session, trace_id, lambda found: found.labels >= UNDER_WAY)
    assert before.labels >= UNDER_WAY
    assert await kill_workers(system, session) >= 2
    found = await trace_of(system, session, trace_id, lambda found: found.tree() == CONFIRMED)
    assert found.tree() == CONFIRMED
    await again(system, order_id, found)

    def twice(found: Trace) -> set[str]:
        told = Counter(row["id"] for row in found.rows)
        return {label(row) for span, row in found.spans.items() if told[span] > 1}

    found = await trace_of(system, session, trace_id, lambda found: twice(found) >= TWICE)
    assert twice(found) >= TWICE
    assert found.tree(calls=False) == without_calls(CONFIRMED)
