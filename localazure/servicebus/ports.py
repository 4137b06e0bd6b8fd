"""What links need of their session, and sessions of their connection."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from localazure.clock import Clock
from localazure.servicebus.engine import Broker
from localazure.servicebus.errors import BrokerError
from localazure.servicebus.locks import Lock
from localazure.servicebus.transactions import Transactions


class ConnectionPort(Protocol):
    largest_frame: int

    @property
    def broker(self) -> Broker: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def transactions(self) -> Transactions: ...

    def write(self, data: bytes) -> None: ...

    def authorize(self, resource: str, token: str, done: Callable[[BrokerError | None], None]) -> None:
        """Take a token in; `done` hears why not, or `None`: at once for a signature, in a moment for Entra's."""

    def demand(self, path: str, right: str | None) -> None:
        """Raises Unauthorized unless a token gives the right to what is at a path; `None`: any right."""


class SessionPort(Protocol):
    channel: int
    mixes: bool
    """Whether its transactions may span entities."""

    @property
    def connection(self) -> ConnectionPort: ...

    @property
    def open(self) -> bool:
        """Whether the client takes another transfer."""

    def send(self, frame: bytes) -> None: ...

    def deliver(self, handle: int, tag: bytes, settled: bool, payload: bytes) -> int:
        """Send a message in as many frames as the client's frame size asks for; its delivery number."""

    def unsettled(self, number: int, link: Any, lock: Lock) -> None:
        """Note down a delivery that the client has to settle."""

    def grant(self, handle: int, received: int) -> None:
        """Keep the client in credit."""

    def detached(self, handle: int, error: BrokerError | None) -> None:
        """The broker takes a link away, and says why."""

    def wait_for(self, handle: int, attaching: Coroutine[Any, Any, None]) -> None:
        """Let a link be attached later; a detach calls it off."""
