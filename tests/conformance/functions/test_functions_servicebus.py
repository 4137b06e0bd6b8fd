"""Service Bus triggers and outputs: the real host between the local broker and the official clients."""

from __future__ import annotations

import asyncio
import gc
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus import ServiceBusClient as BlockingClient
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage

from localazure.functions.errors import HostError
from localazure.part import Config
from localazure.servicebus import PART
from localazure.servicebus.wire import ServiceBusServer

from .conftest import App

# The client leaves the socket of a connection that its peer broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

QUEUE = '@app.service_bus_queue_trigger(arg_name="msg", queue_name="{}", connection="BUS"{})'
BODIES = f"""
{QUEUE.format("plain", "")}
async def record(msg: func.ServiceBusMessage) -> None:
    seen.put_nowait(msg.get_body().decode())
"""


def _entities(path: Path) -> Path:
    queues = [
        {"Name": "plain", "Properties": {"MaxDeliveryCount": 3}},
        {"Name": "other", "Properties": {}},
        {"Name": "sessions", "Properties": {"RequiresSession": True}},
    ]
    topics = [{"Name": "events", "Properties": {}, "Subscriptions": [{"Name": "mine", "Properties": {}}]}]
    namespaces = [{"Name": "ns", "Queues": queues, "Topics": topics}]
    path.write_text(json.dumps({"UserConfig": {"Namespaces": namespaces}}))
    return path


class Bus:
    """The broker, which can be stopped and started again on its port and its file."""

    def __init__(self, directory: Path) -> None:
        self._state = directory / "bus"
        self._options = {"entities": str(_entities(directory / "entities.json"))}
        self.server: ServiceBusServer | None = None

    async def start(self, port: int = 0) -> ServiceBusServer:
        config = Config(port=port, state=self._state, options=self._options)
        self.server = cast(ServiceBusServer, await PART.start(config))
        return self.server

    async def stop(self) -> int:
        """The port that it had."""
        assert self.server is not None
        server, self.server = self.server, None
        await server.stop()
        return server.port

    def client(self) -> ServiceBusClient:
        assert self.server is not None
        return ServiceBusClient.from_connection_string(self.server.connection_string)

    async def send(self, entity: str, *messages: ServiceBusMessage | AmqpAnnotatedMessage) -> None:
        async with self.client() as client, client.get_queue_sender(entity) as sender:
            await sender.send_messages(list[Any](messages))

    async def receive(self, entity: str, count: int, **options: Any) -> list[str]:
        async with self.client() as client, client.get_queue_receiver(entity, max_wait_time=10, **options) as receiver:
            taken: list[str] = []
            async with asyncio.timeout(15):
                while len(taken) < count:
                    for message in await receiver.receive_messages(1):
                        taken.append(str(message))
                        await receiver.complete_message(message)
            return taken

    def depth(self, entity: str) -> int:
        """Messages that have not been settled, locked ones included."""
        assert self.server is not None
        return sum(self.server.broker.depths()[entity].values())


@pytest.fixture
async def bus(tmp_path: Path, app: App) -> AsyncIterator[Bus]:
    made = Bus(tmp_path)
    server = await made.start()
    app.settings["BUS"] = server.connection_string
    yield made
    await app.stop()
    if made.server is not None:
        await made.stop()
    gc.collect()  # here, where its warnings are expected, and not in the middle of another module


async def test_a_message_is_completed_once_its_function_has_returned(app: App, bus: Bus) -> None:
    app.write(BODIES)
    await app.start()
    await bus.send("plain", ServiceBusMessage("one"), ServiceBusMessage("two"))
    assert sorted(await app.seen(2)) == ["one", "two"]
    await app.stop()
    assert bus.depth("plain") == 0


