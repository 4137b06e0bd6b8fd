"""How a host hears that another one wrote something for it: a datagram says which instance, its file says what.

A datagram may be lost, and anybody on this machine may send one: it only makes a host look.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable

from localazure.part import HOST

LOOK = "!"
"""Instead of an instance's id: the partitions or the activities want a look."""
_BUFFER = 1 << 20


class Nudges(asyncio.DatagramProtocol):
    """One host's ear, and its voice."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear
        self._socket: socket.socket | None = None
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> int:
        """The port on which this host hears."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind((HOST, 0))
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=self._socket)
        return int(self._socket.getsockname()[1])

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._hear(data.decode(errors="replace"))

    def error_received(self, exc: Exception) -> None:
        """A host that has gone does not hear: nothing is lost by that."""

    def send(self, ports: Iterable[int], identifier: str) -> None:
        if self._transport is not None:
            for port in ports:
                self._transport.sendto(identifier.encode(), (HOST, port))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None
