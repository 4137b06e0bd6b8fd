"""Messages that come at a time or are over at one: scheduled, living for so long. Each test runs with both clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import (
    MessageNotFoundError,
)

from .bench import NONE, Bus, both, drained, take, texts

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT_ONCE = 0.1
"""Seconds within which a settlement must be answered: a second one would mean that the client fell back."""


@both
async def test_a_scheduled_message_comes_at_its_time_unless_it_is_cancelled(bus: Bus) -> None:
    moment = datetime.fromtimestamp(bus.clock.time() + 60, UTC)
    _, sender, receiver, _ = await bus.line()
    kept, cancelled = await sender.schedule_messages([ServiceBusMessage("kept"), ServiceBusMessage("no")], moment)
    await sender.cancel_scheduled_messages(cancelled)
    with pytest.raises(MessageNotFoundError):
        await sender.cancel_scheduled_messages(cancelled)
    [peeked] = await receiver.peek_messages(5)
    assert (peeked.sequence_number, peeked.state.name) == (kept, "SCHEDULED")
    assert peeked.scheduled_enqueue_time_utc.timestamp() == pytest.approx(moment.timestamp(), abs=0.002)
    assert await receiver.receive_messages(1, max_wait_time=NONE) == []
    await bus.clock.advance(61)
    [message] = await take(receiver, 1)
    assert (str(message), message.state.name) == ("kept", "ACTIVE")
    assert message.sequence_number > kept  # it enters the queue as if it were sent now
    assert message.enqueued_time_utc.timestamp() == pytest.approx(bus.clock.time(), abs=2)


@both
async def test_a_message_that_is_scheduled_into_the_past_comes_at_once_with_its_number_and_time(bus: Bus) -> None:
    moment = datetime.fromtimestamp(int(bus.clock.time()) - 60, UTC)
    _, sender, receiver, _ = await bus.line()
    await sender.send_messages(ServiceBusMessage("first"))
    numbers = await sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], moment)
    first, *found = await take(receiver, 3)
    assert (numbers, texts(found)) == ([2, 3], ["a", "b"])
    assert [message.sequence_number for message in found] == numbers
    assert {message.scheduled_enqueue_time_utc for message in found} == {moment}
    assert first.scheduled_enqueue_time_utc is None


@both
async def test_a_message_that_was_scheduled_says_when(bus: Bus) -> None:
    moment = datetime.fromtimestamp(int(bus.clock.time()) + 60, UTC)
    _, sender, receiver, _ = await bus.line(DefaultMessageTimeToLive="PT10M")
    await sender.schedule_messages(ServiceBusMessage("x"), moment)
    [peeked] = await receiver.peek_messages(1)
    await bus.clock.advance(61)
    [message] = await take(receiver, 1)
    assert (peeked.scheduled_enqueue_time_utc, message.scheduled_enqueue_time_utc) == (moment, moment)
    assert message.enqueued_time_utc >= moment
    assert peeked.time_to_live == timedelta(minutes=10)
    assert message.time_to_live.total_seconds() == pytest.approx(600, abs=2)


@both
async def test_a_message_without_a_time_to_live_says_none(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line()
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(receiver, 1)
    assert (message.time_to_live, message.expires_at_utc) == (None, None)


@both
async def test_a_message_can_carry_its_own_time_to_be_scheduled(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line()
    moment = datetime.fromtimestamp(bus.clock.time() + 30, UTC)
    await sender.send_messages(ServiceBusMessage("later", scheduled_enqueue_time_utc=moment))
    assert await receiver.receive_messages(1, max_wait_time=NONE) == []
    await bus.clock.advance(31)
    assert texts(await take(receiver, 1)) == ["later"]


@both
async def test_a_message_that_expires_is_dead_lettered(bus: Bus) -> None:
    _, sender, receiver, dead = await bus.line(DefaultMessageTimeToLive="PT1M", DeadLetteringOnMessageExpiration=True)
    await sender.send_messages(ServiceBusMessage("x"))
    await bus.clock.advance(61)
    assert await receiver.receive_messages(1, max_wait_time=NONE) == []
    [message] = await take(dead, 1)
    assert message.dead_letter_reason == "TTLExpiredException"


@both
async def test_a_message_that_expires_is_gone_where_it_is_not_dead_lettered(bus: Bus) -> None:
    name, sender, receiver, _ = await bus.line()
    await sender.send_messages(ServiceBusMessage("x", time_to_live=timedelta(seconds=20)))
    await sender.send_messages(ServiceBusMessage("y", time_to_live=timedelta(seconds=90)))
    await bus.clock.advance(21)
    assert texts(await drained(receiver)) == ["y"]
    assert bus.broker.depths()[f"{name}/$DeadLetterQueue"]["active"] == 0


@both
async def test_a_message_that_expires_under_a_lock_can_still_be_completed(bus: Bus) -> None:
    _, sender, receiver, dead = await bus.line(
        LockDuration="PT1M", DefaultMessageTimeToLive="PT30S", DeadLetteringOnMessageExpiration=True
    )
    await sender.send_messages([ServiceBusMessage("done"), ServiceBusMessage("given back")])
    done, back = await take(receiver, 2)
    await bus.clock.advance(31)
    await receiver.complete_message(done)
    await receiver.abandon_message(back)
    assert texts(await take(dead, 1)) == ["given back"]


@both
async def test_a_deferred_message_does_not_expire(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line(DefaultMessageTimeToLive="PT30S")
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(receiver, 1)
    await receiver.defer_message(message)
    await bus.clock.advance(60)
    assert texts(await receiver.receive_deferred_messages(message.sequence_number)) == ["x"]


@both
async def test_the_shorter_time_to_live_counts(bus: Bus) -> None:
    _, sender, receiver, _ = await bus.line(DefaultMessageTimeToLive="PT1M")
    await sender.send_messages(ServiceBusMessage("x", time_to_live=timedelta(hours=1)))
    [message] = await take(receiver, 1)
    assert message.time_to_live == timedelta(minutes=1)
    assert message.expires_at_utc.timestamp() == pytest.approx(bus.clock.time() + 60, abs=2)