async def test_the_blocking_client_is_heard_as_well(app: App, bus: Bus) -> None:
    app.write(BODIES)
    await app.start()
    assert bus.server is not None
    connection = bus.server.connection_string

    def send() -> None:
        with BlockingClient.from_connection_string(connection) as client, client.get_queue_sender("plain") as sender:
            sender.send_messages(ServiceBusMessage("from a thread"))

    await asyncio.to_thread(send)
    assert await app.seen() == ["from a thread"]


async def test_a_message_whose_function_raises_comes_again_and_at_last_is_dead_lettered(app: App, bus: Bus) -> None:
    app.write(f"""
{QUEUE.format("plain", "")}
async def fail(msg: func.ServiceBusMessage) -> None:
    seen.put_nowait(msg.delivery_count)
    raise RuntimeError("never")
""")
    await app.start()
    await bus.send("plain", ServiceBusMessage("poison", message_id="p1"))
    assert await app.seen(3) == [1, 2, 3]
    assert await bus.receive("plain", 1, sub_queue=ServiceBusSubQueue.DEAD_LETTER) == ["poison"]


async def test_a_poison_message_does_not_hold_up_the_others(app: App, bus: Bus) -> None:
    app.write(f"""
{QUEUE.format("plain", "")}
async def picky(msg: func.ServiceBusMessage) -> None:
    body = msg.get_body().decode()
    if body == "poison":
        raise RuntimeError(body)
    seen.put_nowait(body)
""")
    await app.start()
    await bus.send("plain", ServiceBusMessage("poison"), *(ServiceBusMessage(str(n)) for n in range(20)))
    assert sorted(map(int, await app.seen(20))) == list(range(20))


async def test_the_function_gets_everything_that_was_said_of_the_message(app: App, bus: Bus) -> None:
    app.write(f"""
{QUEUE.format("plain", ', data_type="binary"')}
async def tell(msg: func.ServiceBusMessage) -> None:
    seen.put_nowait(msg)
""")
    await app.start()
    sent = ServiceBusMessage(
        b"\x00\xff",
        message_id="m-1",
        correlation_id="c-1",
        subject="thing.made",
        content_type="application/octet-stream",
        reply_to="answers",
        reply_to_session_id="s-9",
        to="somebody",
        application_properties={"text": "ü", "count": 7, "yes": True},
    )
    await bus.send("plain", sent)
    (message,) = await app.seen()
    assert message.get_body() == b"\x00\xff"
    assert (message.message_id, message.correlation_id) == ("m-1", "c-1")
    assert (message.subject, message.label) == ("thing.made", "thing.made")
    assert (message.content_type, message.to) == ("application/octet-stream", "somebody")
    assert (message.reply_to, message.reply_to_session_id) == ("answers", "s-9")
    assert message.application_properties == message.user_properties == {"text": "ü", "count": 7, "yes": True}
    assert (message.delivery_count, message.sequence_number) == (1, 1)
    assert message.enqueued_time_utc < message.expires_at_utc
    assert message.lock_token


TELL = f"""
{QUEUE.format("plain", "{}")}
async def tell(msg: func.ServiceBusMessage) -> None:
    seen.put_nowait(msg)
"""
NAMES = {
    *(
        "ApplicationProperties",
        "Client",
        "DeliveryCount",
        "EnqueuedTime",
        "EnqueuedTimeUtc",
        "ExpiresAt",
        "ExpiresAtUtc",
    ),
    *("LockToken", "MessageActions", "MessageId", "MessageReceiver", "MessageSession", "ReceiveActions"),
    *("SequenceNumber", "SessionActions", "UserProperties"),
}
"""What the metadata of a message of which nothing was said has."""


async def test_what_was_not_said_of_a_message_is_none(app: App, bus: Bus) -> None:
    app.write(TELL.format(""))
    await app.start()
    await bus.send("plain", ServiceBusMessage(b"", message_id="m"))
    (message,) = await app.seen()
    assert message.get_body() == b""
    assert [message.correlation_id, message.session_id, message.subject, message.reply_to] == [None] * 4
    assert [message.locked_until, message.scheduled_enqueue_time_utc, message.enqueued_sequence_number] == [None] * 3
    assert [message.dead_letter_reason, message.dead_letter_error_description] == [None] * 2
    assert set(message.metadata) == NAMES


