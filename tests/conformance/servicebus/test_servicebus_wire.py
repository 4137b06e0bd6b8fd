"""What is said on the wire, frame by frame, and what a client may not do to the broker."""

from __future__ import annotations

import asyncio
import socket
from unittest.mock import Mock

import pytest

from localazure.clock import ManualClock
from localazure.servicebus.connection import Connection
from localazure.servicebus.wire import ServiceBusServer

from . import amqp, raw
from .amqp import NULL, described, uint
from .bench import until
from .raw import named_session

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("tls", [False, True])
async def test_small_frames_do_not_wait_for_one_another(server: ServiceBusServer, tls: bool) -> None:
    async with raw.connected(server, tls=tls):
        [connection] = server.connections
        assert connection.transport is not None
        accepted: socket.socket = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_frames_that_have_no_answer_are_acknowledged_at_once(
    server: ServiceBusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: list[None] = []
    monkeypatch.setattr(Connection, "_acknowledge", lambda _: acknowledged.append(None))
    async with raw.connected(server) as client:
        await client.receiver("plain")
        await client.silent()
        acknowledged.clear()
        await client.silent()
        assert not acknowledged, "an answer carries the acknowledgement"
        client.grant(client.last_handle, 1)
        await until(lambda: bool(acknowledged))


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="needs TCP_QUICKACK, which Linux alone has")
async def test_the_kernel_is_told_to_acknowledge_at_once(
    server: ServiceBusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw.connected(server) as client:
        await client.receiver("plain")
        await client.silent()
        [connection] = server.connections
        told = Mock()
        monkeypatch.setattr(connection, "_socket", told)
        client.grant(client.last_handle, 1)
        await until(lambda: bool(told.mock_calls))
    told.setsockopt.assert_called_with(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def test_a_field_of_many_values_is_null_a_symbol_or_an_array(server: ServiceBusServer) -> None:
    # a list makes .NET close its connection
    offered = amqp.array(0xA3, [b"\x01a", b"\x01b"])
    capable = described(0x28, amqp.list_(amqp.string("plain"), *(NULL,) * 9, offered))
    async with raw.connected(server) as client:
        await client.attach(amqp.TRUE, capable, raw.target(""), 0, NULL, NULL, NULL, NULL, NULL, offered)
        attached = next(frame for frame in reversed(client.heard) if frame.code == raw.ATTACH)
        assert isinstance(attached.fields[5].value[10], amqp.Array)
        places = {raw.OPEN: (5, 6, 7, 8), raw.BEGIN: (5, 6), raw.ATTACH: (11, 12)}
        for frame in client.heard:
            for place in places.get(frame.code, ()):
                assert frame.fields[place] is None or isinstance(frame.fields[place], amqp.Symbol | amqp.Array)


async def test_the_mechanisms_of_sasl_are_an_array(server: ServiceBusServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"AMQP\x03\x01\x00\x00")
    async with asyncio.timeout(raw.PATIENCE):
        assert await reader.readexactly(8) == b"AMQP\x03\x01\x00\x00"
        size = int.from_bytes((await reader.readexactly(4)), "big")
        mechanisms, _ = amqp.decode((await reader.readexactly(size - 4))[4:])
    writer.close()
    assert (mechanisms.code, list(mechanisms.value[0])) == (0x40, ["ANONYMOUS", "MSSBCBS"])
    assert isinstance(mechanisms.value[0], amqp.Array)


async def test_a_session_that_ended_hears_nothing_more(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await raw.send(client, "plain", 20)
        await client.begin(1)
        await client.receiver("plain", 1)
        handle = client.last_handle
        client.grant(handle, 20, 1)
        for _ in range(20):
            await client.expect(raw.TRANSFER, 1)
        # what a receiver with prefetched messages says when it closes; a settlement it still waits for is among it
        client.grant(handle, 0, 1, drain=True)
        client.settle(0, raw.ACCEPTED, settled=False, channel=1)
        for number in range(1, 20):
            client.settle(number, raw.RELEASED, settled=True, channel=1)
        client.say(raw.DETACH, uint(handle), amqp.TRUE, NULL, channel=1)
        client.say(raw.END, NULL, channel=1)
        await client.expect(raw.END, 1)
        await client.silent()
        assert server.broker.queue("plain").depth()["active"] == 19


async def test_a_settlement_that_is_settled_already_is_not_answered(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await raw.send(client, "plain", 2)
        await client.receiver("plain")
        client.grant(client.last_handle, 1)
        found = await client.expect(raw.TRANSFER)
        client.settle(found.fields[1], raw.RELEASED, settled=True)
        await client.silent()
        assert [message.deliveries for message in server.broker.queue("plain").messages.values()] == [0, 0]


async def test_a_disposition_of_every_delivery_there_could_be_settles_those_there_are(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await raw.send(client, "plain", 3)
        await raw.deliver(client, "plain", 3)
        last = uint(0xFFFFFFFF)
        client.say(raw.DISPOSITION, amqp.TRUE, uint(0), last, amqp.FALSE, raw.ACCEPTED)
        settled = [(await client.expect(raw.DISPOSITION)).fields[1] for _ in range(3)]
        assert sorted(settled) == [1, 2, 3]
        await client.silent()
    assert server.broker.queue("plain").depth()["active"] == 0


async def test_a_delivery_that_does_not_end_costs_its_link(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await client.sender("plain")
        handle, part = client.last_handle, bytes(1_000_000)
        for _ in range(2):
            client.say(raw.TRANSFER, uint(handle), uint(0), amqp.binary(b"0"), uint(0), amqp.FALSE, amqp.TRUE,
                       payload=part)  # fmt: skip
        said = await client.expect(raw.DETACH)
        assert said.fields[2].value[0] == "amqp:link:message-size-exceeded"
        await raw.send(client, "plain", 1)


async def test_a_frame_is_not_larger_than_was_told(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        client.write((200_000_000).to_bytes(4, "big") + bytes(4))
        assert (await client.expect(raw.CLOSE)).fields[0].value[0] == "amqp:decode-error"


async def test_no_more_is_sent_than_the_clients_window_takes(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await raw.send(client, "plain", 5)
        await client.begin(1, incoming=2)
        await client.receiver("plain", 1)
        handle = client.last_handle
        client.say(raw.FLOW, NULL, uint(2), uint(0), uint(5000), uint(handle), uint(0), uint(5), channel=1)
        seen = [(await client.expect(raw.TRANSFER, 1)).fields[1] for _ in range(2)]
        await client.silent()
        client.say(raw.FLOW, uint(3), uint(2), uint(0), uint(5000), channel=1)
        seen += [(await client.expect(raw.TRANSFER, 1)).fields[1] for _ in range(2)]
        await client.silent()
        client.say(raw.FLOW, uint(5), uint(100), uint(0), uint(5000), channel=1)
        seen.append((await client.expect(raw.TRANSFER, 1)).fields[1])
        assert seen == [0, 1, 2, 3, 4]


async def test_a_client_with_the_smallest_frames_gets_its_message_in_parts(server: ServiceBusServer) -> None:
    async with raw.connected(server, largest_frame=512) as client:
        await client.sender("plain")
        client.transfer(client.last_handle, raw.text_message("x" * 2000))
        await client.expect(raw.DISPOSITION)
        [first] = await raw.deliver(client, "plain")
        payload, more = first.payload, first.fields[5]
        while more:
            following = await client.expect(raw.TRANSFER)
            payload, more = payload + following.payload, following.fields[5]
        assert amqp.sections(payload)[0x75] == b"x" * 2000


async def test_a_frame_that_cannot_be_read_closes_the_connection_with_a_condition(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        client.write(amqp.frame(0, described(0x12, b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff")))
        assert (await client.expect(raw.CLOSE)).fields[0].value[0] == "amqp:decode-error"


async def test_an_answer_comes_on_the_link_that_the_request_names(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        first = await client.requester("plain/$management")
        second = await client.requester("plain/$management")
        peek = amqp.strings({"from-sequence-number": amqp.int64(1), "message-count": amqp.int32(1)})
        for requests in (first, second, first):
            assert (await client.request(requests, "com.microsoft:peek-message", peek))[0] == 204
            assert client.heard[-1].fields[0] == requests + 1


async def test_a_session_that_is_shared_is_declined_by_name(server: ServiceBusServer) -> None:
    shared = amqp.described(0x137000000E, amqp.list_(amqp.string("a"), NULL))
    filters = amqp.symbols({"com.microsoft:non-exclusive-session-filter": shared})
    async with raw.connected(server) as client:
        await client.receiver("sessions", filters=filters)
        assert (await client.expect(raw.DETACH)).fields[2].value[0] == "amqp:not-implemented"


async def test_a_session_id_is_a_string(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await client.receiver("sessions", filters=amqp.symbols({"com.microsoft:session-filter": amqp.int32(1)}))
        assert (await client.expect(raw.DETACH)).fields[2].value[0] == "amqp:not-allowed"


async def test_the_oldest_free_messages_are_deleted_in_one_request(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await raw.send(client, "plain", 5)
        await raw.deliver(client, "plain", 1)
        requests = await client.requester("plain/$management")
        now = amqp.timestamp(int(server.broker.now() * 1000) + 1000)

        async def delete(count: int, before: bytes = now) -> tuple[int, object]:
            body = amqp.strings({"message-count": amqp.int32(count), "enqueued-time-utc": before})
            return await client.request(requests, "com.microsoft:batch-delete-messages", body)

        assert (await delete(10, amqp.timestamp(0)))[0] == 204
        assert await delete(3) == (200, {"message-count": 3})
        assert await delete(3) == (200, {"message-count": 1})
        assert (await delete(3))[0] == 204
    assert list(server.broker.queue("plain").messages) == [1]


async def test_a_lock_of_a_session_that_ran_out_costs_the_link(server: ServiceBusServer, clock: ManualClock) -> None:
    async with raw.connected(server) as client:
        found = await client.receiver("sessions", filters=named_session("a"))
        assert found.fields[5].value[7] == {"com.microsoft:session-filter": "a"}
        ticks = found.fields[13]["com.microsoft:locked-until-utc"]
        assert ticks == int((clock.time() + 30) * 10_000_000) + 621_355_968_000_000_000
        await clock.advance(30)
        await client.silent()  # the service is a moment late, and who leaves by then sees no error
        async with raw.connected(server) as other:
            assert (await other.receiver("sessions", filters=named_session("a"))).fields[5] is not None
        await clock.advance(1)
        assert (await client.expect(raw.DETACH)).fields[2].value[0] == "com.microsoft:session-lock-lost"


async def test_who_closes_as_the_lock_of_its_session_ends_hears_no_error(
    server: ServiceBusServer, clock: ManualClock
) -> None:
    async with raw.connected(server) as client:
        await client.receiver("sessions", filters=named_session("a"))
        await clock.advance(30)
        client.say(raw.DETACH, uint(client.last_handle), amqp.TRUE, NULL)
        assert (await client.expect(raw.DETACH)).fields[2] is None
        await clock.advance(5)
        await client.silent()


async def test_who_leaves_while_waiting_for_a_session_leaves_nothing_behind(server: ServiceBusServer) -> None:
    before = asyncio.all_tasks()
    async with raw.connected(server) as client:
        handle = await client.wait_for_session("sessions")
        await client.silent()
        client.say(raw.DETACH, uint(handle), amqp.TRUE, NULL)
        await client.expect(raw.DETACH)
    await until(lambda: not server.connections)
    await until(lambda: asyncio.all_tasks() == before)


async def test_all_sessions_are_listed_for_the_year_ten_thousand(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await client.sender("sessions")
        for session_id in ("a", "b", "c"):
            properties = described(0x73, amqp.list_(*(NULL,) * 10, amqp.string(session_id)))
            client.transfer(client.last_handle, raw.text_message("x", properties=properties))
            await client.expect(raw.DISPOSITION)
        handle = await client.requester("sessions/$management")

        async def page(skip: int) -> tuple[int, object]:
            body = {"last-updated-time": amqp.timestamp(253_402_300_800_000), "skip": amqp.int32(skip),
                    "top": amqp.int32(2)}  # fmt: skip
            return await client.request(handle, "com.microsoft:get-message-sessions", amqp.strings(body))

        assert await page(0) == (200, {"skip": 2, "sessions-ids": ["a", "b"]})
        assert await page(2) == (200, {"skip": 3, "sessions-ids": ["c"]})
        assert (await page(3))[0] == 204


async def test_heartbeats_come_well_within_the_clients_patience(server: ServiceBusServer) -> None:
    async with raw.connected(server, authorized=False, idle=1500) as client:
        async with asyncio.timeout(raw.PATIENCE):
            assert await client.heartbeat() == b"\x00\x00\x00\x08\x02\x00\x00\x00"
