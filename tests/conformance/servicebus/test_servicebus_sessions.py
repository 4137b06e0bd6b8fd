"""Sessions as the official clients use them. Each test runs with both."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage
from azure.servicebus.exceptions import (
    MessageNotFoundError,
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from .bench import SESSIONS, Bus, both, drained, take, texts

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def send(sender: Any, *names: str) -> None:
    """One message for each name, of which the first letter is its session."""
    await sender.send_messages([ServiceBusMessage(name, session_id=name[0]) for name in names])


@both
async def test_a_session_keeps_its_order_and_has_one_receiver(bus: Bus) -> None:
    queue, sender = await bus.sessions()
    await send(sender, *(f"{session}{number}" for number in range(5) for session in "ab"))
    receiver = await bus.receiver(queue, session_id="a")
    found: Any = await asyncio.gather(
        bus.receiver(queue, session_id=NEXT_AVAILABLE_SESSION),
        bus.receiver(queue, session_id="a"),
        return_exceptions=True,
    )
    other, refused = found
    assert isinstance(refused, SessionCannotBeLockedError)
    assert [receiver.session.session_id, other.session.session_id] == ["a", "b"]
    mine, others = await asyncio.gather(drained(receiver, 1), drained(other, 2))
    assert texts(mine) == [f"a{number}" for number in range(5)]
    assert texts(others) == [f"b{number}" for number in range(5)]


@both
async def test_the_next_session_is_the_one_that_has_waited_longest(bus: Bus) -> None:
    queue, sender = await bus.sessions()
    await send(sender, "c1", "a1", "b1", "c2")
    first = await bus.receiver(queue, session_id=NEXT_AVAILABLE_SESSION)
    second = await bus.receiver(queue, session_id=NEXT_AVAILABLE_SESSION)
    assert [first.session.session_id, second.session.session_id] == ["c", "a"]


@both
async def test_a_receiver_waits_for_a_session_to_come(bus: Bus) -> None:
    queue, sender = await bus.sessions()
    waiting = asyncio.ensure_future(bus.receiver(queue, session_id=NEXT_AVAILABLE_SESSION))
    await sender.send_messages(ServiceBusMessage("x", session_id="late"))
    receiver = await waiting
    assert receiver.session.session_id == "late"
    assert texts(await take(receiver, 1)) == ["x"]


@both
async def test_a_sessions_state_is_kept_and_can_be_taken_away(bus: Bus) -> None:
    queue, _ = await bus.sessions()
    receiver = await bus.receiver(queue, session_id="a")
    assert await receiver.session.get_state() is None
    await receiver.session.set_state(b"half way")
    await bus.hang_up(receiver, queue)
    again = await bus.receiver(queue, session_id="a")
    assert await again.session.get_state() == b"half way"
    await again.session.set_state("a text")
    assert await again.session.get_state() == b"a text"
    await again.session.set_state(None)
    assert await again.session.get_state() is None


@both
async def test_a_sessions_lock_is_renewed_and_its_messages_are_held_with_it(bus: Bus) -> None:
    queue, sender = await bus.sessions()
    await send(sender, "a1")
    receiver = await bus.receiver(queue, session_id="a")
    [message] = await take(receiver, 1)
    for _ in range(3):
        await bus.clock.advance(20)
        until = await receiver.session.renew_lock()
        assert until.timestamp() == pytest.approx(bus.clock.time() + 30, abs=1)
    await receiver.complete_message(message)
    assert bus.broker.queue(queue).depth()["active"] == 0


@both
async def test_a_sessions_lock_that_runs_out_is_lost(bus: Bus) -> None:
    queue, sender = await bus.sessions()
    await send(sender, "a1")
    receiver = await bus.receiver(queue, session_id="a")
    [message] = await take(receiver, 1)
    await bus.clock.advance(31)
    with pytest.raises(SessionLockLostError):
        await receiver.complete_message(message)
    again = await bus.receiver(queue, session_id="a")
    [message] = await take(again, 1)
    assert (str(message), message.delivery_count) == ("a1", 1)


@both
async def test_what_a_closed_session_left_goes_back_uncounted_and_in_order(bus: Bus) -> None:
    queue, sender = await bus.sessions()
    await send(sender, "a1", "a2", "a3")
    receiver = await bus.receiver(queue, session_id="a")
    await take(receiver, 2)
    await bus.hang_up(receiver, queue)
    again = await bus.receiver(queue, session_id="a")
    found = await take(again, 3)
    assert [(str(message), message.delivery_count) for message in found] == [("a1", 0), ("a2", 0), ("a3", 0)]


@both
async def test_a_message_of_a_session_is_abandoned_dead_lettered_and_deferred(bus: Bus) -> None:
    queue, sender = await bus.sessions()
    await send(sender, "a1", "a2", "a3")
    receiver = await bus.receiver(queue, session_id="a")
    [first] = await take(receiver, 1)
    await receiver.abandon_message(first)
    [again, second, third] = await take(receiver, 3)
    assert (str(again), again.delivery_count) == ("a1", 1)
    await receiver.dead_letter_message(again, reason="poison")
    await receiver.defer_message(second)
    await receiver.complete_message(third)
    [deferred] = await receiver.receive_deferred_messages(second.sequence_number)
    await receiver.complete_message(deferred)
    assert bus.broker.queue(queue).depth() == {"active": 0, "deferred": 0, "scheduled": 0, "locked": 0}
    dead = await bus.receiver(queue, sub_queue="deadletter")  # which has no sessions
    [message] = await take(dead, 1)
    assert (str(message), message.session_id, message.dead_letter_reason) == ("a1", "a", "poison")


@both
async def test_a_session_sees_its_own_messages_alone(bus: Bus) -> None:
    queue, sender = await bus.sessions()
    await send(sender, "a1", "b1")
    mine, others = await bus.open(
        bus.client.get_queue_receiver(queue, session_id="a"), bus.client.get_queue_receiver(queue, session_id="b")
    )
    assert texts(await mine.peek_messages(10)) == ["a1"]
    [message] = await take(mine, 1)
    await mine.defer_message(message)
    with pytest.raises(MessageNotFoundError):
        await others.receive_deferred_messages(message.sequence_number)


@both
async def test_sessions_are_listed_by_their_messages_and_by_their_state(bus: Bus) -> None:
    queue, sender = await bus.sessions()

    async def listed(**since: datetime) -> list[str]:
        return [name async for name in bus.client.list_queue_sessions(queue, **since)]

    await send(sender, "a1", "b1")
    receiver = await bus.receiver(queue, session_id="c")
    await receiver.session.set_state(b"old")
    await bus.clock.advance(10)
    moment = datetime.fromtimestamp(bus.clock.time(), UTC)
    await bus.clock.advance(10)
    everything, recent = await asyncio.gather(listed(), listed(state_updated_after=moment))
    assert (everything, recent) == (["a", "b", "c"], [])
    await receiver.session.set_state(b"new")
    assert await listed(state_updated_after=moment) == ["c"]


@both
async def test_more_sessions_than_a_page_holds_are_listed(bus: Bus) -> None:
    queue, sender = await bus.sessions()
    names = [f"s{number:03}" for number in range(205)]
    await sender.send_messages([ServiceBusMessage("x", session_id=name) for name in names])
    assert [name async for name in bus.client.list_queue_sessions(queue)] == names


@both
async def test_a_subscription_has_sessions_too(bus: Bus) -> None:
    topic, sender = await bus.topic()
    bus.subscribe(topic, "s", **SESSIONS)
    await sender.send_messages([ServiceBusMessage("x", session_id="a"), ServiceBusMessage("no session")])
    receiver, dead = await bus.open(
        bus.client.get_subscription_receiver(topic, "s", session_id="a"),
        bus.client.get_subscription_receiver(topic, "s", sub_queue="deadletter"),
    )
    assert texts(await drained(receiver)) == ["x"]
    await sender.send_messages(ServiceBusMessage("y", session_id="b"))
    assert [name async for name in bus.client.list_subscription_sessions(topic, "s")] == ["b"]
    [message] = await take(dead, 1)
    assert (str(message), message.dead_letter_reason) == ("no session", "Session ID is null.")


@both
async def test_no_session_within_the_time_is_a_time_out(bus: Bus) -> None:
    queue, _ = await bus.sessions()

    async def wait() -> None:
        async with bus.client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=5):
            pass

    waiting = asyncio.ensure_future(wait())
    while not waiting.done():
        await bus.clock.advance(1)
        await asyncio.sleep(0.01)
    with pytest.raises((OperationTimeoutError, ServiceBusError)):
        await waiting


@both
async def test_a_session_receiver_and_its_queue_have_to_agree(bus: Bus) -> None:
    plain, (sessions, sender) = bus.queue(), await bus.sessions()
    refused = await asyncio.gather(bus.receiver(sessions), bus.receiver(plain, session_id="a"), return_exceptions=True)
    for error, named in zip(refused, ("requires sessions", "has no sessions"), strict=True):
        assert isinstance(error, ServiceBusError)
        assert named in str(error)
    with pytest.raises(ServiceBusError, match="needs a session id"):
        await sender.send_messages(ServiceBusMessage("x"))


@both
async def test_the_session_without_a_name_is_one(bus: Bus) -> None:
    queue, sender = await bus.sessions()
    await sender.send_messages([ServiceBusMessage("a", session_id="a"), ServiceBusMessage("empty", session_id="")])
    receiver = await bus.receiver(queue, session_id="")
    assert texts(await take(receiver, 1)) == ["empty"]
    with pytest.raises(ServiceBusError, match="needs a session id"):
        await sender.send_messages(ServiceBusMessage("none"))


@both
async def test_a_received_message_can_be_sent_on(bus: Bus) -> None:
    queue, sender = await bus.sessions()
    receiver = await bus.receiver(queue, session_id="a")
    await sender.send_messages(
        ServiceBusMessage("x", session_id="a", partition_key="a", application_properties={"key": "value"})
    )
    [message] = await take(receiver, 1)
    await receiver.complete_message(message)
    await sender.send_messages(message)
    [again] = await take(receiver, 1)
    assert (str(again), again.session_id, again.partition_key) == ("x", "a", "a")
    assert again.application_properties == {b"key": b"value"}
    assert (again.delivery_count, again.message_id) == (0, message.message_id)
