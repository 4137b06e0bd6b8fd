"""Input and output bindings: functions that read documents, and give documents and messages, without a client."""

from __future__ import annotations

import gc
import json
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from localazure.functions.errors import HostError

from .bus import Bus
from .conftest import App
from .test_functions_cosmos_feed import Cosmos

# The client leaves the socket of a connection that its peer broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ROUTE = '@app.route("a")\n'
QUEUE = '@app.service_bus_queue_output(arg_name="{}", queue_name="{}", connection="BUS")\n'
OUTPUT = '@app.cosmos_db_output(arg_name="{}", connection="COSMOS", database_name="shop", container_name="{}"{})\n'
INPUT = (
    '@app.cosmos_db_input(arg_name="docs", connection="COSMOS", database_name="shop", container_name="things", {})\n'
)
SHOWN = "    return json.dumps(None if docs is None else [dict(doc) for doc in docs])\n"


@pytest.fixture
async def bus(tmp_path: Path, app: App) -> AsyncIterator[Bus]:
    made = Bus(tmp_path)
    app.settings["BUS"] = (await made.start()).connection_string
    yield made
    await app.stop()
    await made.stop()
    gc.collect()  # here, where its warnings are expected, and not in the middle of another module


@pytest.fixture
async def things(tmp_path: Path, app: App) -> AsyncIterator[ContainerProxy]:
    """The container `things` of the database `shop`, whose partition key is `/id`."""
    account = Cosmos(tmp_path)
    await account.start()
    await account.create()
    app.settings["COSMOS"] = account.connection
    async with CosmosClient.from_connection_string(account.connection) as client:
        yield client.get_database_client("shop").get_container_client("things")
    await app.stop()
    await account.stop()


def _write(app: App, code: str) -> None:
    app.write("import datetime, json, typing\n" + textwrap.dedent(code))


def _setting(value: str, declared: str, annotation: str = "func.Out[str]") -> str:
    """A function that sets its output `out`."""
    return f"{ROUTE}{declared}def f(req, out: {annotation}):\n    out.set({value})\n    return 'ok'\n"


async def _get(app: App, http: aiohttp.ClientSession, path: str = "a", **options: Any) -> tuple[int, str]:
    host = await app.start()
    async with http.request(options.pop("method", "GET"), f"{host.url}/api/{path}", **options) as answer:
        return answer.status, await answer.text()


async def _messages(app: App, entity: str, count: int) -> list[tuple[str, str | None]]:
    """Bodies and content types, in order."""
    async with (
        ServiceBusClient.from_connection_string(app.settings["BUS"]) as client,
        client.get_queue_receiver(entity, max_wait_time=10) as receiver,
    ):
        taken: list[tuple[str, str | None]] = []
        while len(taken) < count:
            for message in await receiver.receive_messages(count):
                taken.append((str(message), message.content_type))
                await receiver.complete_message(message)
        return taken


SENT = {
    "text": ("'hello é'", ["hello é"]),
    "bytes": ("b'raw'", ["raw"]),
    "a JSON object, indented again": (
        "json.dumps({'a': {'b': [1, {}]}})",
        ['{\n  "a": {\n    "b": [\n      1,\n      {}\n    ]\n  }\n}'],
    ),
    "a JSON array, a message each": (
        "json.dumps(['one', {'a': 1}, 5, True, 1.5])",
        ["one", '{\n  "a": 1\n}', "5", "True", "1.5"],
    ),
    "a list": ("['one', 'two']", ["one", "two"]),
    "a dict": ("{'at': '2026-01-01T00:00:00.120Z'}", ['{\n  "at": "2026-01-01T00:00:00.120Z"\n}']),
    "dates of a JSON text": (
        "json.dumps([{'at': '2026-01-01T00:00:00.120Z'}, '2026-01-02T03:04:05Z'])",
        ['{\n  "at": "2026-01-01T00:00:00.12Z"\n}', "01/02/2026 03:04:05"],
    ),
}


@pytest.mark.parametrize(("value", "bodies"), SENT.values(), ids=SENT)
async def test_what_is_set_becomes_messages_as_on_azure(
    app: App, bus: Bus, http: aiohttp.ClientSession, value: str, bodies: list[str]
) -> None:
    _write(app, _setting(value, QUEUE.format("out", "plain")))
    assert await _get(app, http) == (200, "ok")
    assert await _messages(app, "plain", len(bodies)) == [(body, "application/octet-stream") for body in bodies]


