"""Queues as the official clients use them: sending, locks, settlement, dead letters, time. Each test runs with both."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
)

from .bench import NONE, Bus, both, drained, take, texts

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT_ONCE = 0.1
"""Seconds within which a settlement must be answered: a second one would mean that the client fell back."""


@both
async def test_a_message_arrives_as_it_was_sent(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line()
    sent = ServiceBusMessage(
        b"body", message_id="m1", subject="label", correlation_id="c", content_type="text/plain", reply_to="r", to="t",
        application_properties={"text": "x", "number": 7, "flag": True, "real": 1.5}, partition_key="p",
    )  # fmt: skip
    await sender.send_messages(sent)
    [message] = await take(receiver, 1)
    assert b"".join(message.body) == b"body"
    assert (message.message_id, message.subject, message.correlation_id) == ("m1", "label", "c")
    assert (message.content_type, message.reply_to, message.to) == ("text/plain", "r", "t")
    assert message.application_properties == {b"text": b"x", b"number": 7, b"flag": True, b"real": 1.5}
    assert (message.sequence_number, message.delivery_count, message.partition_key) == (1, 0, "p")
    assert message.locked_until_utc and message.enqueued_time_utc
    assert message.locked_until_utc - message.enqueued_time_utc == timedelta(seconds=30)
    await receiver.complete_message(message)


@both
async def test_every_kind_of_body_arrives_as_it_was_sent(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line()
    bodies: list[dict[str, Any]] = [
        {"data_body": [b"one", b"two"]},
        {"value_body": {b"a": [1, 2], b"b": None}},
        {"sequence_body": [[1, b"two"], [True]]},
    ]
    await sender.send_messages([AmqpAnnotatedMessage(**body) for body in bodies])
    data, value, sequence = await take(receiver, 3)
    assert list(data.body) == [b"one", b"two"]
    assert value.body == {b"a": [1, 2], b"b": None}
    assert list(sequence.body) == [[1, b"two"], [True]]


@pytest.mark.parametrize("operation", ["complete_message", "abandon_message", "defer_message", "dead_letter_message"])
@both
async def test_every_settlement_is_answered_at_once(bus: Bus, operation: str) -> None:
    _, sender, receiver, _ = await bus.line()
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(receiver, 1)
    started = time.perf_counter()
    await getattr(receiver, operation)(message)
    assert time.perf_counter() - started < AT_ONCE


@both
async def test_an_abandoned_message_comes_again_until_it_is_dead(bus: Bus) -> None:
    name, sender, receiver, dead = await bus.line()
    await sender.send_messages(ServiceBusMessage("x", message_id="m"))
    for count in range(3):
        [message] = await take(receiver, 1)
        assert message.delivery_count == count
        await receiver.abandon_message(message)
    assert await receiver.receive_messages(1, max_wait_time=NONE) == []
    [message] = await take(dead, 1)
    assert (message.message_id, message.dead_letter_reason) == ("m", "MaxDeliveryCountExceeded")
    assert message.dead_letter_source == name
    await dead.complete_message(message)


@both
async def test_a_dead_letter_says_why_and_keeps_its_properties(bus: Bus) -> None:
    _, sender, receiver, dead = await bus.line()
    await sender.send_messages(ServiceBusMessage("x", application_properties={"kept": 1, "text": "t", "real": 0.5}))
    [message] = await take(receiver, 1)
    await receiver.dead_letter_message(message, reason="poison", error_description="cannot be read")
    [message] = await take(dead, 1)
    assert (message.dead_letter_reason, message.dead_letter_error_description) == ("poison", "cannot be read")
    own = {key: value for key, value in message.application_properties.items() if not key.startswith(b"DeadLetter")}
    assert own == {b"kept": 1, b"text": b"t", b"real": 0.5}


@both
async def test_a_dead_letter_can_be_sent_again_and_cannot_die_again(bus: Bus) -> None:
    _, sender, receiver, dead = await bus.line()
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(receiver, 1)
    await receiver.dead_letter_message(message)
    for count in range(4):  # one more than MaxDeliveryCount
        [message] = await take(dead, 1)
        assert message.delivery_count == count
        await dead.abandon_message(message)
    [message] = await take(dead, 1)
    await sender.send_messages(ServiceBusMessage(b"".join(message.body)))
    await dead.complete_message(message)
    assert texts(await take(receiver, 1)) == ["x"]


@both
async def test_a_deferred_message_is_received_by_its_number_alone(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line()
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(receiver, 1)
    await receiver.defer_message(message)
    assert await receiver.receive_messages(1, max_wait_time=NONE) == []
    [peeked] = await receiver.peek_messages(1, sequence_number=1)
    assert peeked.state.name == "DEFERRED"
    [deferred] = await receiver.receive_deferred_messages(message.sequence_number)
    with pytest.raises(MessageNotFoundError):  # it is locked
        await receiver.receive_deferred_messages(message.sequence_number)
    await receiver.complete_message(deferred)
    with pytest.raises(MessageNotFoundError):
        await receiver.receive_deferred_messages(message.sequence_number)


@both
async def test_deferred_messages_are_settled_in_every_way(bus: Bus) -> None:
    _, sender, receiver, dead = await bus.line()
    await sender.send_messages([ServiceBusMessage(text) for text in ("abandon", "defer", "die")])
    numbers = []
    for message in await take(receiver, 3):
        numbers.append(message.sequence_number)
        await receiver.defer_message(message)
    abandoned, deferred, dying = await receiver.receive_deferred_messages(numbers)
    await receiver.abandon_message(abandoned)
    await receiver.defer_message(deferred)
    await receiver.dead_letter_message(dying, reason="why", error_description="because")
    again = await receiver.receive_deferred_messages(numbers[:2])
    assert [message.delivery_count for message in again] == [2, 2]
    [message] = await take(dead, 1)
    assert (str(message), message.dead_letter_reason, message.dead_letter_error_description) == (
        "die",
        "why",
        "because",
    )


@both
async def test_a_lock_runs_out_and_is_lost(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line()
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(receiver, 1)
    await bus.clock.advance(20)
    renewed = await receiver.renew_message_lock(message)
    assert renewed.timestamp() == pytest.approx(bus.clock.time() + 30, abs=1)
    await bus.clock.advance(20)
    await receiver.complete_message(message)
    await sender.send_messages(ServiceBusMessage("y"))
    [message] = await take(receiver, 1)
    await bus.clock.advance(31)
    with pytest.raises(MessageLockLostError):
        await receiver.complete_message(message)
    [again] = await take(receiver, 1)
    assert again.delivery_count == 1
    await receiver.complete_message(again)


@both
async def test_a_lock_that_ran_out_cannot_be_renewed(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line()
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(receiver, 1)
    await bus.clock.advance(31)
    with pytest.raises(MessageLockLostError):
        await receiver.renew_message_lock(message)


@both
async def test_receive_and_delete_leaves_nothing(bus: Bus) -> None:
    name, sender, receiver, _ = await bus.line()
    taker = await bus.receiver(name, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE)
    await sender.send_messages(ServiceBusMessage("x"))
    assert len(await taker.receive_messages(1, max_wait_time=5)) == 1
    assert await receiver.peek_messages(10) == []


@both
async def test_a_batch_arrives_in_its_order(bus: Bus) -> None:
    name, sender, _, _ = await bus.line()
    batch = await sender.create_message_batch()
    for number in range(50):
        batch.add_message(ServiceBusMessage(str(number)))
    await sender.send_messages(batch)
    await sender.send_messages([ServiceBusMessage("50"), ServiceBusMessage("51")])
    receiver = await bus.receiver(name, prefetch_count=20)
    assert texts(await drained(receiver)) == [str(number) for number in range(52)]


@both
async def test_a_batch_is_as_large_as_a_message_may_be(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line()
    batch = await sender.create_message_batch()
    assert batch.max_size_in_bytes == 262_144
    with pytest.raises(MessageSizeExceededError):
        while True:
            batch.add_message(ServiceBusMessage(b"x" * 10_000))
    await sender.send_messages(batch)
    assert len(await drained(receiver)) == len(batch)


@both
async def test_messages_a_receiver_had_fetched_go_back_uncounted_when_it_closes(bus: Bus) -> None:
    name, sender, receiver, _ = await bus.line()
    await sender.send_messages([ServiceBusMessage(str(number)) for number in range(5)])
    prefetching = await bus.receiver(name, prefetch_count=5)
    [message] = await prefetching.receive_messages(1, max_wait_time=5)
    await prefetching.complete_message(message)
    await prefetching.close()
    rest = await drained(receiver)
    assert sorted(texts(rest)) == ["1", "2", "3", "4"]
    assert {message.delivery_count for message in rest} == {0}


@both
async def test_what_is_not_asked_for_is_not_sent(bus: Bus) -> None:
    name, sender, receiver, _ = await bus.line()
    other = await bus.receiver(name)
    await sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
    assert texts(await receiver.receive_messages(1, max_wait_time=5)) == ["a"]
    assert texts(await other.receive_messages(5, max_wait_time=NONE)) == ["b"]


@both
async def test_credit_is_stated_anew_with_each_request(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line()
    for number in range(6):
        assert await receiver.receive_messages(3, max_wait_time=0.05) == []  # leaves credit behind
        await sender.send_messages(ServiceBusMessage(str(number)))
        [message] = await take(receiver, 1)
        assert (str(message), message.delivery_count) == (str(number), 0)
        await receiver.complete_message(message)


@both
async def test_peeking_takes_nothing_and_goes_on_where_it_was(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line()
    await sender.send_messages([ServiceBusMessage(text) for text in "abc"])
    assert texts(await receiver.peek_messages(2)) == ["a", "b"]
    assert texts(await receiver.peek_messages(2)) == ["c"]
    assert texts(await receiver.peek_messages(10, sequence_number=2)) == ["b", "c"]
    assert texts(await drained(receiver)) == ["a", "b", "c"]


@both
async def test_a_delivery_is_annotated_with_its_lock_token(bus: Bus) -> None:
    name, sender, receiver, _ = await bus.line()
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(receiver, 1)
    told = message.raw_amqp_message.delivery_annotations
    assert told == {b"x-opt-lock-token": message.lock_token}
    bus.broker.queue(name).held(message.lock_token)


@both
async def test_a_receiver_that_loses_its_link_without_an_error_goes_on(bus: Bus) -> None:
    name = bus.queue()
    client = bus.connect(bus.server.connection_string, retry_total=3, retry_backoff_factor=0.01)
    sender, receiver = await bus.open(client.get_queue_sender(name), client.get_queue_receiver(name))
    await sender.send_messages(ServiceBusMessage("before"))
    [message] = await take(receiver, 1)
    await receiver.complete_message(message)
    base = f"http://localhost:{bus.server.admin_port}/_local"
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{base}/detach-idle", params={"entity": name}) as answer:
            assert await answer.json() == {"detached": 1}
        async with session.post(f"{base}/detach-idle", params={"entity": "missing"}) as answer:
            assert answer.status == 404
    await sender.send_messages(ServiceBusMessage("after"))
    assert texts(await take(receiver, 1)) == ["after"]


@both
async def test_there_is_a_transfer_dead_letter_queue_and_nothing_in_it(bus: Bus) -> None:
    receiver = await bus.receiver(bus.queue(), sub_queue=ServiceBusSubQueue.TRANSFER_DEAD_LETTER)
    assert await receiver.receive_messages(1, max_wait_time=NONE) == []


@both
async def test_a_repeated_message_id_is_taken_once_within_the_window(bus: Bus) -> None:
    window = {"RequiresDuplicateDetection": True, "DuplicateDetectionHistoryTimeWindow": "PT1M"}
    _, sender, receiver, _ = await bus.line(**window)
    for _ in range(3):
        await sender.send_messages(ServiceBusMessage("x", message_id="same"))
    await bus.clock.advance(61)
    await sender.send_messages(ServiceBusMessage("later", message_id="same"))
    assert texts(await drained(receiver)) == ["x", "later"]


@both
async def test_a_queue_that_does_not_exist_is_not_found(bus: Bus) -> None:
    # the service refuses the token already, which this client tells as a failed authentication
    with pytest.raises(ServiceBusAuthenticationError):
        async with bus.client.get_queue_receiver("missing") as receiver:
            await receiver.receive_messages(1, max_wait_time=1)


@both
async def test_a_topic_is_not_found_where_a_queue_is_looked_for(bus: Bus) -> None:
    topic, _ = await bus.topic()
    with pytest.raises(MessagingEntityNotFoundError):
        async with bus.client.get_queue_receiver(topic) as receiver:
            await receiver.receive_messages(1, max_wait_time=1)


@both
async def test_a_message_that_is_too_large_is_refused(bus: Bus) -> None:
    _, sender, _, _ = await bus.line()
    with pytest.raises(MessageSizeExceededError):
        await sender.send_messages(ServiceBusMessage(b"x" * 300_000))
