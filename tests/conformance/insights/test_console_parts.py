"""What the console shows of the other parts, and does to them, over their own protocols: real parts, real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from azure.cosmos.aio import CosmosClient
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage

from localazure.clock import SystemClock
from localazure.cosmos import EMULATOR_KEY
from localazure.cosmos import PART as COSMOS
from localazure.functions.wire import Host
from localazure.part import Config
from localazure.servicebus import PART as SERVICE_BUS
from localazure.servicebus.wire import ServiceBusServer
from tests.conformance.durable.conftest import ask, host, hosts  # noqa: F401 - fixtures
from tests.conformance.functions.conftest import process  # noqa: F401 - a fixture

from .conftest import Insights, envelope, running
from .test_console_traces import get, status


def addressed(name: str) -> dict[str, Any]:
    """A subscription that takes what is `seen`, and what is addressed to it."""
    filters = ({"Label": "seen"}, {"To": name})
    return {
        "Name": name,
        "Rules": [
            {"Name": f"r{place}", "Properties": {"FilterType": "Correlation", "CorrelationFilter": each}}
            for place, each in enumerate(filters)
        ],
    }


ENTITIES = {
    "UserConfig": {
        "Namespaces": [
            {
                "Name": "local",
                "Queues": [{"Name": "plain"}, {"Name": "sessions", "Properties": {"RequiresSession": True}}],
                "Topics": [
                    {"Name": "news", "Subscriptions": [{"Name": "readers"}]},
                    {"Name": "views", "Subscriptions": [addressed("one"), addressed("other")]},
                ],
            }
        ]
    }
}
CONTAINERS = {"databases": [{"id": "shop", "containers": [{"id": "things", "partitionKey": "/kind"}]}]}
BODY = b'{"name": "<img src=x onerror=alert(1)>"}'


@asynccontextmanager
async def console(tmp_path: Path, **addresses: str) -> AsyncIterator[Insights]:
    """The part on the same state directory as what it looks at."""
    options = {"addresses": json.dumps(addresses)}
    async with running(options, SystemClock(), tmp_path) as made:
        yield made


async def post(insights: Insights, action: str, **body: Any) -> tuple[int, dict[str, Any]]:
    async with insights.session.post(f"{insights.url}/console/api/{action}", json=body) as answer:
        return answer.status, await answer.json()


# Queues


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[ServiceBusServer]:
    file = tmp_path / "entities.json"
    file.write_text(json.dumps(ENTITIES))
    server = await SERVICE_BUS.start(Config(state=tmp_path, options={"entities": str(file)}))
    assert isinstance(server, ServiceBusServer)
    yield server
    await server.stop()


@pytest.fixture
async def queues(bus: ServiceBusServer, tmp_path: Path) -> AsyncIterator[Insights]:
    async with console(tmp_path, servicebus=bus.url) as made:
        yield made


async def dead(bus: ServiceBusServer, *messages: Any, queue: str = "plain", session: str | None = None) -> None:
    """Send the messages, and move them to the dead letters with a reason."""
    async with ServiceBusClient.from_connection_string(bus.connection_string) as client:
        async with client.get_queue_sender(queue) as sender:
            for message in messages:
                await sender.send_messages(message)
        async with client.get_queue_receiver(queue, session_id=session) as receiver:
            left = len(messages)
            while left:
                for message in await receiver.receive_messages(max_message_count=left, max_wait_time=5):
                    await receiver.dead_letter_message(message, reason="unreadable", error_description="no <b>JSON</b>")
                    left -= 1


def depth(found: list[dict[str, Any]], entity: str) -> tuple[int, int]:
    (one,) = [each for each in found if each["entity"] == entity]
    return one["active"], one["dead"]


async def test_every_queue_and_subscription_has_its_depths(queues: Insights, bus: ServiceBusServer) -> None:
    await dead(bus, ServiceBusMessage(BODY, message_id="m1"))
    found = await get(queues, "queues")
    assert {each["entity"] for each in found} == {
        "plain",
        "sessions",
        "news/subscriptions/readers",
        "views/subscriptions/one",
        "views/subscriptions/other",
    }
    assert depth(found, "plain") == (0, 1)


async def test_a_dead_letter_is_shown_with_its_reason_and_stays(queues: Insights, bus: ServiceBusServer) -> None:
    await dead(bus, ServiceBusMessage(BODY, message_id="m1", subject="thing", application_properties={"n": 1}))
    for _ in range(2):
        (message,) = await get(queues, "messages", entity="plain", dead="true")
        assert (message["id"], message["subject"], message["reason"]) == ("m1", "thing", "unreadable")
        assert message["description"] == "no <b>JSON</b>"
        assert message["body"].encode() == BODY
        assert message["properties"]["n"] == "1"


async def test_a_dead_letter_is_sent_again_under_a_new_id(queues: Insights, bus: ServiceBusServer) -> None:
    sent = ServiceBusMessage(
        BODY, message_id="m1", subject="thing", content_type="application/json", application_properties={"n": 1}
    )
    await dead(bus, sent, ServiceBusMessage(b"other", message_id="m2"))
    first, _ = await get(queues, "messages", entity="plain", dead="true")
    code, answer = await post(queues, "send-again", entity="plain", sequence=first["sequence"])
    assert (code, answer["id"] == "m1") == (200, False)
    assert depth(await get(queues, "queues"), "plain") == (1, 1)
    (message,) = await get(queues, "messages", entity="plain", dead="false")
    assert (message["id"], message["subject"], message["type"]) == (answer["id"], "thing", "application/json")
    assert (message["body"].encode(), message["properties"]) == (BODY, {"n": "1"})
    (left,) = await get(queues, "messages", entity="plain", dead="true")
    assert left["id"] == "m2"


async def test_of_two_who_send_it_again_one_does(queues: Insights, bus: ServiceBusServer) -> None:
    await dead(bus, ServiceBusMessage(BODY))
    (letter,) = await get(queues, "messages", entity="plain", dead="true")
    both = [post(queues, "send-again", entity="plain", sequence=letter["sequence"]) for _ in range(2)]
    assert sorted([code for code, _ in await asyncio.gather(*both)]) == [200, 404]
    assert depth(await get(queues, "queues"), "plain") == (1, 0)


async def test_a_message_of_a_session_stays_in_it(queues: Insights, bus: ServiceBusServer) -> None:
    await dead(bus, ServiceBusMessage(BODY, session_id="s1"), queue="sessions", session="s1")
    (letter,) = await get(queues, "messages", entity="sessions", dead="true")
    assert (await post(queues, "send-again", entity="sessions", sequence=letter["sequence"]))[0] == 200
    async with (
        ServiceBusClient.from_connection_string(bus.connection_string) as client,
        client.get_queue_receiver("sessions", session_id="s1") as receiver,
    ):
        (message,) = await receiver.receive_messages(max_wait_time=5)
        assert b"".join(message.body) == BODY


@pytest.mark.parametrize("body", [{"value_body": {"a": 1}}, {"sequence_body": [[1, 2], [3]]}], ids=str)
async def test_a_body_of_amqp_values_is_shown_and_sent_again(
    queues: Insights, bus: ServiceBusServer, body: dict[str, Any]
) -> None:
    await dead(bus, AmqpAnnotatedMessage(**body))
    (letter,) = await get(queues, "messages", entity="plain", dead="true")
    assert "1" in letter["body"]
    assert (await post(queues, "send-again", entity="plain", sequence=letter["sequence"]))[0] == 200
    (message,) = await get(queues, "messages", entity="plain", dead="false")
    assert message["body"] == letter["body"]


async def test_a_dead_letter_of_a_subscription_goes_back_to_its_topic(queues: Insights, bus: ServiceBusServer) -> None:
    async with ServiceBusClient.from_connection_string(bus.connection_string) as client:
        async with client.get_topic_sender("news") as sender:
            await sender.send_messages(ServiceBusMessage(BODY))
        async with client.get_subscription_receiver("news", "readers") as receiver:
            (message,) = await receiver.receive_messages(max_wait_time=5)
            await receiver.dead_letter_message(message)
        entity = "news/subscriptions/readers"
        (letter,) = await get(queues, "messages", entity=entity, dead="true")
        assert (await post(queues, "send-again", entity=entity, sequence=letter["sequence"]))[0] == 200
        of = ServiceBusSubQueue.DEAD_LETTER
        async with client.get_subscription_receiver("news", "readers", sub_queue=of) as receiver:
            assert await receiver.peek_messages() == []
        async with client.get_subscription_receiver("news", "readers") as receiver:
            assert len(await receiver.peek_messages()) == 1


async def test_one_of_several_subscriptions_hears_it_again_where_a_rule_tells_them_apart(
    queues: Insights, bus: ServiceBusServer
) -> None:
    async with ServiceBusClient.from_connection_string(bus.connection_string) as client:
        async with client.get_topic_sender("views") as sender:
            await sender.send_messages(ServiceBusMessage(BODY, subject="seen"))
        async with client.get_subscription_receiver("views", "one") as receiver:
            (message,) = await receiver.receive_messages(max_wait_time=5)
            await receiver.dead_letter_message(message)
        (letter,) = await get(queues, "messages", entity="views/subscriptions/one", dead="true")
        code, answer = await post(queues, "send-again", entity="views/subscriptions/one", sequence=letter["sequence"])
        assert code == 200
        async with client.get_subscription_receiver("views", "one") as receiver:
            assert [message.message_id for message in await receiver.peek_messages()] == [answer["id"]]
        async with client.get_subscription_receiver("views", "other") as receiver:
            assert [message.subject for message in await receiver.peek_messages()] == ["seen"]


async def test_what_is_not_there_cannot_be_sent_again(queues: Insights, bus: ServiceBusServer) -> None:
    await dead(bus, ServiceBusMessage(BODY))
    for entity, sequence in (("plain", 99), ("nowhere", 1), ("news/subscriptions/nobody", 1)):
        assert (await post(queues, "send-again", entity=entity, sequence=sequence))[0] == 404
    assert (await post(queues, "send-again", entity="plain", sequence=0))[0] == 400
    assert depth(await get(queues, "queues"), "plain") == (0, 1)


async def test_a_broker_that_is_away_is_named(tmp_path: Path, bus: ServiceBusServer) -> None:
    async with console(tmp_path, servicebus=bus.url) as made:
        await bus.stop()
        assert await status(made, "queues") == 502
        assert await status(made, "messages", entity="plain") == 502
    await bus.start()


# Workflows


@pytest.fixture
async def workflows(host: Host, tmp_path: Path) -> AsyncIterator[Insights]:  # noqa: F811 - the fixture
    async with console(tmp_path, functions=host.url) as made:
        yield made


async def begun(host: Host, identifier: str) -> None:  # noqa: F811 - the fixture
    assert (await ask(host, "POST", f"orchestrators/hears/{quote(identifier)}", "1")).status == 202


async def until(insights: Insights, identifier: str, wanted: str) -> dict[str, Any]:
    async with asyncio.timeout(15):
        while (found := await get(insights, "workflow", host="functions", id=identifier))["status"] != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return dict(found)


async def test_instances_are_counted_by_status_and_found(workflows: Insights, host: Host) -> None:  # noqa: F811
    await begun(host, "one")
    await begun(host, "other")
    await until(workflows, "one", "Running")
    await until(workflows, "other", "Running")
    found = await get(workflows, "workflows", prefix="on")
    assert [each["id"] for each in found["instances"]] == ["one"]
    found = await get(workflows, "workflows")
    assert found["counts"]["Running"] == 2
    assert [each["id"] for each in (await get(workflows, "workflows", status="Completed"))["instances"]] == []
    assert await status(workflows, "workflows", status="Sleepy") == 400


async def test_an_event_is_raised_and_stands_in_the_history(workflows: Insights, host: Host) -> None:  # noqa: F811
    await begun(host, "a b&c")
    await until(workflows, "a b&c", "Running")
    code, _ = await post(workflows, "raise", host="functions", id="a b&c", name="go", data={"x": "<script>"})
    assert code == 200
    found = await until(workflows, "a b&c", "Completed")
    assert found["output"] == {"x": "<script>"}
    assert "EventRaised" in [event["EventType"] for event in found["history"]]
    code, answer = await post(workflows, "raise", host="functions", id="a b&c", name="go")
    assert (code, answer["error"]["message"]) == (409, "the instance has ended")


async def test_an_instance_is_terminated(workflows: Insights, host: Host) -> None:  # noqa: F811
    await begun(host, "one")
    await until(workflows, "one", "Running")
    assert (await post(workflows, "terminate", host="functions", id="one", reason="enough"))[0] == 200
    assert (await until(workflows, "one", "Terminated"))["output"] == "enough"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"host": "functions", "id": "nobody"}, 404),
        ({"host": "elsewhere", "id": "one"}, 404),
        ({"host": "functions", "id": "x" * 200}, 400),
        ({"host": "functions", "id": "../../admin/host"}, 404),
        ({"id": "one"}, 400),
    ],
)
async def test_what_cannot_be_terminated(workflows: Insights, body: dict[str, str], code: int) -> None:
    assert (await post(workflows, "terminate", **body))[0] == code


async def test_a_host_that_asks_for_keys_is_shown_its_own(
    hosts: Any,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    folder = tmp_path / "functions" / "secrets"
    folder.mkdir(parents=True)
    (folder / "host.json").write_text('{"masterKey": {"name": "master", "value": "m", "encrypted": false}}')
    started = await hosts.start()
    assert (await ask(started, "GET", "instances")).status == 401
    async with console(tmp_path, functions=started.url) as made:
        assert (await get(made, "workflows"))["hosts"] == ["functions"]


# Data


@pytest.fixture
async def data(tmp_path: Path) -> AsyncIterator[Insights]:
    declared = tmp_path / "containers.json"
    declared.write_text(json.dumps(CONTAINERS))
    server = await COSMOS.start(Config(options={"containers": str(declared)}))
    shown = tmp_path / "console.json"
    lookup = {"title": "kind", "database": "shop", "container": "things", "query": "SELECT VALUE c.id FROM c"}
    shown.write_text(json.dumps({"subject": {"dimension": "thing_id"}, "lookups": [lookup]}))
    async with CosmosClient(server.url, EMULATOR_KEY) as client:
        things = client.get_database_client("shop").get_container_client("things")
        for number in range(120):
            await things.create_item({"id": str(number), "kind": f"k{number % 3}", "name": "<b>bold</b>"})
    options = {"addresses": json.dumps({"cosmos": server.url}), "console": str(shown)}
    async with running(options, SystemClock()) as made:
        yield made
    await server.stop()


async def test_containers_are_listed_with_their_partition_keys(data: Insights) -> None:
    found = await get(data, "containers")
    assert {"database": "shop", "container": "things", "partition_key": ["/kind"]} in found


async def test_items_come_page_by_page(data: Insights) -> None:
    seen, continuation = set[str](), None
    while True:
        body = {"database": "shop", "container": "things", "query": "SELECT * FROM c", "continuation": continuation}
        code, page = await post(data, "documents", **body)
        assert code == 200
        assert len(page["items"]) <= 50
        assert page["charge"] > 0
        seen |= {item["id"] for item in page["items"]}
        if not (continuation := page["continuation"]):
            break
    assert len(seen) == 120


@pytest.mark.parametrize(
    ("query", "items"),
    [("SELECT VALUE COUNT(1) FROM c", [120]), ("SELECT TOP 1 c.name FROM c ORDER BY c.id", [{"name": "<b>bold</b>"}])],
)
async def test_a_query_is_answered(data: Insights, query: str, items: list[Any]) -> None:
    assert (await post(data, "documents", database="shop", container="things", query=query))[1]["items"] == items


@pytest.mark.parametrize(
    ("query", "container", "code"),
    [
        ("SELECT", "things", 400),
        ("DELETE FROM c", "things", 400),
        ("", "things", 400),
        ("x" * 20_000, "things", 400),
        ("SELECT 1", "no", 404),
    ],
)
async def test_what_cannot_be_read_is_refused(data: Insights, query: str, container: str, code: int) -> None:
    assert (await post(data, "documents", database="shop", container=container, query=query))[0] == code


async def test_subjects_are_found_by_what_another_container_says(data: Insights) -> None:
    await data.send(envelope(_time=datetime.now(UTC).isoformat(), properties={"thing_id": "4"}))
    found = await get(data, "search", text="k1")
    assert (found["by"], [each["subject"] for each in found["subjects"]]) == ("kind", ["4"])
    assert (await get(data, "search", text="k9"))["subjects"] == []
