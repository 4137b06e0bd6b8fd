"""What is said on the wire, to the byte where a client goes by it, and what a client may not do to the broker."""

from __future__ import annotations

import socket

import pytest

from localazure.servicebus.wire import ServiceBusServer

from . import amqp, raw
from .amqp import NULL, uint

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