async def test_the_metadata_has_the_forms_that_the_dotnet_host_gives_it(app: App, bus: Bus) -> None:
    app.write(TELL.format(""))
    await app.start()
    await bus.send("plain", ServiceBusMessage("x", application_properties={"a": 1}, subject="s"))
    (message,) = await app.seen()
    metadata = message.metadata
    assert (metadata["DeliveryCount"], metadata["SequenceNumber"], metadata["UserProperties"]) == (1, 1, {"a": 1})
    assert (metadata["Subject"], metadata["Label"], metadata["MessageActions"]) == ("s", "s", {})
    assert set(metadata["Client"]) == {"FullyQualifiedNamespace", "IsClosed", "TransportType", "Identifier"}
    assert metadata["EnqueuedTime"] == f"{metadata['EnqueuedTimeUtc']}+00:00"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?", metadata["EnqueuedTimeUtc"])
    assert message.enqueued_time_utc.tzinfo is None
    assert message.expires_at_utc.tzinfo is None


EVIL = {"subject": "evil", "messageId": "evil", "deliveryCount": 99, "label": "evil", "sequenceNumber": "77"}


async def test_what_a_body_says_wins_over_the_messages_own_properties(app: App, bus: Bus) -> None:
    app.write(TELL.format(""))
    await app.start()
    await bus.send("plain", ServiceBusMessage(json.dumps(EVIL), message_id="good", subject="good"))
    (message,) = await app.seen()
    assert (message.message_id, message.subject, message.label) == ("evil", "evil", "evil")
    assert (message.delivery_count, message.sequence_number) == (99, 77)
    assert (message.metadata["DeliveryCount"], message.metadata["SequenceNumber"]) == ("99", "77")
    assert json.loads(message.get_body()) == EVIL


