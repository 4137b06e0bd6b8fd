"""Service Bus triggers: the real host between the local broker and the official clients, which settle and retry."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient as BlockingClient
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue

from localazure.functions.errors import HostError

from .bus import BODIES, QUEUE, TELL, Bus
from .conftest import App

# The client leaves the socket of a connection that its peer broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


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
