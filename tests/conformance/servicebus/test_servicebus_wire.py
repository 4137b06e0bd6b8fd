"""What is said on the wire, to the byte where a client goes by it, and what a client may not do to the broker."""

from __future__ import annotations

import asyncio
import socket
import uuid
from dataclasses import replace
from unittest.mock import Mock

import pytest

from localazure.clock import ManualClock
from localazure.servicebus.authorization import AuthorizationRule
from localazure.servicebus.connection import Connection
from localazure.servicebus.wire import ServiceBusServer

from . import amqp, raw
from .amqp import NULL, described, uint
from .bench import until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


async def _send(client: raw.Raw, queue: str, count: int) -> None:
    await client.sender(queue)
    handle = client.last_handle
    for number in range(count):
        client.transfer(handle, raw.text_message(str(number)))
        found = await client.expect(raw.DISPOSITION)
        assert found.fields[4].code == 0x24


async def test_small_frames_do_not_wait_for_one_another(server: ServiceBusServer) -> None:
    async with raw.connected(server):
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


@pytest.mark.parametrize(
    "entity, status",
    [
        ("", 202), ("plain", 202), ("PLAIN/$management", 202), ("plain/$DeadLetterQueue", 202), ("news", 202),
        ("plain/$Transfer/$DeadLetterQueue", 202), ("news/Subscriptions/all/$management", 202), ("$cbs", 202),
        ("missing", 404), ("missing/$management", 404), ("news/Subscriptions/missing", 404), ("news/all", 404),
    ],
)  # fmt: skip
async def test_a_token_is_for_what_exists(server: ServiceBusServer, entity: str, status: int) -> None:
    async with raw.connected(server) as client:
        for scheme in ("sb://localhost:1", "amqps://localhost"):
            assert await client.authorize(f"{scheme}/{entity}") == status


