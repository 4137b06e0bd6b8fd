"""Service Bus triggers while broker and host start and stop; sessions; retries in place."""

from __future__ import annotations

import asyncio

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage, ServiceBusSubQueue

from .bus import BODIES, QUEUE, Bus
from .conftest import App

# The client leaves the socket of a connection that its peer broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


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
