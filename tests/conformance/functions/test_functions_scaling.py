"""What waits at the triggers of a host, and the number of instances that follows from it; the clock is turned."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from azure.durable_functions.models.utils import http_utils
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from localazure.clock import ManualClock
from localazure.functions.wire import Host
from localazure.part import Config
from localazure.scaler import Scaler
from localazure.scaling import QUIET
from localazure.servicebus import PART
from localazure.servicebus.wire import ServiceBusServer
from localazure.supervisor import asked

from .conftest import App
from .test_functions_cosmos_feed import FROM_THE_START, TRIGGER, Cosmos, cosmos

__all__ = ["cosmos"]
# The client leaves the socket of a connection that its peer broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ENTITIES = {"Queues": [], "Topics": [{"Name": "Events", "Properties": {}, "Subscriptions": [{"Name": "mine"}]}]}
GATE = """
gate = asyncio.Event()
"""
MESSAGES = f"""{GATE}
@app.service_bus_topic_trigger(arg_name="msg", topic_name="events", subscription_name="mine", connection="BUS")
async def handle(msg: func.ServiceBusMessage) -> None:
    await gate.wait()
    seen.put_nowait(msg.get_body().decode())
"""
CHANGES = f"""{GATE}{TRIGGER.format(FROM_THE_START + ", max_items_per_invocation=2")}
async def follow(documents: func.DocumentList) -> None:
    await gate.wait()
    seen.put_nowait([document["id"] for document in documents])
"""
WORK = """
import azure.durable_functions as df

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
gate, seen = asyncio.Event(), asyncio.Queue()

@app.route(route="start")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client) -> func.HttpResponse:
    return func.HttpResponse(await client.start_new("many"))

@app.orchestration_trigger(context_name="context")
def many(context):
    yield context.task_all([context.call_activity("one", place) for place in range(7)])

@app.activity_trigger(input_name="place")
async def one(place: int) -> int:
    seen.put_nowait(place)
    await gate.wait()
    return place
"""


@pytest.fixture
async def bus(tmp_path: Path, app: App) -> AsyncIterator[ServiceBusServer]:
    file = tmp_path / "entities.json"
    file.write_text(json.dumps({"UserConfig": {"Namespaces": [{"Name": "ns", **ENTITIES}]}}))
    server = cast(ServiceBusServer, await PART.start(Config(options={"entities": str(file)})))
    app.settings["BUS"] = server.connection_string
    yield server
    await app.stop()
    await server.stop()


async def send(bus: ServiceBusServer, count: int) -> None:
    async with (
        ServiceBusClient.from_connection_string(bus.connection_string) as client,
        client.get_topic_sender("events") as sender,
    ):
        await sender.send_messages([ServiceBusMessage(str(number)) for number in range(count)])


async def waiting(http: aiohttp.ClientSession, host: Host) -> list[dict[str, Any]]:
    async with http.get(f"{host.url}/admin/localazure/waiting") as answer:
        assert answer.status == 200
        return list(await answer.json())


async def nothing_waits(http: aiohttp.ClientSession, host: Host) -> bool:
    return not any(entry["length"] for entry in await waiting(http, host))


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(15):
        while not await holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


def system(folder: Path, host: str) -> Path:
    """The directory of an `up` in which one instance of the host runs."""
    folder.mkdir()
    (folder / "addresses.json").write_text(json.dumps({"functions": host}))
    (folder / "instances.json").write_text(json.dumps({"functions": 1}))
    return folder


async def drained(bus: ServiceBusServer) -> None:
    async def empty() -> bool:
        return not any(depth["active"] for depth in bus.broker.depths().values())

    await until(empty)


async def test_a_burst_of_messages_raises_the_number_and_quiet_lowers_it(
    app: App, bus: ServiceBusServer, tmp_path: Path
) -> None:
    app.host_text = json.dumps({"version": "2.0", "extensions": {"serviceBus": {"maxConcurrentCalls": 2}}})
    app.write(MESSAGES)
    host = await app.start()
    clock, said = ManualClock(), list[str]()
    state = system(tmp_path / "system", host.url)
    scaler = Scaler(state, f"http://localhost:{bus.admin_port}", 7, clock, said.append)
    numbers = [1]

    async def step(seconds: float = 0.0) -> None:
        await clock.advance(seconds)
        await scaler.step()
        numbers.append(asked(state)["functions"])

    await step()
    await send(bus, 29)
    await step()
    await step(10)
    app.module.gate.set()
    await app.seen(29)
    await drained(bus)
    await step(10)
    await step(QUIET - 1)
    await step(1)
    await step(QUIET)
    assert numbers == [1, 1, 5, 7, 7, 7, 6, 5]
    assert not said


async def test_a_host_that_does_not_answer_keeps_what_it_has_and_is_named_once(tmp_path: Path) -> None:
    said = list[str]()
    state = system(tmp_path / "system", "http://localhost:1")
    scaler = Scaler(state, "http://localhost:1", 7, ManualClock(), said.append)
    await scaler.step()
    await scaler.step()
    assert asked(state) == {"functions": 1}
    assert len(said) == 1
    assert said[0].startswith("what waits for functions is not known: ")


async def test_changes_wait_until_their_batch_has_been_handled(
    app: App, cosmos: Cosmos, http: aiohttp.ClientSession
) -> None:
    app.write(CHANGES)
    host = await app.start()
    await until(cosmos.leases)
    await cosmos.write("a", "b", "c", "d", "e")
    assert await waiting(http, host) == [{"group": "follow", "length": 5, "target": 2, "most": 1}]
    app.module.gate.set()
    await until(lambda: nothing_waits(http, host))


async def test_activities_wait_until_they_have_answered(app: App, http: aiohttp.ClientSession) -> None:
    app.host_text = json.dumps({"version": "2.0", "extensions": {"durableTask": {"maxConcurrentActivityFunctions": 2}}})
    app.write(WORK)
    host = await app.start()
    async with http.get(f"{host.url}/api/start") as answer:
        assert answer.status == 200
    await http_utils._close_session()
    await app.seen(2)
    assert await waiting(http, host) == [
        {"group": "durable", "length": 0, "target": 100, "most": 0},
        {"group": "durable", "length": 7, "target": 2},
    ]
    app.module.gate.set()
    await until(lambda: nothing_waits(http, host))


async def test_where_the_number_is_fixed_nothing_of_the_scaler_is_imported() -> None:
    code = """
import sys, localazure.__main__, localazure.supervisor, localazure.functions.wire
own = ("scaler", "scaling", "functions.waiting", "functions.cosmos_estimator")
print([name for name in own if f"localazure.{name}" in sys.modules])
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert (await process.communicate())[0] == b"[]\n"