async def test_who_has_no_key_is_not_told_what_exists(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        assert (
            await client.authorize("sb://localhost/missing", token="SharedAccessSignature sr=a&sig=b&se=1&skn=c") == 401
        )


async def test_a_session_that_ended_hears_nothing_more(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await _send(client, "plain", 20)
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
        await _send(client, "plain", 2)
        await client.receiver("plain")
        client.grant(client.last_handle, 1)
        found = await client.expect(raw.TRANSFER)
        client.settle(found.fields[1], raw.RELEASED, settled=True)
        await client.silent()
        assert [message.deliveries for message in server.broker.queue("plain").messages.values()] == [0, 0]


async def _deliver(client: raw.Raw, address: str, count: int = 1) -> list[raw.Frame]:
    await client.receiver(address)
    client.grant(client.last_handle, count)
    return [await client.expect(raw.TRANSFER) for _ in range(count)]


async def test_a_disposition_of_every_delivery_there_could_be_settles_those_there_are(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await _send(client, "plain", 3)
        await _deliver(client, "plain", 3)
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
        await _send(client, "plain", 1)


async def test_a_frame_is_not_larger_than_was_told(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        client.write((200_000_000).to_bytes(4, "big") + bytes(4))
        assert (await client.expect(raw.CLOSE)).fields[0].value[0] == "amqp:decode-error"


async def test_no_more_is_sent_than_the_clients_window_takes(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await _send(client, "plain", 5)
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
        [first] = await _deliver(client, "plain")
        payload, more = first.payload, first.fields[5]
        while more:
            following = await client.expect(raw.TRANSFER)
            payload, more = payload + following.payload, following.fields[5]
        assert amqp.sections(payload)[0x75] == b"x" * 2000


MALFORMED = [
    raw.text_message("x", application=described(0x74, amqp.map_(amqp.string("odd")))),
    raw.text_message("x", application=described(0x74, amqp.list_())),
    raw.text_message("x", application=b"\x00\x53\x74\xc1\xff\x02\xa1\x01a\x40"),
    raw.text_message("x", application=described(0x74, amqp.strings({"a": b"\x3f"}))),
    raw.text_message("x", application=described(0x74, amqp.strings({"a": b"\xa1\x02\xff\xfe"}))),
    raw.text_message("x", application=described(0x74, amqp.strings({"a": (b"\xc0\x22\x01" * 400)}))),
    described(0x79, NULL),
    b"\x01",
]


@pytest.mark.parametrize("payload", MALFORMED)
async def test_a_message_that_cannot_be_read_is_refused_with_a_condition(
    server: ServiceBusServer, payload: bytes
) -> None:
    async with raw.connected(server) as client:
        await client.sender("plain")
        handle = client.last_handle
        client.transfer(handle, payload)
        said = await client.expect(raw.DISPOSITION)
        assert (said.fields[4].code, said.fields[4].value[0].value[0]) == (0x25, "amqp:decode-error")
        client.transfer(handle, payload, settled=True)
        assert (await client.expect(raw.DETACH)).fields[2].value[0] == "amqp:decode-error"
        await _send(client, "plain", 1)
    assert server.broker.queue("plain").depth()["active"] == 1


async def test_a_frame_that_cannot_be_read_closes_the_connection_with_a_condition(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        client.write(amqp.frame(0, described(0x12, b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff")))
        assert (await client.expect(raw.CLOSE)).fields[0].value[0] == "amqp:decode-error"


@pytest.mark.parametrize(
    ("role", "address"),
    [(amqp.FALSE, "plain"), (amqp.TRUE, "plain"), (amqp.FALSE, "plain/$management"), (amqp.TRUE, "plain/$management")],
)
async def test_no_link_is_attached_without_a_token(server: ServiceBusServer, role: bytes, address: str) -> None:
    async with raw.connected(server, authorized=False) as client:
        await client.attach(role, raw.source(address), raw.target(address))
        assert (await client.expect(raw.DETACH)).fields[2].value[0] == "amqp:unauthorized-access"
        # the same after a token that is not good
        assert await client.authorize(token="SharedAccessSignature sr=a&sig=b&se=1&skn=c") == 401
        await client.attach(role, raw.source(address), raw.target(address))
        assert (await client.expect(raw.DETACH)).fields[2].value[0] == "amqp:unauthorized-access"


KEY = "TGlzdGVuT25seUtleQ=="


async def _client_with(server: ServiceBusServer, client: raw.Raw, *rights: str) -> None:
    rule = AuthorizationRule("own", rights, KEY, KEY)
    options = server.broker.entities.describe("plain").options
    server.broker.entities.update("plain", replace(options, authorization=(rule,)))
    token = server.tokens.make("sb://localhost/plain", 600, "own", KEY)
    assert await client.authorize("sb://localhost/plain", token=token) == 202


@pytest.mark.parametrize(
    ("rights", "sends", "receives"),
    [(("Send",), True, False), (("Listen",), False, True), (("Send", "Listen", "Manage"), True, True)],
)
async def test_a_key_of_an_entity_gives_its_rights_there_and_nowhere_else(
    server: ServiceBusServer, rights: tuple[str, ...], sends: bool, receives: bool
) -> None:
    async with raw.connected(server, authorized=False) as client:
        await _client_with(server, client, *rights)

        async def opens(role: bytes, address: str) -> bool:
            found = await client.attach(role, raw.source(address), raw.target(address))
            if found.fields[5] is not None and found.fields[6] is not None:
                return True
            error = (await client.expect(raw.DETACH)).fields[2].value
            assert error[0] == "amqp:unauthorized-access"
            return False

        assert await opens(amqp.FALSE, "plain") is sends
        assert await opens(amqp.TRUE, "plain") is receives
        assert not await opens(amqp.FALSE, "once")
        assert not await opens(amqp.TRUE, "once")
        requests = await client.requester("plain/$management")
        peek = amqp.strings({"from-sequence-number": amqp.int64(1), "message-count": amqp.int32(1)})
        assert (await client.request(requests, "com.microsoft:peek-message", peek))[0] == (204 if receives else 401)
        none = amqp.strings({"messages": amqp.list_()})
        assert (await client.request(requests, "com.microsoft:schedule-message", none))[0] == (200 if sends else 401)


async def test_a_tokens_rights_end_with_it(server: ServiceBusServer, clock: ManualClock) -> None:
    async with raw.connected(server) as client:
        await client.sender("plain")
        await clock.advance(601)
        await client.attach(amqp.FALSE, raw.source(""), raw.target("plain"))
        assert (await client.expect(raw.DETACH)).fields[2].value[0] == "amqp:unauthorized-access"


async def test_an_answer_comes_on_the_link_that_the_request_names(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        first = await client.requester("plain/$management")
        second = await client.requester("plain/$management")
        peek = amqp.strings({"from-sequence-number": amqp.int64(1), "message-count": amqp.int32(1)})
        for requests in (first, second, first):
            assert (await client.request(requests, "com.microsoft:peek-message", peek))[0] == 204
            assert client.heard[-1].fields[0] == requests + 1


async def test_annotations_footer_and_header_of_the_sender_arrive_as_they_were_sent(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await client.sender("plain")
        own = amqp.symbols({"own": amqp.ulong(2**63), "x-opt-sequence-number": amqp.int64(99),
                            "x-opt-partition-key": amqp.string("p")})  # fmt: skip
        sent = (
            described(0x70, amqp.list_(amqp.TRUE, amqp.ubyte(7)))
            + described(0x71, amqp.symbols({"hop": amqp.int32(1), "x-opt-lock-token": amqp.int32(2)}))
            + described(0x72, own)
            + raw.text_message("x")
            + described(0x78, amqp.symbols({"sum": amqp.int32(5)}))
        )
        client.transfer(client.last_handle, sent)
        await client.expect(raw.DISPOSITION)
        [delivery] = await _deliver(client, "plain")
    found = amqp.sections(delivery.payload)
    assert found[0x70] == [True, 7, None, None, 0]
    assert (found[0x72]["own"], found[0x72]["x-opt-sequence-number"]) == (2**63, 1)
    assert found[0x72]["x-opt-partition-key"] == "p"
    assert found[0x78] == {"sum": 5}
    assert b"\x80\x80" in delivery.payload  # still an ulong
    assert found[0x71] == {"x-opt-lock-token": raw.token_of(delivery), "hop": 1}


EVERY_TYPE = {
    "null": NULL, "boolean": b"\x56\x01", "ubyte": amqp.ubyte(1), "ushort": b"\x60\x00\x01",
    "uint": b"\x70\x00\x00\x00\x01", "ulong": b"\x80" + bytes(7) + b"\x01", "byte": b"\x51\xff",
    "short": b"\x61\xff\xff", "int": amqp.int32(-1), "long": amqp.int64(-1), "float": b"\x72\x3f\x80\x00\x00",
    "double": amqp.double(0.5), "char": b"\x73\x00\x01\xf6\x00",
    "decimal32": b"\x74" + bytes(4), "decimal64": b"\x84" + bytes(8), "decimal128": b"\x94" + bytes(16),
    "timestamp": amqp.timestamp(5), "uuid": amqp.guid(uuid.UUID(int=7)), "binary": amqp.binary(b"b"),
    "string": amqp.string("s"), "symbol": amqp.symbol("y"), "list": amqp.small_list(amqp.ubyte(1)),
    "map": amqp.map_(amqp.string("a"), NULL), "array": amqp.array(0x50, [b"\x01", b"\x02"]),
    "uri": amqp.named("com.microsoft:uri", amqp.string("https://localhost")),
    "datetime-offset": amqp.named("com.microsoft:datetime-offset", amqp.int64(638_000_000_000_000_000)),
    "timespan": amqp.named("com.microsoft:timespan", amqp.int64(10_000_000)),
}  # fmt: skip


@pytest.mark.parametrize("address", ["plain", "news"])
async def test_properties_of_every_type_are_taken_and_kept(server: ServiceBusServer, address: str) -> None:
    async with raw.connected(server) as client:
        await client.sender(address)
        section = described(0x74, amqp.strings(EVERY_TYPE))
        client.transfer(client.last_handle, raw.text_message("x", application=section))
        assert (await client.expect(raw.DISPOSITION)).fields[4].code == 0x24
        [delivery] = await _deliver(client, address if address == "plain" else "news/Subscriptions/all")
    assert section in delivery.payload


@pytest.mark.parametrize("outcome", ["abandon", "defer", "dead-letter"])
async def test_settling_sets_properties_in_their_own_types(server: ServiceBusServer, outcome: str) -> None:
    changes = {"ulong": b"\x80" + b"\xff" * 8, "kept": amqp.named("com.microsoft:timespan", amqp.int64(5))}
    before = described(0x74, amqp.strings({"first": amqp.int32(1), "kept": amqp.string("before")}))
    async with raw.connected(server) as client:
        await client.sender("plain")
        client.transfer(client.last_handle, raw.text_message("x", application=before))
        await client.expect(raw.DISPOSITION)
        [delivery] = await _deliver(client, "plain")
        if outcome == "dead-letter":
            error = described(0x1D, amqp.list_(amqp.symbol("com.microsoft:dead-letter"), NULL, amqp.symbols(changes)))
            client.settle(delivery.fields[1], described(0x25, amqp.list_(error)))
        else:
            told = amqp.list_(amqp.FALSE, amqp.boolean(outcome == "defer"), amqp.symbols(changes))
            client.settle(delivery.fields[1], described(0x27, told))
        await client.expect(raw.DISPOSITION)
    queue = server.broker.queue("plain/$DeadLetterQueue" if outcome == "dead-letter" else "plain")
    [message] = queue.messages.values()
    assert amqp.sections(message.content)[0x74].keys() == {"first", "ulong", "kept"}
    for value in (amqp.int32(1), *changes.values()):
        assert value in message.content
    assert b"before" not in message.content


async def test_properties_are_changed_over_management_too(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await _send(client, "plain", 1)
        [delivery] = await _deliver(client, "plain")
        requests = await client.requester("plain/$management")
        token = raw.token_of(delivery)
        body = {"disposition-status": amqp.string("abandoned"), "lock-tokens": amqp.array(0x98, [token.bytes]),
                "properties-to-modify": amqp.strings({"tried": amqp.int32(1)})}  # fmt: skip
        assert (await client.request(requests, "com.microsoft:update-disposition", amqp.strings(body)))[0] == 200
    [message] = server.broker.queue("plain").messages.values()
    assert amqp.sections(message.content)[0x74] == {"tried": 1}


async def test_a_message_without_an_id_gets_one_and_keeps_its_other_properties(server: ServiceBusServer) -> None:
    properties = described(0x73, amqp.list_(NULL, amqp.binary(b"u"), amqp.string("to")))
    async with raw.connected(server) as client:
        await client.sender("plain")
        for section in (b"", properties, described(0x73, amqp.EMPTY_LIST)):
            client.transfer(client.last_handle, raw.text_message("x", properties=section))
            await client.expect(raw.DISPOSITION)
        found = [amqp.sections(delivery.payload)[0x73] for delivery in await _deliver(client, "plain", 3)]
    assert len({each[0] for each in found}) == 3
    assert all(len(each[0]) == 32 and int(each[0], 16) >= 0 for each in found)
    assert found[1][1:3] == [b"u", "to"]


async def test_a_time_to_live_beyond_the_header_is_in_two_moments(server: ServiceBusServer, clock: ManualClock) -> None:
    now, days = int(clock.time() * 1000), 100 * 86_400_000
    moments = amqp.list_(*(NULL,) * 8, amqp.timestamp(now + days), amqp.timestamp(now))
    longest = described(0x70, amqp.list_(NULL, NULL, uint(0xFFFFFFFF)))
    async with raw.connected(server) as client:
        await client.sender("plain")
        client.transfer(client.last_handle, longest + raw.text_message("x", properties=described(0x73, moments)))
        await client.expect(raw.DISPOSITION)
        [message] = server.broker.queue("plain").messages.values()
        assert message.expires - message.enqueued == pytest.approx(days / 1000)
        [delivery] = await _deliver(client, "plain")
    assert amqp.sections(delivery.payload)[0x70][2] == 0xFFFFFFFF


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
        await _send(client, "plain", 5)
        await _deliver(client, "plain", 1)
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


async def test_heartbeats_come_well_within_the_clients_patience(server: ServiceBusServer) -> None:
    async with raw.connected(server, authorized=False, idle=1500) as client:
        async with asyncio.timeout(raw.PATIENCE):
            assert await client.heartbeat() == b"\x00\x00\x00\x08\x02\x00\x00\x00"
