"""What a function is told of a Service Bus message: properties, bodies, and the metadata of one or of many."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.amqp import AmqpAnnotatedMessage

from .bus import QUEUE, TELL, Bus
from .conftest import App

# The client leaves the socket of a connection that its peer broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


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