async def test_none_sends_nothing(app: App, bus: Bus, http: aiohttp.ClientSession) -> None:
    _write(app, _setting("None", QUEUE.format("out", "plain")))
    assert await _get(app, http) == (200, "ok")
    assert bus.depth("plain") == 0


async def test_a_return_value_is_a_message(app: App, bus: Bus) -> None:
    trigger = '@app.service_bus_queue_trigger(arg_name="msg", queue_name="plain", connection="BUS")\n'
    output = '@app.service_bus_topic_output(arg_name="$return", topic_name="%TOPIC%", connection="BUS")\n'
    app.settings["TOPIC"] = "events"
    body = "    return msg.get_body().decode() + '!'\n"
    _write(app, f"{trigger}{output}async def f(msg: func.ServiceBusMessage) -> str:\n{body}")
    await app.start()
    await bus.send("plain", ServiceBusMessage("again"))
    async with bus.client() as client, client.get_subscription_receiver("events", "mine", max_wait_time=10) as receiver:
        (message,) = await receiver.receive_messages(1)
        assert str(message) == "again!"


async def test_a_queue_may_be_named_by_what_triggered_the_call(app: App, bus: Bus, http: aiohttp.ClientSession) -> None:
    code = _setting("'x'", QUEUE.format("out", "{queue}"))
    _write(app, code.replace('"a"', '"to/{queue}"'))
    assert await _get(app, http, "to/plain") == (200, "ok")
    assert await _messages(app, "plain", 1) == [("x", "application/octet-stream")]


async def test_an_output_that_cannot_be_written_fails_the_call(app: App, bus: Bus, http: aiohttp.ClientSession) -> None:
    app.settings["BUS"] = (
        "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true"
    )
    _write(app, _setting("'[no json]'", QUEUE.format("out", "plain")))
    assert (await _get(app, http))[0] == 500


async def test_outputs_are_written_from_worker_processes(app: App, bus: Bus, http: aiohttp.ClientSession) -> None:
    app.settings["FUNCTIONS_WORKER_PROCESS_COUNT"] = "2"
    _write(app, _setting("'x'", QUEUE.format("out", "plain")))
    assert await _get(app, http) == (200, "ok")
    assert await _messages(app, "plain", 1) == [("x", "application/octet-stream")]


WRITTEN = {
    "a document": (
        "func.Out[func.Document]",
        "func.Document.from_dict({'id': '1', 'at': '2026-01-01T00:00:00.120Z'})",
        "120Z",
    ),
    "a list": (
        "func.Out[func.DocumentList]",
        "func.DocumentList([func.Document.from_dict({'id': '1', 'at': '.120Z'})])",
        "120Z",
    ),
    "text, its dates rewritten": ("func.Out[str]", "json.dumps({'id': '1', 'at': '2026-01-01T00:00:00.120Z'})", ".12Z"),
}


@pytest.mark.parametrize(("annotation", "value", "end"), WRITTEN.values(), ids=WRITTEN)
async def test_documents_are_upserted(
    app: App, things: ContainerProxy, http: aiohttp.ClientSession, annotation: str, value: str, end: str
) -> None:
    await things.upsert_item({"id": "1", "old": True})
    _write(app, _setting(value, OUTPUT.format("out", "things", ""), annotation))
    assert await _get(app, http) == (200, "ok")
    found = await things.read_item("1", "1")
    assert "old" not in found and found["at"].endswith(end)


async def test_a_container_is_made_where_that_is_asked_for(
    app: App, things: ContainerProxy, http: aiohttp.ClientSession
) -> None:
    made = ', create_if_not_exists=True, partition_key="/kind"'
    document = "json.dumps({'id': '1', 'kind': 'k'})"
    _write(app, _setting(document, OUTPUT.format("out", "fresh", made)))
    assert await _get(app, http) == (200, "ok")
    async with CosmosClient.from_connection_string(app.settings["COSMOS"]) as client:
        fresh = client.get_database_client("shop").get_container_client("fresh")
        assert (await fresh.read_item("1", "k"))["kind"] == "k"


REFUSED_VALUES = {
    "no container": ("missing", "{'id': '1'}"),
    "no document": ("things", "'text'"),
    "no id": ("things", "{}"),
}


@pytest.mark.parametrize(("container", "value"), REFUSED_VALUES.values(), ids=REFUSED_VALUES)
async def test_what_cosmos_db_does_not_take_fails_the_call(
    app: App, things: ContainerProxy, http: aiohttp.ClientSession, container: str, value: str
) -> None:
    _write(app, _setting(value, OUTPUT.format("out", container, "")))
    assert (await _get(app, http))[0] == 500


