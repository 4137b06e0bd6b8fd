"""Transactions in the bytes of .NET's client: declare, take part, discharge; and what a rollback leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from localazure.clock import ManualClock
from localazure.servicebus.wire import ServiceBusServer

from . import amqp, raw
from .amqp import NULL, binary, described, list_, string
from .raw import ACCEPTED, DISPOSITION, TRANSFER, Frame, Raw

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

DECLARE = bytes.fromhex("00537700 5331 c0020140".replace(" ", ""))
DECLARED, TRANSACTIONAL, REJECTED = 0x33, 0x34, 0x25


def discharge(transaction: bytes, fail: bool) -> bytes:
    return bytes.fromhex("005377005332c01402a010") + transaction + (b"\x41" if fail else b"\x42")


def within(transaction: bytes, outcome: bytes = NULL) -> bytes:
    return described(TRANSACTIONAL, list_(binary(transaction), outcome))


@pytest.fixture
async def client(server: ServiceBusServer) -> AsyncIterator[Raw]:
    async with raw.connected(server) as made:
        yield made


async def coordinator(client: Raw, channel: int = 1, begin: bool = True) -> int:
    """The handle of a coordinator, on a session of its own."""
    if begin:
        await client.begin(channel)
    target = described(0x30, list_(NULL))
    answer = await client.attach(amqp.FALSE, raw.source(""), target, channel)
    assert answer.fields[6].code == 0x30
    assert answer.fields[5].code == 0x28
    granted = await client.expect(raw.FLOW, channel)
    assert granted.fields[6] > 0
    return client.last_handle


async def declare(client: Raw, handle: int, channel: int = 1) -> bytes:
    client.transfer(handle, DECLARE, channel=channel)
    said = await client.expect(DISPOSITION, channel)
    assert (said.fields[0], said.fields[3], said.fields[4].code) == (True, True, DECLARED)
    identifier = said.fields[4].value[0]
    assert isinstance(identifier, bytes)
    return identifier


async def commit(client: Raw, handle: int, transaction: bytes, fail: bool = False, channel: int = 1) -> Frame:
    client.transfer(handle, discharge(transaction, fail), channel=channel)
    while True:
        said = await client.expect(DISPOSITION, channel)
        if said.fields[0]:
            return said


async def accept(client: Raw, handle: int, transaction: bytes, text: str, channel: int = 0) -> Frame:
    client.transfer(handle, raw.text_message(text), state=within(transaction), channel=channel)
    return await client.expect(DISPOSITION, channel)


async def plain(client: Raw, handle: int, text: str) -> None:
    client.transfer(handle, raw.text_message(text))
    await client.expect(DISPOSITION)


async def test_what_is_sent_is_seen_after_the_commit_and_never_after_a_rollback(
    client: Raw, server: ServiceBusServer
) -> None:
    transactions = await coordinator(client)
    await client.sender("plain")
    sender = client.last_handle
    for fail in (True, False):
        transaction = await declare(client, transactions)
        for text in ("a", "b"):
            said = await accept(client, sender, transaction, text)
            assert (said.fields[3], said.fields[4].code) == (True, TRANSACTIONAL)
            assert said.fields[4].value[0] == transaction
            assert said.fields[4].value[1].code == 0x24
        assert server.broker.queue("plain").depth()["active"] == 0
        said = await commit(client, transactions, transaction, fail)
        assert (said.fields[3], said.fields[4].code) == (True, 0x24)
        assert server.broker.queue("plain").depth()["active"] == (0 if fail else 2)


async def test_a_settlement_waits_for_the_commit_and_a_rollback_leaves_the_lock(
    client: Raw, server: ServiceBusServer
) -> None:
    transactions = await coordinator(client)
    await client.sender("plain")
    await plain(client, client.last_handle, "x")
    await client.receiver("plain")
    client.grant(client.last_handle, 1)
    number = (await client.expect(TRANSFER)).fields[1]
    transaction = await declare(client, transactions)
    client.settle(number, within(transaction, ACCEPTED))
    said = await client.expect(DISPOSITION, 0)
    # settled, .NET would forget the delivery
    assert (said.fields[0], said.fields[3], said.fields[4].code) == (False, False, TRANSACTIONAL)
    assert said.fields[4].value[0] == transaction
    assert said.fields[4].value[1].code == 0x24
    await commit(client, transactions, transaction, fail=True)
    assert server.broker.queue("plain").depth() == {"active": 1, "deferred": 0, "scheduled": 0, "locked": 1}
    again = await declare(client, transactions)
    client.settle(number, within(again, ACCEPTED))
    await client.expect(DISPOSITION, 0)
    client.transfer(transactions, discharge(again, False), channel=1)
    said = await client.expect(DISPOSITION, 0)
    assert (said.fields[1], said.fields[3], said.fields[4].code) == (number, True, 0x24)
    assert server.broker.queue("plain").depth()["active"] == 0


async def test_a_message_in_a_transaction_is_not_settled_otherwise(client: Raw, server: ServiceBusServer) -> None:
    transactions = await coordinator(client)
    await client.sender("plain")
    await plain(client, client.last_handle, "x")
    await client.receiver("plain")
    client.grant(client.last_handle, 1)
    number = (await client.expect(TRANSFER)).fields[1]
    transaction = await declare(client, transactions)
    client.settle(number, within(transaction, ACCEPTED))
    await client.expect(DISPOSITION, 0)
    client.settle(number, ACCEPTED)
    said = await client.expect(DISPOSITION, 0)
    assert said.fields[4].value[0].value[0] == "amqp:not-allowed"
    await commit(client, transactions, transaction)
    assert server.broker.queue("plain").depth()["active"] == 0


async def test_a_lock_that_ran_out_rolls_everything_back(
    client: Raw, server: ServiceBusServer, clock: ManualClock
) -> None:
    transactions = await coordinator(client)
    await client.sender("plain")
    sender = client.last_handle
    await plain(client, sender, "x")
    await client.receiver("plain")
    client.grant(client.last_handle, 1)
    number = (await client.expect(TRANSFER)).fields[1]
    transaction = await declare(client, transactions)
    client.settle(number, within(transaction, ACCEPTED))
    await client.expect(DISPOSITION, 0)
    await accept(client, sender, transaction, "never")
    await clock.advance(31)
    said = await commit(client, transactions, transaction)
    assert said.fields[4].code == REJECTED
    assert said.fields[4].value[0].value[0] == "amqp:transaction:rollback"
    assert server.broker.queue("plain").depth()["active"] == 1


async def test_a_transaction_has_one_entity(client: Raw, server: ServiceBusServer) -> None:
    transactions = await coordinator(client)
    await client.sender("plain")
    first = client.last_handle
    await client.sender("once")
    second = client.last_handle
    transaction = await declare(client, transactions)
    await accept(client, first, transaction, "a")
    said = await accept(client, second, transaction, "b")
    assert said.fields[4].code == REJECTED
    assert said.fields[4].value[0].value[0] == "amqp:not-allowed"
    await commit(client, transactions, transaction)
    assert server.broker.queue("plain").depth()["active"] == 1


async def test_a_topic_and_its_subscriptions_are_one_entity(client: Raw, server: ServiceBusServer) -> None:
    transactions = await coordinator(client)
    await client.sender("news")
    sender = client.last_handle
    await plain(client, sender, "x")
    await client.receiver("news/Subscriptions/all")
    client.grant(client.last_handle, 1)
    number = (await client.expect(TRANSFER)).fields[1]
    transaction = await declare(client, transactions)
    client.settle(number, within(transaction, ACCEPTED))
    await client.expect(DISPOSITION, 0)
    assert (await accept(client, sender, transaction, "y")).fields[4].code == TRANSACTIONAL
    await commit(client, transactions, transaction)
    assert server.broker.queue("news/Subscriptions/all").depth()["active"] == 1


async def test_entities_mix_in_a_session_that_begins_with_a_coordinator(client: Raw, server: ServiceBusServer) -> None:
    await client.begin(2)
    transactions = await coordinator(client, 2, begin=False)
    await client.sender("plain", 2)
    first = client.last_handle
    await client.sender("once", 2)
    second = client.last_handle
    transaction = await declare(client, transactions, 2)
    for handle in (first, second):
        assert (await accept(client, handle, transaction, "x", 2)).fields[4].code == TRANSACTIONAL
    await commit(client, transactions, transaction, channel=2)
    assert [server.broker.queue(name).depth()["active"] for name in ("plain", "once")] == [1, 1]


async def test_an_unknown_transaction_is_refused(client: Raw) -> None:
    transactions = await coordinator(client)
    await client.sender("plain")
    sender, unknown = client.last_handle, bytes(16)
    assert (await accept(client, sender, unknown, "x")).fields[4].value[0].value[0] == "amqp:transaction:unknown-id"
    said = await commit(client, transactions, unknown)
    assert said.fields[4].value[0].value[0] == "amqp:transaction:unknown-id"


async def test_a_transaction_lasts_two_minutes(client: Raw, server: ServiceBusServer, clock: ManualClock) -> None:
    transactions = await coordinator(client)
    await client.sender("plain")
    sender = client.last_handle
    transaction = await declare(client, transactions)
    await accept(client, sender, transaction, "x")
    await clock.advance(121)
    said = await commit(client, transactions, transaction)
    assert said.fields[4].value[0].value[0] == "amqp:transaction:timeout"
    assert server.broker.queue("plain").depth()["active"] == 0


async def test_a_connection_that_ends_rolls_its_transactions_back(server: ServiceBusServer) -> None:
    async with raw.connected(server) as first, raw.connected(server) as second:
        await first.sender("plain")
        await plain(first, first.last_handle, "x")
        await second.receiver("plain")
        second.grant(second.last_handle, 1)
        delivery = await second.expect(TRANSFER)
        transactions = await coordinator(second)
        transaction = await declare(second, transactions)
        second.settle(delivery.fields[1], within(transaction, ACCEPTED))
        await second.expect(DISPOSITION, 0)
        second.say(raw.CLOSE, NULL)
        await second.expect(raw.CLOSE)
        handle = await first.requester("plain/$management")
        token = amqp.guid(raw.token_of(delivery))
        body = amqp.strings({"disposition-status": string("completed"), "lock-tokens": amqp.array(0x98, [token[1:]])})
        assert (await first.request(handle, "com.microsoft:update-disposition", body))[0] == 200
    assert server.broker.queue("plain").depth()["active"] == 0


async def test_requests_take_part_and_are_done_with_the_commit(client: Raw, server: ServiceBusServer) -> None:
    transactions = await coordinator(client)
    handle = await client.requester("plain/$management")
    moment = int((server.broker.now() + 600) * 1000)
    annotations = described(0x72, amqp.symbols({"x-opt-scheduled-enqueue-time": amqp.timestamp(moment)}))
    message = binary(annotations + raw.text_message("x"))
    body = amqp.strings({"messages": list_(amqp.strings({"message-id": string("m"), "message": message}))})
    numbers = []
    for fail in (True, False):
        transaction = await declare(client, transactions)
        status, answer = await client.request(handle, "com.microsoft:schedule-message", body, state=within(transaction))
        assert status == 200
        numbers += answer["sequence-numbers"]
        assert server.broker.queue("plain").depth()["scheduled"] == 0
        await commit(client, transactions, transaction, fail)
    assert list(server.broker.queue("plain").messages) == [numbers[1]]
    cancel = amqp.strings({"sequence-numbers": amqp.array(0x81, [amqp.int64(numbers[1])[1:]])})
    for fail in (True, False):
        transaction = await declare(client, transactions)
        status, _ = await client.request(
            handle, "com.microsoft:cancel-scheduled-message", cancel, state=within(transaction)
        )
        assert status == 200
        assert server.broker.queue("plain").depth()["scheduled"] == 1
        await commit(client, transactions, transaction, fail)
    assert server.broker.queue("plain").depth()["scheduled"] == 0


async def test_a_session_that_ended_hears_nothing_of_a_commit(client: Raw, server: ServiceBusServer) -> None:
    transactions = await coordinator(client)
    await client.sender("plain")
    await plain(client, client.last_handle, "x")
    await client.begin(2)
    await client.receiver("plain", 2)
    client.grant(client.last_handle, 1, 2)
    delivery = await client.expect(TRANSFER, 2)
    transaction = await declare(client, transactions)
    client.settle(delivery.fields[1], within(transaction, ACCEPTED), channel=2)
    await client.expect(DISPOSITION, 2)
    client.say(raw.END, NULL, channel=2)
    await client.expect(raw.END, 2)
    heard = len(client.heard)
    await commit(client, transactions, transaction)
    await client.silent()
    assert 2 not in {frame.channel for frame in client.heard[heard:]}
    assert server.broker.queue("plain").depth()["active"] == 0


async def test_settlements_and_states_by_request_wait_for_the_commit(client: Raw, server: ServiceBusServer) -> None:
    transactions = await coordinator(client)
    await client.sender("sessions")
    properties = described(0x73, list_(*(NULL,) * 10, string("a")))
    client.transfer(client.last_handle, raw.text_message("x", properties=properties))
    await client.expect(DISPOSITION)
    await client.receiver("sessions", filters=raw.named_session("a"))
    client.grant(client.last_handle, 1)
    token = raw.token_of(await client.expect(TRANSFER))
    handle = await client.requester("sessions/$management")
    session_id = {"session-id": string("a")}
    settle = {"disposition-status": string("completed"), "lock-tokens": amqp.array(0x98, [token.bytes]), **session_id}
    remember = {"session-state": binary(b"new"), **session_id}

    async def state() -> object:
        return (await client.request(handle, "com.microsoft:get-session-state", amqp.strings(session_id)))[1]

    for fail in (True, False):
        transaction = await declare(client, transactions)
        for operation, body in (("update-disposition", settle), ("set-session-state", remember)):
            told = within(transaction)
            answer = await client.request(handle, f"com.microsoft:{operation}", amqp.strings(body), state=told)
            assert answer[0] == 200
        assert (server.broker.queue("sessions").depth()["active"], await state()) == (1, {"session-state": None})
        await commit(client, transactions, transaction, fail)
    assert (server.broker.queue("sessions").depth()["active"], await state()) == (0, {"session-state": b"new"})
