"""What every part looks like from outside: a name, a port, a `start`, and a server that can be stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from localazure.clock import Clock, SystemClock

HOST = "127.0.0.1"  # everything binds to the loopback address and to nothing else


@dataclass(frozen=True)
class Timeouts:
    """How long a client over HTTP may take, in seconds: Kestrel's limits, which stand before an app on Azure."""

    idle: float = 130.0
    """Without a request, or without reading its answer."""
    header: float = 30.0
    """From the first byte of a request to the end of its headers."""
    grace: float = 5.0
    """Until a body is held to its rate."""
    rate: float = 240.0
    """Bytes of a body that have to come a second while somebody waits for them."""


@dataclass(frozen=True)
class Config:
    """How one part is started.

    `port` 0 lets the operating system choose. `state` is the directory of the part's SQLite file;
    `None` keeps everything in memory. `options` are the part's own settings, described by its `Part`.
    """

    port: int = 0
    state: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    timeouts: Timeouts = field(default_factory=Timeouts)

    def file(self, name: str) -> Path | None:
        """Where the part keeps `name`, or `None` in memory."""
        return None if self.state is None else self.state / name


class Server(Protocol):
    """A started part."""

    @property
    def port(self) -> int: ...

    @property
    def url(self) -> str:
        """The address a person or an SDK is given."""
        ...

    async def stop(self) -> None:
        """Stop taking work, let what is under way end, close the file."""
        ...


@dataclass(frozen=True)
class Part:
    """One entry of the table of parts. `start` resolves once the port accepts connections."""

    name: str
    summary: str
    default_port: int
    start: Callable[[Config], Awaitable[Server]]
    options: Mapping[str, str] = field(default_factory=dict)
    """Option name → what it means; unknown ones are refused by name."""
    memory: int | None = None
    """Bytes of address space that it has in a process of its own; `None`: as many as there are."""