async def test_a_document_is_read_by_its_id_and_partition_key(
    app: App, things: ContainerProxy, http: aiohttp.ClientSession
) -> None:
    await things.upsert_item({"id": "a/b", "at": "2026-01-01T00:00:00.120Z"} | {"id": "ab"})
    _write(
        app,
        '@app.route("things/{id}")\n'
        + INPUT.format('id="{id}", partition_key="{id}"')
        + "def f(req, docs: func.DocumentList) -> str:\n"
        + SHOWN,
    )
    host = await app.start()
    async with http.get(f"{host.url}/api/things/ab") as answer:
        (found,) = json.loads(await answer.text())
    assert (found["id"], found["at"]) == ("ab", "2026-01-01T00:00:00.12Z")
    async with http.get(f"{host.url}/api/things/none") as answer:
        assert (answer.status, await answer.text()) == (200, "null")


async def test_a_query_takes_values_of_the_call_and_never_their_text(
    app: App, things: ContainerProxy, http: aiohttp.ClientSession
) -> None:
    for name in ("red", "blue"):
        await things.upsert_item({"id": name, "color": name})
    query = INPUT.format('sql_query="SELECT * FROM c WHERE c.color = {color} OR c.color = {Query.or} ORDER BY c.id"')
    _write(app, '@app.route("color/{color}")\n' + query + "def f(req, docs: func.DocumentList) -> str:\n" + SHOWN)
    host = await app.start()
    for path, ids in {
        "red?or=none": ["red"],
        "red?or=blue": ["blue", "red"],
        "%22x%22%20OR%20true?or=none": [],
        "x'?or='%20OR%20''='": [],
    }.items():
        async with http.get(f"{host.url}/api/color/{path}") as answer:
            assert [document["id"] for document in json.loads(await answer.text())] == ids, path
    async with http.get(f"{host.url}/api/color/red") as answer:
        assert answer.status == 500, "nothing gives a value for {Query.or}"


async def test_without_a_query_all_documents_are_read(
    app: App, things: ContainerProxy, http: aiohttp.ClientSession
) -> None:
    for name in ("one", "two"):
        await things.upsert_item({"id": name})
    _write(app, ROUTE + INPUT.format("") + "def f(req, docs: str) -> str:\n    return docs\n")
    status, text = await _get(app, http)
    assert status == 200 and sorted(document["id"] for document in json.loads(text)) == ["one", "two"]


async def test_an_input_is_named_by_the_message_that_triggers(app: App, bus: Bus, things: ContainerProxy) -> None:
    await things.upsert_item({"id": "7", "name": "seven"})
    trigger = '@app.service_bus_queue_trigger(arg_name="msg", queue_name="plain", connection="BUS")\n'
    _write(
        app,
        trigger
        + INPUT.format('id="{thing}", partition_key="{thing}"')
        + "async def f(msg: func.ServiceBusMessage, docs: func.DocumentList):\n    seen.put_nowait(docs[0]['name'])\n",
    )
    await app.start()
    await bus.send("plain", ServiceBusMessage(json.dumps({"thing": "7"})))
    assert await app.seen() == ["seven"]


INCOMPLETE = {
    "no container": (INPUT.replace('"things"', '""').format(""), "containerName"),
    "an id and a query": (INPUT.format('id="1", sql_query="SELECT * FROM c"'), "one document or many"),
    "an old binding": (
        '@app.cosmos_db_input_v3(arg_name="docs", database_name="d", collection_name="c", '
        'connection_string_setting="COSMOS")\n',
        "extension bundle 3",
    ),
    "no queue": (QUEUE.format("docs", ""), "a queue or a topic"),
}


@pytest.mark.parametrize(("binding", "reason"), INCOMPLETE.values(), ids=INCOMPLETE)
async def test_a_binding_that_says_too_little_does_not_start(app: App, binding: str, reason: str) -> None:
    app.settings |= {
        "COSMOS": "AccountEndpoint=http://127.0.0.1:1/;AccountKey=YQ==;",
        "BUS": "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=b",
    }
    _write(app, f"{ROUTE}{binding}def bad(req, docs) -> str: ...\n")
    with pytest.raises(HostError, match=f"'bad'.*{reason}"):
        await app.start()


async def test_a_binding_whose_connection_is_not_set_does_not_start(app: App) -> None:
    _write(app, f"{ROUTE}{QUEUE.format('out', 'q')}def bad(req, out: func.Out[str]) -> str: ...\n")
    with pytest.raises(HostError, match=r"'bad'.*BUS is not set"):
        await app.start()
