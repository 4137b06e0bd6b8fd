"""One port for AMQP, TLS, HTTP and WebSockets: the first bytes tell them apart, whichever port it is."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
from azure.servicebus import ServiceBusMessage, TransportType
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.aio.management import ServiceBusAdministrationClient

from localazure.clock import ManualClock, SystemClock
from localazure.servicebus.listener import Listener
from localazure.servicebus.wire import ServiceBusServer

from . import raw
from .bench import take, texts

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
PORTS = ("port", "tls_port", "management_port")


def trusting(server: ServiceBusServer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.certificate)


def secure(server: ServiceBusServer, port: str) -> str:
    """A connection string for a client that does not say that it talks to an emulator."""
    plain = server.connection_string.replace(";UseDevelopmentEmulator=true", "")
    return plain.replace(f":{server.port};", f":{getattr(server, port)};")


@pytest.mark.parametrize("port", PORTS)
async def test_every_port_speaks_amqp_with_and_without_tls(server: ServiceBusServer, port: str) -> None:
    number = getattr(server, port)
    for context in (None, trusting(server)):
        host = "localhost" if context else None
        reader, writer = await asyncio.open_connection("127.0.0.1", number, ssl=context, server_hostname=host)
        for part in (b"AM", b"QP\x00\x01", b"\x00\x00"):  # first bytes may come one by one
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(raw.PATIENCE):
            assert await reader.readexactly(8) == b"AMQP\x00\x01\x00\x00"
        writer.close()


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_every_port_takes_administration_with_and_without_tls(
    server: ServiceBusServer, port: str, scheme: str
) -> None:
    address = f"{scheme}://localhost:{getattr(server, port)}"
    headers = {"Authorization": server.tokens.make(address, 60)}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{address}/$namespaceinfo", headers=headers, ssl=trusting(server)) as answer,
    ):
        assert answer.status == 200
        assert f"<id>{address}/$namespaceinfo</id>" in await answer.text()


async def test_one_connection_string_serves_messages_and_administration(server: ServiceBusServer) -> None:
    string, certificate = secure(server, "port"), str(server.certificate)
    async with (
        ServiceBusAdministrationClient.from_connection_string(string, connection_verify=certificate) as admin,
        ServiceBusClient.from_connection_string(
            string, connection_verify=certificate, custom_endpoint_address=server.url
        ) as client,
    ):
        await admin.create_queue("made")
        sender, receiver = client.get_queue_sender("made"), client.get_queue_receiver("made")
        async with sender, receiver:
            await sender.send_messages(ServiceBusMessage("x"))
            assert texts(await take(receiver, 1)) == ["x"]


async def test_amqp_goes_through_websockets(server: ServiceBusServer) -> None:
    async with ServiceBusClient.from_connection_string(
        secure(server, "port"),
        transport_type=TransportType.AmqpOverWebsocket,
        connection_verify=str(server.certificate),
        custom_endpoint_address=server.url,
    ) as client:
        sender, receiver = client.get_queue_sender("plain"), client.get_queue_receiver("plain")
        async with sender, receiver:
            await sender.send_messages([ServiceBusMessage("x" * 100_000), ServiceBusMessage("y")])
            found = await take(receiver, 2)
            for message in found:
                await receiver.complete_message(message)
    assert [len(text) for text in texts(found)] == [100_000, 1]
    assert server.broker.queue("plain").depth()["active"] == 0


@pytest.mark.parametrize("path", ["/$servicebus/websocket", "/$servicebus/websocket/"])
async def test_the_byte_stream_may_be_cut_anywhere(server: ServiceBusServer, path: str) -> None:
    address = f"ws://localhost:{server.port}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, protocols=("AMQPWSB10",)) as socket,
    ):
        assert socket.protocol == "AMQPWSB10"
        for part in (b"AMQP\x03", b"\x01\x00", b"\x00"):
            await socket.send_bytes(part)
        async with asyncio.timeout(raw.PATIENCE):
            assert (await socket.receive_bytes()).startswith(b"AMQP\x03\x01\x00\x00")
        await socket.send_bytes(b"AMQP\x09\x09\x09\x09")
        async with asyncio.timeout(raw.PATIENCE):
            assert b"amqp:decode-error" in await socket.receive_bytes()


async def test_a_web_page_of_somewhere_else_gets_no_websocket(server: ServiceBusServer) -> None:
    address = f"ws://localhost:{server.port}/$servicebus/websocket"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(address, origin="https://shop.example", protocols=("AMQPWSB10",))
        assert refused.value.status == 403
        async with session.ws_connect(address, origin="http://localhost:3000", protocols=("AMQPWSB10",)) as socket:
            assert socket.protocol == "AMQPWSB10"


async def test_a_client_that_says_nothing_or_leaves_harms_no_other(server: ServiceBusServer, tmp_path: Path) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
    silent[0][1].close()  # gone before its first byte
    silent[1][1].write(b"GE")
    silent[2][1].write(b"\x16\x03\x01\x00\x05hello")  # not a handshake after all
    async with raw.connected(server) as client:
        await client.sender("plain")
    for _, writer in silent:
        writer.close()


BEGUN = {
    "nothing": b"",
    "half a header": b"AM",
    "half a verb": b"GE",
    "half of a TLS hello": b"\x16\x03\x01\x02\x00",
    "a header": b"AMQP\x00\x01\x00\x00",
    "the header of SASL": b"AMQP\x03\x01\x00\x00",
}


@pytest.mark.parametrize("begun", BEGUN)
async def test_a_connection_that_is_never_opened_is_closed(
    server: ServiceBusServer, clock: ManualClock, begun: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(BEGUN[begun])
    await writer.drain()
    answer = {"a header": 8, "the header of SASL": 8}.get(begun, 0)
    async with asyncio.timeout(raw.PATIENCE):
        await reader.readexactly(answer)
        closed = asyncio.create_task(_closed(reader))
        while not closed.done():
            await clock.advance(30)
            await asyncio.sleep(0.01)
    writer.close()


async def _closed(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(1024):
            pass
    except ConnectionResetError:
        pass


async def test_a_connection_without_links_is_closed_after_five_minutes(
    server: ServiceBusServer, clock: ManualClock
) -> None:
    async with (
        raw.connected(server, authorized=False, idle=1500) as idle,
        raw.connected(server, idle=1500) as busy,
    ):
        for client in (idle, busy):
            await client.heartbeat()
        await clock.advance(301)
        assert (await idle.expect(raw.CLOSE)).fields[0].value[0] == "amqp:connection:forced"
        await busy.heartbeat()
        await busy.silent()


async def test_a_server_that_can_accept_nothing_says_so_once(
    server: ServiceBusServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, tried = asyncio.get_running_loop(), asyncio.Event()
    real, failures = loop.sock_accept, iter(range(5))

    async def failing(listening: socket.socket) -> tuple[socket.socket, object]:
        if next(failures, None) is not None:
            raise OSError(errno.EMFILE, "too many open files")
        tried.set()
        return await real(listening)

    listener = Listener(
        socket.create_server(("127.0.0.1", 0)), trusting(server), asyncio.Protocol, asyncio.Protocol, SystemClock()
    )
    monkeypatch.setattr(loop, "sock_accept", failing)
    listener.start()
    async with asyncio.timeout(raw.PATIENCE):
        await tried.wait()
    await listener.close()
    assert [record.message for record in caplog.records if "accepted" in record.message] == [
        "no connection can be accepted until others end: [Errno 24] too many open files"
    ]
