"""What the parts of a task hub share: its file, the host's functions, the clock, and work in the background."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from localazure.clock import Clock, utc
from localazure.durable.leases import Leases, Reactions
from localazure.durable.partitions import Provider
from localazure.durable.store import Store
from localazure.presence import Presence

FunctionKind = Literal["orchestrator", "activity", "entity"]


class Invoker(Protocol):
    """The functions host, as the task hub needs it. Strings are what the worker gets and returns."""

    def names(self, kind: FunctionKind) -> Mapping[str, str]:
        """The functions of a kind: the name in lower case → the name that orchestrators and clients call it."""
        ...

    async def orchestrator(self, name: str, context: str) -> str: ...

    async def activity(self, name: str, payload: str) -> str: ...

    async def entity(self, name: str, batch: str) -> str: ...


def written(moment: datetime | float) -> str:
    """A moment, or seconds since the epoch, as history events have it: RFC 3339, UTC, microseconds."""
    moment = datetime.fromtimestamp(moment, UTC) if isinstance(moment, int | float) else moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class Core:
    """Holds no rules."""

    def __init__(
        self,
        store: Store,
        invoker: Invoker,
        clock: Clock,
        presence: Presence,
        provider: Provider,
        reactions: Reactions,
    ) -> None:
        self.store = store
        self.invoker = invoker
        self.clock = clock
        self.leases = Leases(store, clock, presence, provider, reactions)
        self._read: Callable[[str], None] = reactions.wake
        self.open = False
        """Whether new work may begin."""
        self.counts: Counter[str] = Counter()
        self._work: set[asyncio.Task[None]] = set()

    def wake(self, identifier: str) -> None:
        """Let the instance or entity read its messages, here or at the host that runs it."""
        if self.leases.reads(identifier):
            self._read(identifier)
        else:
            self.leases.tell(identifier)

    def post(self, receiver: str, message: dict[str, Any]) -> None:
        """Within a transaction: put a message into an inbox, to be read from now on."""
        self.store.put_message(receiver, message, self.clock.time())

    @contextmanager
    def committing(self, identifier: str, grip: int) -> Iterator[None]:
        """A transaction of what was done for an instance or entity. Raises LeaseLost where another host runs it."""
        with self.store.transaction():
            self.leases.check(identifier, grip)
            yield

    def has(self, kind: FunctionKind, name: str) -> bool:
        return name.lower() in self.invoker.names(kind)

    def unknown(self, kind: FunctionKind, name: str) -> str:
        """Why a function cannot be called, in the words of the extension."""
        known = ", ".join(f"'{known}'" for known in self.invoker.names(kind).values())
        others = f"The following are the known {kind} functions: {known}."
        return (
            f"The function '{name}' doesn't exist, is disabled, or is not an {kind} function. Additional info: "
            f"{others if known else f'No {kind} functions are currently registered!'}"
        )

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let it run in the background; it handles its own errors."""
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def drain(self) -> None:
        """Wait until nothing runs in the background any more."""
        while self._work:
            await asyncio.gather(*self._work, return_exceptions=True)

    def now(self) -> str:
        """The moment as history events have it: RFC 3339, UTC, microseconds."""
        return written(utc(self.clock))