async def test_a_time_in_a_body_that_the_worker_cannot_read_keeps_the_message_from_the_function(
    app: App, bus: Bus
) -> None:
    app.write(TELL.format(""))
    await app.start()
    await bus.send("plain", ServiceBusMessage('{"enqueuedTimeUtc": "2026-01-01T00:00:00Z"}'))
    assert await bus.receive("plain", 1, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    assert app.module.seen.empty()


@pytest.mark.parametrize(
    ("body", "metadata"),
    [
        (
            {"time": "2026-01-01T02:00:00.5+02:00", "yes": True, "half": 0.5, "big": 1e22, "small": 1e-7, "ten": 10.0},
            {
                "time": "01/01/2026 00:00:00",
                "yes": "True",
                "half": "0.5",
                "big": "1E+22",
                "small": "1E-07",
                "ten": "10",
            },
        ),
        (
            {"object": {"at": "2026-01-01T00:00:00.10Z"}, "no": None, "list": [1]},
            {"object": {"at": "2026-01-01T00:00:00.1Z"}},
        ),
        ("  {'subject': /* not JSON */ \"evil\",}  ", {"Subject": "evil"}),
        ('[{"subject": "evil"}]', {}),
        ('{"subject": "evil"', {}),
        ('"subject"', {}),
    ],
)
async def test_members_of_a_body_become_metadata_as_dotnet_writes_them(
    app: App, bus: Bus, body: Any, metadata: dict[str, Any]
) -> None:
    app.write(TELL.format(""))
    await app.start()
    await bus.send("plain", ServiceBusMessage(body if isinstance(body, str) else json.dumps(body)))
    (message,) = await app.seen()
    assert {name: value for name, value in message.metadata.items() if name not in NAMES} == metadata


async def test_a_binary_body_is_replaced_unless_the_trigger_wants_bytes(app: App, bus: Bus) -> None:
    app.write(
        TELL.format("")
        + TELL.format(", data_type=func.DataType.BINARY").replace("plain", "other").replace("tell", "raw")
    )
    await app.start()
    for queue, body in (("plain", b"\xef\xbf\xbd\xef\xbf\xbd\x00"), ("other", b"\xff\xfe\x00")):
        await bus.send(queue, ServiceBusMessage(b"\xff\xfe\x00"))
        (message,) = await app.seen()
        assert message.get_body() == body
    await bus.send("other", ServiceBusMessage(json.dumps(EVIL), subject="good"))
    (message,) = await app.seen()
    assert (message.subject, message.delivery_count) == ("good", 1)


async def test_a_value_body_that_is_text_is_given_and_any_other_body_never_reaches_the_function(
    app: App, bus: Bus
) -> None:
    app.write(TELL.format(""))
    await app.start()
    for body in (AmqpAnnotatedMessage(value_body=5), AmqpAnnotatedMessage(sequence_body=[["x"]])):
        await bus.send("plain", body)
        async with (
            bus.client() as client,
            client.get_queue_receiver("plain", sub_queue=ServiceBusSubQueue.DEAD_LETTER, max_wait_time=10) as receiver,
        ):
            (dead,) = await receiver.receive_messages(1)
            assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
            await receiver.complete_message(dead)
    await bus.send("plain", AmqpAnnotatedMessage(value_body="text"))
    (message,) = await app.seen()
    assert (message.get_body(), message.delivery_count) == (b"text", 1)


BATCH = f"""
from typing import List

{QUEUE.format("plain", ', cardinality="many"{}')}
async def batch(msg: List[func.ServiceBusMessage]) -> None:
    seen.put_nowait(msg)
"""


async def test_a_batch_has_arrays_from_which_empty_texts_are_missing(app: App, bus: Bus) -> None:
    app.write(BATCH.format(""))
    await bus.send(
        "plain",
        ServiceBusMessage("1", message_id="a", partition_key="p"),
        ServiceBusMessage(
            '{"at": "2026-01-01T00:00:00.10Z", "subject": "evil"}', message_id="b", correlation_id="of b"
        ),
    )
    await app.start()
    (batch,) = await app.seen()
    metadata = batch[0].metadata
    assert (metadata["MessageIdArray"], metadata["SequenceNumberArray"], metadata["DeliveryCountArray"]) == (
        ["a", "b"],
        [1, 2],
        [1, 1],
    )
    assert (metadata["SubjectArray"], metadata["CorrelationIdArray"]) == ([], ["of b"])
    assert metadata["TransactionPartitionKeyArray"] == metadata["PartitionKeyArray"] == ["p"]
    assert {f"{name}Array" for name in NAMES if "Actions" not in name and "Message" not in name} - {
        "ClientArray"
    } <= set(metadata)
    assert batch[0].correlation_id == "of b"  # Azure's own fault: what is missing moves the others up
    assert batch[1].subject is None
    assert [message.get_body() for message in batch] == [
        b"1",
        b'{"at": "2026-01-01T00:00:00.1+00:00", "subject": "evil"}',
    ]
    assert batch[0].enqueued_time_utc.tzinfo is None


async def test_a_batch_must_be_json_unless_the_trigger_wants_text(app: App, bus: Bus) -> None:
    app.write(
        BATCH.format("")
        + BATCH.format(", data_type=func.DataType.STRING").replace("plain", "other").replace("batch", "text")
    )
    await app.start()
    for queue in ("plain", "other"):
        await bus.send(queue, ServiceBusMessage("not JSON"))
    (batch,) = await app.seen()
    assert [message.get_body() for message in batch] == [b"not JSON"]
    assert await bus.receive("plain", 1, sub_queue=ServiceBusSubQueue.DEAD_LETTER) == ["not JSON"]
    assert app.module.seen.empty()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (", auto_complete_messages=False", "autoCompleteMessages=false"),
        (', auto_complete_messages="false"', "autoCompleteMessages=false"),
        (", data_type=func.DataType.STREAM", "dataType must be one of string, binary, not 'stream'"),
        (', is_sessions_enabled="perhaps"', "isSessionsEnabled must be true or false"),
    ],
)
async def test_an_option_that_makes_no_sense_stops_the_start(app: App, bus: Bus, options: str, reason: str) -> None:
    app.write(TELL.format(options))
    with pytest.raises(HostError, match=f"'tell'.*{reason}"):
        await app.start()


