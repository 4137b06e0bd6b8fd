"""A client that says exactly the bytes it is told to: for what no official client of Python would send."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from localazure.servicebus.wire import ServiceBusServer

from . import amqp
from .amqp import FALSE, NULL, TRUE, described, list_, string, ubyte, uint

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
PATIENCE = 10.0
ACCEPTED = described(0x24, amqp.EMPTY_LIST)
RELEASED = described(0x26, amqp.EMPTY_LIST)


class Frame(NamedTuple):
    """A frame of the broker. Fields that are left out at the end are `None`."""

    channel: int
    code: int
    fields: list[Any]
    payload: bytes


class Raw:
    """One connection. `heard` is every frame so far, `written` every byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: ServiceBusServer) -> None:
        self.server, self._reader, self._writer = server, reader, writer
        self.heard: list[Frame] = []
        self._numbers = itertools.count()
        self._handles = itertools.count()

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def say(self, code: int, *fields: bytes, channel: int = 0, payload: bytes = b"") -> None:
        self.write(amqp.frame(channel, described(code, list_(*fields)), payload))

    async def read(self) -> Frame:
        """The next frame that is not empty. Raises IncompleteReadError at the end of the connection."""
        async with asyncio.timeout(PATIENCE):
            while True:
                head = await self._reader.readexactly(8)
                body = await self._reader.readexactly(int.from_bytes(head[:4], "big") - 8)
                if body:
                    break
        performative, payload = amqp.decode(body)
        found = Frame(int.from_bytes(head[6:8], "big"), performative.code, [*performative.value, *[None] * 14], payload)
        self.heard.append(found)
        return found

    async def heartbeat(self) -> bytes:
        """What comes next, when nothing is asked for."""
        return await self._reader.readexactly(8)

    async def expect(self, code: int, channel: int | None = None) -> Frame:
        """The next frame of a kind; others before it are passed by."""
        while True:
            found = await self.read()
            if found.code == code and channel in (None, found.channel):
                return found

    async def silent(self) -> None:
        """Show by two exchanges that are answered in order that nothing else is under way.

        What the broker holds back until it is on disk is said between the first and the second.
        """
        self.say(BEGIN, NULL, uint(0), uint(1), uint(1), channel=99)
        found = await self.read()
        assert (found.code, found.channel) == (BEGIN, 99), found
        self.say(END, NULL, channel=99)
        found = await self.read()
        assert (found.code, found.channel) == (END, 99), found

    async def begin(self, channel: int = 0, incoming: int = 5000) -> None:
        self.say(BEGIN, NULL, uint(0), uint(incoming), uint(5000), uint(255), channel=channel)
        await self.expect(BEGIN, channel)

    async def authorize(self, resource: str = "sb://localhost/", channel: int = 0, token: str = "") -> int:
        """Put a token into $cbs; the status."""
        await self.sender("$cbs", channel)
        await self.receiver("$cbs", channel)
        self.grant(self.last_handle, 5, channel)
        said = {"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": resource}
        request = request_message("1", said, string(token or self.server.tokens.make(resource, 600)))
        self.transfer(self.last_handle - 1, request, channel=channel)
        answer = amqp.sections((await self.expect(TRANSFER, channel)).payload)
        return int(answer[0x74]["status-code"])

    @property
    def last_handle(self) -> int:
        return self._last

    async def attach(
        self, role: bytes, source: bytes, target: bytes, channel: int = 0, *rest: bytes, mode: bytes = b""
    ) -> Frame:
        """`rest`: the fields behind the target, `unsettled` first; `mode`: of the sender, 1 is settled."""
        self._last = next(self._handles)
        modes = (mode or ubyte(0), ubyte(1)) if role == TRUE else (mode or ubyte(2), ubyte(0))
        self.say(ATTACH, string(f"link-{self._last}"), uint(self._last), role, *modes, source, target,
                 *(rest or (NULL, NULL, uint(0))), channel=channel)  # fmt: skip
        return await self.expect(ATTACH, channel)

    async def sender(self, address: str, channel: int = 0) -> Frame:
        return await self.attach(FALSE, source(""), target(address), channel)

    async def receiver(self, address: str, channel: int = 0, filters: bytes = NULL) -> Frame:
        return await self.attach(TRUE, source(address, filters), target(""), channel)

    async def wait_for_session(self, address: str, channel: int = 0) -> int:
        """Ask for the next session that there will be; the handle."""
        self._last = next(self._handles)
        filters = amqp.symbols({"com.microsoft:session-filter": NULL})
        self.say(ATTACH, string(f"link-{self._last}"), uint(self._last), TRUE, ubyte(0), ubyte(1),
                 source(address, filters), target(""), channel=channel)  # fmt: skip
        return self._last

    def grant(self, handle: int, credit: int, channel: int = 0, drain: bool = False, count: int = 0) -> None:
        self.say(FLOW, uint(0), uint(5000), uint(0), uint(5000), uint(handle), uint(count), uint(credit), NULL,
                 amqp.boolean(drain), channel=channel)  # fmt: skip

    def transfer(
        self, handle: int, payload: bytes, settled: bool = False, state: bytes = NULL, channel: int = 0
    ) -> int:
        """The delivery's number."""
        number = next(self._numbers)
        self.say(TRANSFER, uint(handle), uint(number), amqp.binary(b"%d" % number), uint(0), amqp.boolean(settled),
                 FALSE, NULL, state, channel=channel, payload=payload)  # fmt: skip
        return number

    def settle(self, number: int, state: bytes, settled: bool = False, channel: int = 0) -> None:
        """The client is the receiver of this delivery."""
        self.say(DISPOSITION, TRUE, uint(number), NULL, amqp.boolean(settled), state, channel=channel)

    async def requester(self, node: str, channel: int = 0) -> int:
        """A pair of links to a node; the handle to send requests on. The one after it takes answers."""
        await self.sender(node, channel)
        handle = self.last_handle
        reply = await self.attach(amqp.TRUE, source(node), target(f"reply-{handle}"), channel)
        assert reply.fields[5] is not None
        self.grant(self.last_handle, 100, channel)
        return handle

    async def request(
        self, handle: int, operation: str, body: bytes, channel: int = 0, state: bytes = NULL
    ) -> tuple[int, Any]:
        """Status and body of an answer."""
        message = request_message(f"m{handle}", {"operation": operation}, body, f"reply-{handle}")
        self.transfer(handle, message, channel=channel, state=state)
        answer = amqp.sections((await self.expect(TRANSFER, channel)).payload)
        assert answer[0x73][5] == f"m{handle}"
        return int(answer[0x74]["statusCode"]), answer.get(0x77)


