"""What was read a moment ago, kept in this process: a busy shop asks for the same items all the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from shared.persistence.cosmos import Container, Document

T = TypeVar("T")


class ReadCache(Generic[T]):
    """Items whose id is their partition key, as `read` has them, for as many seconds as `lifetime` says.

    `read` is given `None` for an item that is not there; what it has as `None` is not kept, and asked for again.
    """

    MAX_ENTRIES = 50_000

    def __init__(
        self, container: Container, read: Callable[[Document | None], T | None], lifetime: Callable[[], float]
    ) -> None:
        self._container, self._read, self._lifetime = container, read, lifetime
        self._held: dict[str, tuple[float, T]] = {}

    async def find(self, keys: Iterable[str]) -> dict[str, T]:
        """Those of the items that `read` has something of, by key."""
        now, lifetime = time.monotonic(), self._lifetime()
        wanted = list(dict.fromkeys(keys))
        found = {
            key: held[1] for key in wanted if (held := self._held.get(key)) is not None and now - held[0] < lifetime
        }
        missing = [key for key in wanted if key not in found]
        if len(missing) == 1:
            documents = {missing[0]: await self._container.read(missing[0], missing[0])}
        else:
            documents = {document["id"]: document for document in await self._container.read_many(missing)}
        read = {key: item for key in missing if (item := self._read(documents.get(key))) is not None}
        if len(self._held) + len(read) > self.MAX_ENTRIES:
            self._held.clear()
        self._held |= {key: (now, item) for key, item in read.items()}
        return found | read

    def forget(self, key: str) -> None:
        """Ask for it anew the next time: this process has just written it."""
        self._held.pop(key, None)
