"""What a host does where it once did not: sessions, an end in time, and a feed that remembers where it began."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from localazure.cosmos import EMULATOR_KEY
from localazure.cosmos import PART as COSMOS
from localazure.functions import PART
from localazure.functions.errors import HostError
from localazure.part import HOST, Config
from localazure.servicebus import PART as BUS
from localazure.servicebus.wire import ServiceBusServer

from .conftest import App

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SESSIONS = """
from typing import List
go = asyncio.Event()

@app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="BUS", is_sessions_enabled=True{})
"""
FEED = """
@app.cosmos_db_trigger(
    arg_name="documents", connection="COSMOS", database_name="shop", container_name="things",
    lease_container_name="leases", create_lease_container_if_not_exists=True, {}
)
"""
ENDLESS = '@app.retry(strategy="fixed_delay", max_retry_count="-1", delay_interval="01:00:00")\n'
FAIL = "    seen.put_nowait(1)\n    raise RuntimeError('never')\n"


@pytest.fixture
async def bus(tmp_path: Path, app: App) -> AsyncIterator[ServiceBusServer]:
    path = tmp_path / "entities.json"
    queues = [{"Name": "q", "Properties": {"RequiresSession": True}}]
    path.write_text(json.dumps({"UserConfig": {"Namespaces": [{"Name": "ns", "Queues": queues, "Topics": []}]}}))
    server = cast(ServiceBusServer, await BUS.start(Config(options={"entities": str(path)})))
    app.settings["BUS"] = server.connection_string
    app.host_file["extensions"] = {"serviceBus": {"sessionIdleTimeout": "00:00:01"}}
    yield server
    await app.stop()
    await server.stop()


async def _send(server: ServiceBusServer, *messages: ServiceBusMessage) -> None:
    async with (
        ServiceBusClient.from_connection_string(server.connection_string) as client,
        client.get_queue_sender("q") as sender,
    ):
        await sender.send_messages(list(messages))


def _depth(server: ServiceBusServer) -> int:
    return sum(server.broker.depths()["q"].values())


async def test_the_messages_of_a_session_come_in_their_order(app: App, bus: ServiceBusServer) -> None:
    app.write(
        SESSIONS.format("")
        + "async def f(msg: func.ServiceBusMessage) -> None:\n"
        + "    seen.put_nowait((msg.session_id, int(msg.get_body())))\n"
    )
    await app.start()
    await _send(bus, *(ServiceBusMessage(str(n), session_id="abc"[n % 3]) for n in range(9)))
    got = await app.seen(9)
    assert {name: [n for session, n in got if session == name] for name in "abc"} == {
        "a": [0, 3, 6],
        "b": [1, 4, 7],
        "c": [2, 5, 8],
    }


async def test_cardinality_many_holds_for_sessions_too(app: App, bus: ServiceBusServer) -> None:
    app.write(
        SESSIONS.format(', cardinality="many"')
        + "async def f(msg: List[func.ServiceBusMessage]) -> None:\n"
        + "    seen.put_nowait([int(m.get_body()) for m in msg])\n"
    )
    await _send(bus, *(ServiceBusMessage(str(n), session_id="a") for n in range(9)))
    await app.start()
    batches: list[Any] = []
    while sum(map(len, batches)) < 9:
        batches += await app.seen()
    assert [n for batch in batches for n in batch] == list(range(9))
    assert len(batches) < 9


async def test_a_session_call_under_way_ends_and_is_settled_while_the_host_stops(
    app: App, bus: ServiceBusServer
) -> None:
    app.write(
        SESSIONS.format("")
        + "async def f(msg: func.ServiceBusMessage) -> None:\n"
        + '    seen.put_nowait("started")\n    await go.wait()\n    seen.put_nowait("ended")\n'
    )
    await app.start()
    await _send(bus, ServiceBusMessage("x", session_id="a"))
    assert await app.seen() == ["started"]
    stopping = asyncio.create_task(app.stop())
    for _ in range(100):
        await asyncio.sleep(0)
    app.module.go.set()
    await stopping
    assert await app.seen() == ["ended"]
    assert _depth(bus) == 0


@pytest.fixture
async def shop(app: App) -> AsyncIterator[str]:
    server = await COSMOS.start(Config())
    connection = f"AccountEndpoint={server.url}/;AccountKey={EMULATOR_KEY};"
    app.settings["COSMOS"] = connection
    async with CosmosClient.from_connection_string(connection) as client:
        await (await client.create_database("shop")).create_container("things", PartitionKey("/id"))
    yield connection
    await app.stop()
    await server.stop()


async def _write(connection: str, identifier: str) -> None:
    async with CosmosClient.from_connection_string(connection) as client:
        await client.get_database_client("shop").get_container_client("things").upsert_item({"id": identifier})


async def _position(connection: str) -> str:
    """What the only lease holds, once it holds anything."""
    async with CosmosClient.from_connection_string(connection) as client, asyncio.timeout(3):
        leases = client.get_database_client("shop").get_container_client("leases")
        while True:
            try:
                found = [item.get("ContinuationToken") async for item in leases.read_all_items()]
                found = [token for token in found if token]  # documents beside the lease have none
            except Exception:  # the container is not there yet
                found = []
            if found:
                return str(found[0])


async def test_what_is_written_while_a_host_is_down_is_given_even_if_nothing_was_before(app: App, shop: str) -> None:
    app.write(
        FEED.format("start_from_beginning=False")
        + 'async def f(documents: func.DocumentList) -> None:\n    seen.put_nowait([d["id"] for d in documents])\n'
    )
    await app.start()
    assert await _position(shop)
    await app.stop()
    await _write(shop, "between")
    await app.start()
    assert await app.seen() == [["between"]]


async def test_a_feed_that_waits_for_its_next_attempt_does_not_hold_up_the_stop(app: App, shop: str) -> None:
    await _write(shop, "a")
    code = FEED.format("start_from_beginning=True") + ENDLESS
    app.write(code + "async def f(documents: func.DocumentList) -> None:\n" + FAIL)
    await app.start()
    await app.seen()
    async with asyncio.timeout(5):
        await app.stop()
    await app.start()
    assert await app.seen() == [1]  # nothing was decided: the batch comes again


async def test_a_timer_that_waits_for_its_next_attempt_does_not_hold_up_the_stop(app: App) -> None:
    code = '@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)\n' + ENDLESS
    app.write(code + "async def f(timer: func.TimerRequest) -> None:\n" + FAIL)
    await app.start()
    await app.seen()
    async with asyncio.timeout(5):
        await app.stop()


async def test_a_start_that_is_refused_late_gives_its_port_back(app: App) -> None:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    policy = 'strategy="fixed_delay", max_retry_count="2", delay_interval="soon"'
    app.write(
        f'@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")\n@app.retry({policy})\n'
        "async def bad(timer: func.TimerRequest) -> None: ...\n"
    )
    (app.directory / "host.json").write_text('{"version": "2.0"}')
    with pytest.raises(HostError, match=r"'bad'.*soon"):
        await PART.start(Config(port=port, options={"app": str(app.directory)}))
    with socket.create_server((HOST, port)):
        pass


async def test_an_output_that_would_be_dropped_is_refused_by_name(app: App) -> None:
    app.write(
        '@app.route("a")\n@app.blob_output(arg_name="out", path="p/b", connection="STORE")\n'
        "def bad(req: func.HttpRequest, out: func.Out[str]) -> str: ...\n"
    )
    with pytest.raises(HostError, match=r"'bad'.*blob.*not supported"):
        await app.start()


async def test_a_retry_policy_where_durable_has_its_own_is_refused_by_name(app: App) -> None:
    app.write(
        "import azure.durable_functions as df\n\nbp = df.Blueprint()\n\n"
        '@bp.activity_trigger(input_name="item")\n@bp.retry(strategy="fixed_delay", max_retry_count="2", '
        'delay_interval="00:00:01")\ndef bad(item: str) -> str: ...\n\napp.register_functions(bp)\ndel bp\n'
    )
    with pytest.raises(HostError, match=r"'bad'.*retry policy on its activityTrigger"):
        await app.start()
