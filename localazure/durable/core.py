"""What the parts of a task hub share: its file, the host's functions, the clock, and work in the background."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from localazure.clock import Clock, utc
from localazure.durable.store import Store

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
    """Holds no rules. `wake` makes whoever has that id read its inbox, unless it is at it already."""

    def __init__(self, store: Store, invoker: Invoker, clock: Clock, wake: Callable[[str], None]) -> None:
        self.store = store
        self.invoker = invoker
        self.clock = clock
        self.wake = wake
        self.open = False
        """Whether new work may begin."""
        self.counts: Counter[str] = Counter()
        self._work: set[asyncio.Task[None]] = set()

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