async def test_a_trigger_that_completes_its_messages_may_do_so_where_host_json_does_not(app: App, bus: Bus) -> None:
    app.host_file["extensions"] = {"serviceBus": {"autoCompleteMessages": "false"}}
    app.write(TELL.format(', auto_complete_messages="true"'))
    await app.start()
    await bus.send("plain", ServiceBusMessage("x"))
    await app.seen()
    await app.stop()
    assert bus.depth("plain") == 0


async def test_a_subscription_is_listened_to_like_a_queue(app: App, bus: Bus) -> None:
    app.settings["TOPIC"] = "events"
    app.write("""
@app.service_bus_topic_trigger(arg_name="msg", topic_name="%TOPIC%", subscription_name="mine", connection="BUS")
async def on_event(msg: func.ServiceBusMessage) -> None:
    seen.put_nowait(msg.get_body().decode())
""")
    await app.start()
    async with bus.client() as client, client.get_topic_sender("events") as sender:
        await sender.send_messages(ServiceBusMessage("published"))
    assert await app.seen() == ["published"]


async def test_no_more_calls_run_at_once_than_host_json_allows(app: App, bus: Bus) -> None:
    app.host_file["extensions"] = {"serviceBus": {"maxConcurrentCalls": 3, "prefetchCount": 10}}
    app.write(f"""
running = 0
together = asyncio.Semaphore(0)

{QUEUE.format("plain", "")}
async def slow(msg: func.ServiceBusMessage) -> None:
    global running
    running += 1
    seen.put_nowait(running)
    await together.acquire()
    running -= 1
""")
    await app.start()
    await bus.send("plain", *(ServiceBusMessage(str(n)) for n in range(9)))
    assert await app.seen(3) == [1, 2, 3]
    for _ in range(9):
        app.module.together.release()
    assert max(await app.seen(6)) <= 3


async def test_cardinality_many_gives_what_has_come_in_as_one_list(app: App, bus: Bus) -> None:
    app.write(f"""
from typing import List

{QUEUE.format("plain", ', cardinality="many"')}
async def batch(msg: List[func.ServiceBusMessage]) -> None:
    seen.put_nowait([(item.message_id, item.get_body().decode(), dict(item.user_properties)) for item in msg])
""")
    sent = [ServiceBusMessage(str(n), message_id=f"m{n}", application_properties={"n": n}) for n in range(5)]
    await bus.send("plain", *sent)
    await app.start()
    taken: list[Any] = []
    while len(taken) < 5:
        taken += (await app.seen())[0]
    assert sorted(taken) == [(f"m{n}", str(n), {"n": n}) for n in range(5)]
    await app.stop()
    assert bus.depth("plain") == 0


async def test_a_broker_that_restarts_is_listened_to_again(app: App, bus: Bus) -> None:
    app.write(BODIES)
    await app.start()
    await bus.send("plain", ServiceBusMessage("before"))
    assert await app.seen() == ["before"]
    await bus.start(await bus.stop())
    await bus.send("plain", ServiceBusMessage("after"))
    assert await app.seen() == ["after"]


async def test_a_host_that_starts_before_the_broker_finds_it_later(app: App, bus: Bus) -> None:
    port = await bus.stop()
    app.write(BODIES)
    await app.start()
    await bus.start(port)
    await bus.send("plain", ServiceBusMessage("at last"))
    assert await app.seen() == ["at last"]


