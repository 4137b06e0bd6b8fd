"""A message's bytes: what the broker keeps as it came, what it adds, and what settling sets."""

from __future__ import annotations

import uuid

import pytest

from localazure.clock import ManualClock
from localazure.servicebus.wire import ServiceBusServer

from . import amqp, raw
from .amqp import NULL, described, uint

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


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
        await raw.send(client, "plain", 1)
    assert server.broker.queue("plain").depth()["active"] == 1


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
        [delivery] = await raw.deliver(client, "plain")
    found = amqp.sections(delivery.payload)
    assert found[0x70] == [True, 7, None, None, 0]
    assert (found[0x72]["own"], found[0x72]["x-opt-sequence-number"]) == (2**63, 1)
    assert found[0x72]["x-opt-partition-key"] == "p"
    assert found[0x78] == {"sum": 5}
    assert b"\x80\x80" in delivery.payload  # still an ulong
    assert found[0x71] == {"x-opt-lock-token": raw.token_of(delivery), "hop": 1}


async def test_an_active_message_is_annotated_with_no_more_than_the_service_does(server: ServiceBusServer) -> None:
    # a client counts annotations and bytes
    async with raw.connected(server) as client:
        await raw.send(client, "plain", 2)
        [locked] = await raw.deliver(client, "plain")
        told = {"x-opt-sequence-number", "x-opt-enqueued-time", "x-opt-locked-until"}
        assert amqp.sections(locked.payload)[0x72].keys() == told
        await client.attach(amqp.TRUE, raw.source("plain"), raw.target(""), mode=amqp.ubyte(1))
        client.grant(client.last_handle, 1)
        delivery = await client.expect(raw.TRANSFER)
        assert (delivery.fields[2], delivery.fields[4]) == (b"", True)
        deleted = amqp.sections(delivery.payload)
        assert deleted[0x72].keys() == told - {"x-opt-locked-until"}
        assert deleted[0x71] == {}


async def test_a_peeked_message_says_in_which_state_it_is(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        await raw.send(client, "plain", 2)
        [delivery] = await raw.deliver(client, "plain")
        client.settle(delivery.fields[1], described(0x27, amqp.list_(amqp.FALSE, amqp.TRUE)))
        await client.expect(raw.DISPOSITION)
        requests = await client.requester("plain/$management")
        peek = amqp.strings({"from-sequence-number": amqp.int64(1), "message-count": amqp.int32(10)})
        _, answer = await client.request(requests, "com.microsoft:peek-message", peek)
        found = [amqp.sections(entry["message"])[0x72] for entry in answer["messages"]]
        assert [each.get("x-opt-message-state", 0) for each in found] == [1, 0]


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
        [delivery] = await raw.deliver(client, address if address == "plain" else "news/Subscriptions/all")
    assert section in delivery.payload


@pytest.mark.parametrize("outcome", ["abandon", "defer", "dead-letter"])
async def test_settling_sets_properties_in_their_own_types(server: ServiceBusServer, outcome: str) -> None:
    changes = {"ulong": b"\x80" + b"\xff" * 8, "kept": amqp.named("com.microsoft:timespan", amqp.int64(5))}
    before = described(0x74, amqp.strings({"first": amqp.int32(1), "kept": amqp.string("before")}))
    async with raw.connected(server) as client:
        await client.sender("plain")
        client.transfer(client.last_handle, raw.text_message("x", application=before))
        await client.expect(raw.DISPOSITION)
        [delivery] = await raw.deliver(client, "plain")
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
        await raw.send(client, "plain", 1)
        [delivery] = await raw.deliver(client, "plain")
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
        found = [amqp.sections(delivery.payload)[0x73] for delivery in await raw.deliver(client, "plain", 3)]
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
        [delivery] = await raw.deliver(client, "plain")
    assert amqp.sections(delivery.payload)[0x70][2] == 0xFFFFFFFF