def token_of(delivery: Frame) -> uuid.UUID:
    """The lock token of a delivery, as its tag says it."""
    return uuid.UUID(bytes_le=delivery.fields[2])


def source(address: str, filters: bytes = NULL) -> bytes:
    return described(0x28, list_(string(address), *(NULL,) * 6, filters))


def named_session(session_id: str) -> bytes:
    """The filter of a source by which .NET and JavaScript ask for one session."""
    told = described(0x137000000C, string(session_id))
    return amqp.symbols({"com.microsoft:session-filter": told})


def target(address: str) -> bytes:
    return described(0x29, list_(string(address)))


def request_message(identifier: str, application: dict[str, str], body: bytes, reply_to: str = "") -> bytes:
    properties = list_(string(identifier), NULL, NULL, NULL, string(reply_to) if reply_to else NULL)
    told = amqp.strings({name: string(value) for name, value in application.items()})
    return described(0x73, properties) + described(0x74, told) + described(0x77, body)


def text_message(text: str, properties: bytes = b"", application: bytes = b"") -> bytes:
    """Properties and application properties are whole sections."""
    return properties + application + described(0x75, amqp.binary(text.encode()))


async def send(client: Raw, queue: str, count: int) -> None:
    """Send so many messages, which are accepted."""
    await client.sender(queue)
    handle = client.last_handle
    for number in range(count):
        client.transfer(handle, text_message(str(number)))
        found = await client.expect(DISPOSITION)
        assert found.fields[4].code == 0x24


async def deliver(client: Raw, address: str, count: int = 1) -> list[Frame]:
    """So many deliveries on a new link."""
    await client.receiver(address)
    client.grant(client.last_handle, count)
    return [await client.expect(TRANSFER) for _ in range(count)]


@asynccontextmanager
async def connected(
    server: ServiceBusServer, authorized: bool = True, largest_frame: int = 65_536, idle: int = 0, tls: bool = False
) -> AsyncIterator[Raw]:
    """A connection with a session on channel 0 and, unless it is not wanted, a token for everything."""
    context = ssl.create_default_context(cafile=str(server.certificate)) if tls else None
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
    raw = Raw(reader, writer, server)
    raw.write(b"AMQP\x00\x01\x00\x00")
    async with asyncio.timeout(PATIENCE):
        assert await reader.readexactly(8) == b"AMQP\x00\x01\x00\x00"
    raw.say(OPEN, string("raw"), NULL, uint(largest_frame), NULL, uint(idle) if idle else NULL)
    await raw.expect(OPEN)
    await raw.begin()
    if authorized:
        assert await raw.authorize() == 202
    try:
        yield raw
    finally:
        writer.close()