async def test_a_call_under_way_is_finished_and_settled_while_the_host_stops(app: App, bus: Bus) -> None:
    app.write(f"""
go = asyncio.Event()

{QUEUE.format("plain", "")}
async def slow(msg: func.ServiceBusMessage) -> None:
    seen.put_nowait("started")
    await go.wait()
    seen.put_nowait("ended")
""")
    await app.start()
    await bus.send("plain", ServiceBusMessage("work"))
    assert await app.seen() == ["started"]
    stopping = asyncio.create_task(app.stop())
    app.module.go.set()
    await stopping
    assert await app.seen() == ["ended"]
    assert bus.depth("plain") == 0


async def test_what_was_not_handled_before_the_host_stopped_is_there_for_the_next_one(app: App, bus: Bus) -> None:
    app.write(BODIES)
    await app.start()
    await app.stop()
    await bus.send("plain", ServiceBusMessage("kept"))
    await app.start()
    assert await app.seen() == ["kept"]


async def test_a_session_can_be_taken_by_a_client_once_the_host_has_stopped(app: App, bus: Bus) -> None:
    app.host_file["extensions"] = {"serviceBus": {"maxConcurrentSessions": 1}}
    app.write(f"""
{QUEUE.format("sessions", ", is_sessions_enabled=True")}
async def take(msg: func.ServiceBusMessage) -> None:
    seen.put_nowait(msg.session_id)
""")
    await app.start()
    await bus.send("sessions", ServiceBusMessage("1", session_id="a"))
    assert await app.seen() == ["a"]
    await app.stop()
    await bus.send("sessions", ServiceBusMessage("2", session_id="a"))
    assert await bus.receive("sessions", 1, session_id=NEXT_AVAILABLE_SESSION) == ["2"]


async def test_a_session_is_handled_in_its_order_while_others_go_on(app: App, bus: Bus) -> None:
    app.host_file["extensions"] = {"serviceBus": {"maxConcurrentSessions": 2, "sessionIdleTimeout": "00:00:01"}}
    app.write(f"""
{QUEUE.format("sessions", ", is_sessions_enabled=True")}
async def in_order(msg: func.ServiceBusMessage) -> None:
    seen.put_nowait((msg.session_id, msg.get_body().decode()))
""")
    await bus.send("sessions", *(ServiceBusMessage(str(n), session_id="ab"[n % 2]) for n in range(10)))
    await app.start()
    taken = await app.seen(10)
    for session in "ab":
        assert [int(body) for name, body in taken if name == session] == list(range("ab".index(session), 10, 2))
    await app.stop()
    assert bus.depth("sessions") == 0


async def test_more_sessions_than_slots_are_all_handled(app: App, bus: Bus) -> None:
    app.host_file["extensions"] = {"serviceBus": {"maxConcurrentSessions": 1, "sessionIdleTimeout": "00:00:01"}}
    app.write(f"""
{QUEUE.format("sessions", ", is_sessions_enabled=True")}
async def take(msg: func.ServiceBusMessage) -> None:
    seen.put_nowait(msg.session_id)
""")
    await bus.send("sessions", *(ServiceBusMessage("x", session_id=name) for name in ("a", "b", "c")))
    await app.start()
    assert sorted(await app.seen(3)) == ["a", "b", "c"]


async def test_a_retry_policy_is_honoured_in_place_before_the_message_is_given_up(app: App, bus: Bus) -> None:
    app.write(f"""
{QUEUE.format("plain", "")}
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
async def fail(msg: func.ServiceBusMessage, context: func.Context) -> None:
    seen.put_nowait((msg.delivery_count, context.retry_context.retry_count, context.invocation_id))
    raise RuntimeError("never")
""")
    await app.start()
    await bus.send("plain", ServiceBusMessage("poison"))
    given = await app.seen(9)
    assert [item[:2] for item in given] == [(delivery, attempt) for delivery in (1, 2, 3) for attempt in (0, 1, 2)]
    assert len({identifier for *_, identifier in given}) == 3
    assert await bus.receive("plain", 1, sub_queue=ServiceBusSubQueue.DEAD_LETTER) == ["poison"]
