"""The broker as a server: who is let in, entities that are disabled, changed or deleted, and a process that dies."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.servicebus import ServiceBusMessage, TransportType
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import (
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
)

from localazure.clock import ManualClock
from localazure.part import Config
from localazure.servicebus import PART
from localazure.servicebus.errors import Unauthorized
from localazure.servicebus.tokens import Tokens
from localazure.servicebus.wire import ServiceBusServer

from . import amqp, raw
from .bench import PATIENCE, Bus, both, drained, take, texts, until

# The client leaves the socket of a connection that its peer broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SHARED = pytest.mark.asyncio(loop_scope="session")


@SHARED
@both
async def test_a_client_with_the_key_is_let_in_and_one_with_another_is_not(bus: Bus) -> None:
    queue = bus.queue()
    good = bus.server.connection_string
    sender = await bus.open(bus.connect(good).get_queue_sender(queue))
    await sender.send_messages(ServiceBusMessage("x"))
    with pytest.raises(ServiceBusAuthenticationError):
        await bus.open(bus.connect(good.replace("SAS_KEY_VALUE", "WRONG")).get_queue_sender(queue))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("skn=Root", "skn=Other"), "no shared access key named OtherKey"),
        (("sig=", "sig=A"), "not made with the key"),
        (("sr=sb", "sr=st"), "not made with the key"),
        (("SharedAccessSignature", "Bearer"), "not a shared access signature"),
        (("&se=", "&sx="), "not a shared access signature"),
        (("", ""), "expired"),
    ],
)
def test_a_token_is_checked_in_every_part(change: tuple[str, str], named: str) -> None:
    clock = ManualClock()
    tokens = Tokens("RootKey", "secret", clock)
    good = tokens.make("sb://localhost", 60)
    tokens.check(good)
    if named == "expired":
        tokens = Tokens("RootKey", "secret", ManualClock(clock.time() + 61))
    with pytest.raises(Unauthorized, match=named):
        tokens.check(good.replace(*change))


@SHARED
@both
async def test_amqp_is_spoken_over_tls_too(bus: Bus) -> None:
    queue = bus.queue()
    client = bus.connect(
        bus.server.connection_string.replace(";UseDevelopmentEmulator=true", ""),
        custom_endpoint_address=f"sb://localhost:{bus.server.tls_port}",
        transport_type=TransportType.Amqp,
        connection_verify=str(bus.server.certificate),
    )
    sender, receiver = await bus.open(client.get_queue_sender(queue), client.get_queue_receiver(queue))
    await sender.send_messages(ServiceBusMessage("x" * 200_000))
    [message] = await take(receiver, 1)
    await receiver.complete_message(message)
    assert str(message) == "x" * 200_000


@SHARED
@both
async def test_a_disabled_queue_takes_and_gives_nothing(bus: Bus) -> None:
    name, sender, receiver, _ = await bus.line()
    await sender.send_messages(ServiceBusMessage("kept"))
    bus.broker.entities.update(name, bus.options("queue", {"Status": "Disabled"}))
    with pytest.raises(MessagingEntityDisabledError):
        await sender.send_messages(ServiceBusMessage("x"))
    with pytest.raises(MessagingEntityDisabledError):
        await receiver.receive_messages(1, max_wait_time=2)
    bus.broker.entities.update(name, bus.options("queue", {"Status": "SendDisabled"}))
    assert texts(await take(await bus.receiver(name), 1)) == ["kept"]
    bus.broker.entities.update(name, bus.options("queue", {"Status": "ReceiveDisabled"}))
    await (await bus.sender(name)).send_messages(ServiceBusMessage("x"))


@SHARED
@both
async def test_a_deleted_queue_is_gone_for_those_who_use_it(bus: Bus) -> None:
    name, sender, receiver, _ = await bus.line()
    bus.broker.entities.delete(name)
    with pytest.raises(MessagingEntityNotFoundError):
        await sender.send_messages(ServiceBusMessage("x"))
    with pytest.raises(MessagingEntityNotFoundError):
        await receiver.receive_messages(1, max_wait_time=2)


@SHARED
@both
async def test_a_queue_is_changed_while_it_is_used(bus: Bus) -> None:
    name, sender, receiver, dead = await bus.line()
    bus.broker.entities.update(name, bus.options("queue", {"LockDuration": "PT1M", "MaxDeliveryCount": 1}))
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(receiver, 1)
    assert (message.locked_until_utc - message.enqueued_time_utc).total_seconds() == pytest.approx(60, abs=1)
    await receiver.abandon_message(message)
    assert texts(await take(dead, 1)) == ["x"]


@SHARED
@both
async def test_a_link_whose_connection_is_cut_is_made_again(bus: Bus) -> None:
    queue, others = bus.queue(), set(bus.server.connections)
    client = bus.connect(bus.server.connection_string, retry_total=3, retry_backoff_factor=0.01)
    sender = await bus.open(client.get_queue_sender(queue))
    await sender.send_messages(ServiceBusMessage("x"))
    [cut] = bus.server.connections - others
    cut.abort()
    await sender.send_messages(ServiceBusMessage("y"))
    assert bus.broker.queue(queue).depth()["active"] == 2
    gc.collect()


async def test_what_is_not_amqp_is_told_so(server: ServiceBusServer) -> None:
    reader, writer = await asyncio.open_connection("localhost", server.port)
    writer.write(b"AMQP\x02\x01\x00\x00")
    async with asyncio.timeout(PATIENCE):
        said = await reader.read()
    assert b"amqp:decode-error" in said
    assert b"the protocol header" in said
    writer.close()


async def test_an_operation_that_is_not_supported_is_refused_by_name(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        requests = await client.requester("plain/$management")
        status, _ = await client.request(requests, "com.microsoft:something-else", amqp.map_())
        assert status == 501


async def test_what_was_accepted_is_there_after_the_broker_was_killed(
    server: ServiceBusServer, tmp_path: Path, entities: Path, clock: ManualClock
) -> None:
    async with ServiceBusClient.from_connection_string(server.connection_string, retry_total=0) as client:
        plain, once = client.get_queue_sender("plain"), client.get_queue_sender("once")
        receiver = client.get_queue_receiver("plain")
        await asyncio.gather(*(handler.__aenter__() for handler in (plain, once, receiver)))
        for number in range(5):
            await plain.send_messages(ServiceBusMessage(str(number), message_id=str(number)))
        await once.send_messages(ServiceBusMessage("x", message_id="same"))
        first, second, third = [(await take(receiver, 1))[0] for _ in range(3)]
        await receiver.complete_message(first)
        await receiver.abandon_message(second)
        await receiver.defer_message(third)
        await server.kill()
        await asyncio.gather(*(handler.close() for handler in (plain, once, receiver)))
    config = Config(state=tmp_path / "state", options={"entities": str(entities)}, clock=clock)
    again = await PART.start(config)
    assert isinstance(again, ServiceBusServer)
    try:
        async with ServiceBusClient.from_connection_string(again.connection_string) as fresh:
            sender = fresh.get_queue_sender("once")
            taker, receiver = fresh.get_queue_receiver("once"), fresh.get_queue_receiver("plain")
            await asyncio.gather(*(handler.__aenter__() for handler in (sender, taker, receiver)))
            await sender.send_messages(ServiceBusMessage("x", message_id="same"))
            assert len(await drained(taker)) == 1
            found = {str(message): message.delivery_count for message in await drained(receiver)}
            [deferred] = await receiver.receive_deferred_messages(third.sequence_number or 0)
            await receiver.complete_message(deferred)
            await asyncio.gather(*(handler.close() for handler in (sender, taker, receiver)))
        assert found == {"1": 1, "3": 0, "4": 0}
    finally:
        await again.stop()


async def test_counters_entities_and_cutting_connections_are_to_be_had_over_http(server: ServiceBusServer) -> None:
    base = f"http://localhost:{server.admin_port}/_local"
    async with (
        ServiceBusClient.from_connection_string(server.connection_string, retry_total=0) as client,
        client.get_queue_sender("plain") as sender,
        aiohttp.ClientSession() as session,
    ):
        await sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])

        async def told(path: str) -> Any:
            async with session.get(f"{base}/{path}") as answer:
                return await answer.json()

        assert (await told("counters"))["plain"] == {"sent": 2}
        assert (await told("entities"))["plain"] == {"active": 2, "deferred": 0, "scheduled": 0, "locked": 0}
        async with session.delete(f"{base}/counters") as answer:
            assert answer.status == 204
        assert (await told("counters"))["plain"] == {}
        async with session.post(f"{base}/drop-connections") as answer:
            assert answer.status == 204
        await until(lambda: not server.connections)
