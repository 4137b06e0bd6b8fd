"""What the official clients do with the broker: the asynchronous one in detail, the synchronous one throughout."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    OperationTimeoutError,
    ServiceBusAuthenticationError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from localazure.clock import ManualClock
from localazure.part import Config
from localazure.servicebus import PART
from localazure.servicebus.wire import ServiceBusServer

AT_ONCE = 0.1
"""Seconds within which a settlement must be answered: a second one would mean that the client fell back."""


async def send(client: AsyncServiceBusClient, queue: str, *messages: ServiceBusMessage) -> None:
    async with client.get_queue_sender(queue) as sender:
        for message in messages:
            await sender.send_messages(message)


async def drained(receiver: Any, most: int = 100) -> list[Any]:
    """Everything there is, completed."""
    found: list[Any] = []
    while messages := await receiver.receive_messages(most, max_wait_time=0.3):
        for message in messages:
            await receiver.complete_message(message)
        found += messages
    return found


async def test_a_message_arrives_as_it_was_sent(client: AsyncServiceBusClient) -> None:
    sent = ServiceBusMessage(
        b"body", message_id="m1", subject="label", correlation_id="c", content_type="text/plain", reply_to="r", to="t",
        application_properties={"text": "x", "number": 7, "flag": True, "real": 1.5},
    )  # fmt: skip
    await send(client, "plain", sent)
    async with client.get_queue_receiver("plain") as receiver:
        [message] = await receiver.receive_messages(1, max_wait_time=5)
        assert b"".join(message.body) == b"body"
        assert (message.message_id, message.subject, message.correlation_id) == ("m1", "label", "c")
        assert (message.content_type, message.reply_to, message.to) == ("text/plain", "r", "t")
        assert message.application_properties == {b"text": b"x", b"number": 7, b"flag": True, b"real": 1.5}
        assert (message.sequence_number, message.delivery_count) == (1, 0)
        assert message.locked_until_utc and message.enqueued_time_utc
        assert message.locked_until_utc - message.enqueued_time_utc == timedelta(seconds=30)
        await receiver.complete_message(message)


@pytest.mark.parametrize("operation", ["complete_message", "abandon_message", "defer_message", "dead_letter_message"])
async def test_every_settlement_is_answered_at_once(client: AsyncServiceBusClient, operation: str) -> None:
    await send(client, "plain", ServiceBusMessage("x"))
    async with client.get_queue_receiver("plain") as receiver:
        [message] = await receiver.receive_messages(1, max_wait_time=5)
        started = time.perf_counter()
        await getattr(receiver, operation)(message)
        assert time.perf_counter() - started < AT_ONCE


def test_every_settlement_of_the_synchronous_client_is_answered_at_once(sync_client: ServiceBusClient) -> None:
    with sync_client.get_queue_sender("plain") as sender, sync_client.get_queue_receiver("plain") as receiver:
        for operation in ("complete_message", "defer_message", "dead_letter_message", "abandon_message"):
            sender.send_messages(ServiceBusMessage(operation))
            [message] = receiver.receive_messages(1, max_wait_time=5)
            assert str(message) == operation
            started = time.perf_counter()
            getattr(receiver, operation)(message)
            assert time.perf_counter() - started < AT_ONCE
        [again] = receiver.receive_messages(1, max_wait_time=5)
        assert (str(again), again.delivery_count) == ("abandon_message", 1)


async def test_an_abandoned_message_comes_again_until_it_is_dead(client: AsyncServiceBusClient) -> None:
    await send(client, "plain", ServiceBusMessage("x", message_id="m"))
    async with client.get_queue_receiver("plain") as receiver:
        for count in range(3):
            [message] = await receiver.receive_messages(1, max_wait_time=5)
            assert message.delivery_count == count
            await receiver.abandon_message(message)
        assert await receiver.receive_messages(1, max_wait_time=0.3) == []
    async with client.get_queue_receiver("plain", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        [message] = await dead.receive_messages(1, max_wait_time=5)
        assert (message.message_id, message.dead_letter_reason) == ("m", "MaxDeliveryCountExceeded")
        assert message.dead_letter_source == "plain"
        await dead.complete_message(message)


async def test_a_dead_letter_says_why(client: AsyncServiceBusClient) -> None:
    await send(client, "plain", ServiceBusMessage("x", application_properties={"kept": 1}))
    async with client.get_queue_receiver("plain") as receiver:
        [message] = await receiver.receive_messages(1, max_wait_time=5)
        await receiver.dead_letter_message(message, reason="poison", error_description="cannot be read")
    async with client.get_queue_receiver("plain", sub_queue="deadletter") as dead:
        [message] = await dead.receive_messages(1, max_wait_time=5)
        assert (message.dead_letter_reason, message.dead_letter_error_description) == ("poison", "cannot be read")
        assert message.application_properties and message.application_properties[b"kept"] == 1


async def test_a_deferred_message_is_received_by_its_number_alone(client: AsyncServiceBusClient) -> None:
    await send(client, "plain", ServiceBusMessage("x"))
    async with client.get_queue_receiver("plain") as receiver:
        [message] = await receiver.receive_messages(1, max_wait_time=5)
        await receiver.defer_message(message)
        assert await receiver.receive_messages(1, max_wait_time=0.3) == []
        [deferred] = await receiver.receive_deferred_messages(message.sequence_number or 0)
        await receiver.complete_message(deferred)
        with pytest.raises(MessageNotFoundError):
            await receiver.receive_deferred_messages(message.sequence_number or 0)


async def test_a_lock_runs_out_and_is_lost(client: AsyncServiceBusClient, clock: ManualClock) -> None:
    await send(client, "plain", ServiceBusMessage("x"))
    async with client.get_queue_receiver("plain") as receiver:
        [message] = await receiver.receive_messages(1, max_wait_time=5)
        await clock.advance(20)
        until = await receiver.renew_message_lock(message)
        assert until.timestamp() == pytest.approx(clock.time() + 30, abs=1)
        await clock.advance(20)
        await receiver.complete_message(message)
        await send(client, "plain", ServiceBusMessage("y"))
        [message] = await receiver.receive_messages(1, max_wait_time=5)
        await clock.advance(31)
        with pytest.raises(MessageLockLostError):
            await receiver.complete_message(message)
        [again] = await receiver.receive_messages(1, max_wait_time=5)
        assert again.delivery_count == 1
        await receiver.complete_message(again)


async def test_receive_and_delete_leaves_nothing(client: AsyncServiceBusClient) -> None:
    await send(client, "plain", ServiceBusMessage("x"))
    async with client.get_queue_receiver("plain", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        assert len(await receiver.receive_messages(1, max_wait_time=5)) == 1
    async with client.get_queue_receiver("plain") as receiver:
        assert await receiver.peek_messages(10) == []


async def test_a_batch_arrives_in_its_order(client: AsyncServiceBusClient) -> None:
    async with client.get_queue_sender("plain") as sender:
        batch = await sender.create_message_batch()
        for number in range(50):
            batch.add_message(ServiceBusMessage(str(number)))
        await sender.send_messages(batch)
        await sender.send_messages([ServiceBusMessage("50"), ServiceBusMessage("51")])
    async with client.get_queue_receiver("plain", prefetch_count=20) as receiver:
        assert [str(message) for message in await drained(receiver)] == [str(number) for number in range(52)]


async def test_messages_a_receiver_had_fetched_go_back_uncounted_when_it_closes(client: AsyncServiceBusClient) -> None:
    await send(client, "plain", *(ServiceBusMessage(str(number)) for number in range(5)))
    async with client.get_queue_receiver("plain", prefetch_count=5) as receiver:
        [message] = await receiver.receive_messages(1, max_wait_time=5)
        await receiver.complete_message(message)
    async with client.get_queue_receiver("plain") as receiver:
        rest = await drained(receiver)
    assert sorted(str(message) for message in rest) == ["1", "2", "3", "4"]
    assert {message.delivery_count for message in rest} == {0}


async def test_peeking_takes_nothing(client: AsyncServiceBusClient) -> None:
    await send(client, "plain", ServiceBusMessage("a"), ServiceBusMessage("b"))
    async with client.get_queue_receiver("plain") as receiver:
        assert [str(message) for message in await receiver.peek_messages(10)] == ["a", "b"]
        assert [str(message) for message in await drained(receiver)] == ["a", "b"]


async def test_a_scheduled_message_comes_at_its_time_unless_it_is_cancelled(
    client: AsyncServiceBusClient, clock: ManualClock
) -> None:
    moment = datetime.fromtimestamp(clock.time() + 60, UTC)
    for sender, receiver in (
        (client.get_queue_sender("plain"), client.get_queue_receiver("plain")),
        (client.get_topic_sender("news"), client.get_subscription_receiver("news", "all")),
    ):
        async with sender, receiver:
            kept, cancelled = await sender.schedule_messages(
                [ServiceBusMessage("kept"), ServiceBusMessage("no")], moment
            )
            await sender.cancel_scheduled_messages(cancelled)
            with pytest.raises(MessageNotFoundError):
                await sender.cancel_scheduled_messages(cancelled)
            assert await receiver.receive_messages(1, max_wait_time=0.3) == []
            await clock.advance(61)
            assert [str(message) for message in await drained(receiver)] == ["kept"]
            assert kept != cancelled
        moment += timedelta(seconds=61)


async def test_a_repeated_message_id_is_taken_once_within_the_window(
    client: AsyncServiceBusClient, clock: ManualClock
) -> None:
    for _ in range(3):
        await send(client, "once", ServiceBusMessage("x", message_id="same"))
    await clock.advance(61)
    await send(client, "once", ServiceBusMessage("later", message_id="same"))
    async with client.get_queue_receiver("once") as receiver:
        assert [str(message) for message in await drained(receiver)] == ["x", "later"]


async def test_a_message_that_expires_is_dead_lettered(client: AsyncServiceBusClient, clock: ManualClock) -> None:
    await send(client, "mortal", ServiceBusMessage("x"))
    await clock.advance(61)
    async with client.get_queue_receiver("mortal") as receiver:
        assert await receiver.receive_messages(1, max_wait_time=0.3) == []
    async with client.get_queue_receiver("mortal", sub_queue="deadletter") as dead:
        [message] = await dead.receive_messages(1, max_wait_time=5)
        assert message.dead_letter_reason == "TTLExpiredException"


async def test_a_subscription_gets_what_its_rules_let_through(client: AsyncServiceBusClient) -> None:
    async with client.get_topic_sender("news") as sender:
        for label, size in (("big", 5), ("big", 50), ("small", 50), ("secret", 50)):
            message = ServiceBusMessage(f"{label} {size}", subject=label, application_properties={"size": size})
            await sender.send_messages(message)
    found = {}
    for name in ("all", "labelled", "large"):
        async with client.get_subscription_receiver("news", name) as receiver:
            found[name] = [str(message) for message in await drained(receiver)]
    assert found == {
        "all": ["big 5", "big 50", "small 50", "secret 50"],
        "labelled": ["big 5", "big 50"],
        "large": ["big 50", "small 50"],
    }


async def test_a_session_keeps_its_order_and_has_one_receiver(client: AsyncServiceBusClient) -> None:
    messages = [ServiceBusMessage(f"{name}{number}", session_id=name) for number in range(5) for name in "ab"]
    await send(client, "sessions", *messages)
    async with client.get_queue_receiver("sessions", session_id="a") as receiver:
        assert receiver.session.session_id == "a"
        with pytest.raises(SessionCannotBeLockedError):
            async with client.get_queue_receiver("sessions", session_id="a"):
                pass
        assert [str(message) for message in await drained(receiver, 1)] == [f"a{number}" for number in range(5)]
        await receiver.session.set_state(b"half way")
    async with client.get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION) as receiver:
        assert receiver.session.session_id == "b"
        assert [str(message) for message in await drained(receiver, 2)] == [f"b{number}" for number in range(5)]
    async with client.get_queue_receiver("sessions", session_id="a") as receiver:
        assert await receiver.session.get_state() == b"half way"


async def test_a_sessions_lock_is_renewed_or_lost(client: AsyncServiceBusClient, clock: ManualClock) -> None:
    await send(client, "sessions", ServiceBusMessage("x", session_id="a"))
    async with client.get_queue_receiver("sessions", session_id="a") as receiver:
        await clock.advance(20)
        await receiver.session.renew_lock()
        await clock.advance(20)
        [message] = await receiver.receive_messages(1, max_wait_time=5)
        await clock.advance(31)
        with pytest.raises((SessionLockLostError, MessageLockLostError, ServiceBusError)):
            await receiver.complete_message(message)


def test_the_synchronous_client_receives_sessions_in_order(sync_client: ServiceBusClient) -> None:
    with sync_client.get_queue_sender("sessions") as sender:
        sender.send_messages([ServiceBusMessage(str(number), session_id="s") for number in range(10)])
    with sync_client.get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION) as receiver:
        found = receiver.receive_messages(10, max_wait_time=2)
        assert [str(message) for message in found] == [str(number) for number in range(10)]
        for message in found:
            receiver.complete_message(message)


async def test_no_session_within_the_time_is_a_time_out(client: AsyncServiceBusClient, clock: ManualClock) -> None:
    import asyncio

    async def wait() -> None:
        receiver = client.get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=5)
        async with receiver:
            pass

    waiting = asyncio.create_task(wait())
    while not waiting.done():
        await clock.advance(5)
        await asyncio.sleep(0.01)
    with pytest.raises((OperationTimeoutError, ServiceBusError)):
        await waiting


@pytest.mark.parametrize("name", ["missing", "news"])
async def test_a_queue_that_does_not_exist_is_not_found(client: AsyncServiceBusClient, name: str) -> None:
    with pytest.raises(MessagingEntityNotFoundError):
        async with client.get_queue_receiver(name) as receiver:
            await receiver.receive_messages(1, max_wait_time=1)


async def test_a_message_that_is_too_large_is_refused(client: AsyncServiceBusClient) -> None:
    with pytest.raises(MessageSizeExceededError):
        await send(client, "plain", ServiceBusMessage(b"x" * 300_000))


async def test_a_wrong_key_is_refused(server: ServiceBusServer) -> None:
    wrong = server.connection_string.replace("SAS_KEY_VALUE", "WRONG")
    async with AsyncServiceBusClient.from_connection_string(wrong, retry_total=0) as client:
        with pytest.raises(ServiceBusAuthenticationError):
            await send(client, "plain", ServiceBusMessage("x"))


async def test_what_was_accepted_is_there_after_the_broker_was_killed(
    server: ServiceBusServer, client: AsyncServiceBusClient, tmp_path: Path, entities: Path, clock: ManualClock
) -> None:
    await send(client, "plain", *(ServiceBusMessage(str(number), message_id=str(number)) for number in range(5)))
    await send(client, "once", ServiceBusMessage("x", message_id="same"))
    async with client.get_queue_receiver("plain") as receiver:
        first, second, third = [(await receiver.receive_messages(1, max_wait_time=5))[0] for _ in range(3)]
        await receiver.complete_message(first)
        await receiver.abandon_message(second)
        await receiver.defer_message(third)
        await server.kill()
    config = Config(state=tmp_path / "state", options={"entities": str(entities)}, clock=clock)
    again = await PART.start(config)
    assert isinstance(again, ServiceBusServer)
    try:
        async with AsyncServiceBusClient.from_connection_string(again.connection_string) as fresh:
            await send(fresh, "once", ServiceBusMessage("x", message_id="same"))
            async with fresh.get_queue_receiver("once") as receiver:
                assert len(await drained(receiver)) == 1
            async with fresh.get_queue_receiver("plain") as receiver:
                found = {str(message): message.delivery_count for message in await drained(receiver)}
                [deferred] = await receiver.receive_deferred_messages(third.sequence_number or 0)
                await receiver.complete_message(deferred)
        assert found == {"1": 1, "3": 0, "4": 0}
    finally:
        await again.stop()
