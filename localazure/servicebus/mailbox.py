"""The messages of one queue: their numbers, which of them are available, and when something becomes due."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable

from localazure.clock import Clock
from localazure.servicebus.errors import MessageNotFound
from localazure.servicebus.options import Options
from localazure.servicebus.sessions import Sessions
from localazure.servicebus.store import Message, Store

Alarm = Callable[[float], None]
NEVER = float(10**13)
_AHEAD = 100
"""Sequence numbers that are written down at once, so that few messages cost a row more. A start skips those left."""


class Mailbox:
    """A message is active, deferred, or scheduled. Active ones are available unless somebody holds them."""

    def __init__(self, name: str, options: Options, store: Store, clock: Clock, alarm: Alarm) -> None:
        self.name, self.options = name, options
        self.counts: Counter[str] = Counter()
        self.sessions = Sessions(name, store, clock, alarm)
        self.messages: dict[int, Message] = {}
        self.accessed = clock.time()
        self._store, self._clock, self._alarm = store, clock, alarm
        self._waiting: list[int] = []
        self._due: list[tuple[float, int, int]] = []
        self._tie = itertools.count()
        self._last = self._written = store.last_number(name)
        for message in store.messages(name):
            self._take_in(message)

    def reserve(self) -> int:
        """A number for a message that comes later."""
        self._last += 1
        if self._last > self._written:
            self._written = self._last + _AHEAD
            self._store.number(self.name, self._written)
        return self._last

    def add(self, message: Message, number: int | None = None) -> Message:
        """Put a message in, under a number of its own or the one that was reserved for it."""
        self.counts["sent"] += 1
        self.accessed = self._clock.time()
        message.seq = self.reserve() if number is None else number
        self._enter(message)
        return message

    def _enter(self, message: Message) -> None:
        self._store.put(self.name, message)
        self._take_in(message)

    def _take_in(self, message: Message) -> None:
        self.messages[message.seq] = message
        if message.state == "scheduled" and message.due is not None:
            self._wake_at(message.due, message.seq)
        elif message.state == "active":
            self._make_available(message)
        if message.expires < NEVER:
            self._wake_at(message.expires, message.seq)

    def _make_available(self, message: Message) -> None:
        if self.options.sessions and self.options.forward_to is None:
            self.sessions.put(message.session_id or "", message.seq)
        else:
            heapq.heappush(self._waiting, message.seq)

    def _wake_at(self, moment: float, seq: int) -> None:
        if len(self._due) > 1000 + 2 * len(self.messages):
            self._due = [entry for entry in self._due if entry[2] in self.messages]
            heapq.heapify(self._due)
        heapq.heappush(self._due, (moment, next(self._tie), seq))
        self._alarm(moment)

    def peek(self, first: int, most: int, session_id: str | None) -> list[Message]:
        now = self._clock.time()
        numbers = sorted(number for number in self.messages if number >= first)
        found = (self.messages[number] for number in numbers)
        chosen = (m for m in found if m.expires > now and (session_id is None or m.session_id == session_id))
        return list(itertools.islice(chosen, most))

    def scheduled(self, number: int) -> Message:
        """Raises MessageNotFound."""
        message = self.messages.get(number)
        if message is None or message.state != "scheduled":
            raise MessageNotFound(f"there is no scheduled message with the sequence number {number} in {self.name}")
        return message

    def _activate(self, message: Message, now: float) -> None:
        """A scheduled message enters the queue as if it were sent now, under a new number.

        Source: "Message sequencing and timestamps".
        """
        self.remove(message)
        message.state, message.enqueued, message.seq = "active", now, self.reserve()
        self._enter(message)

    def depth(self) -> dict[str, int]:
        states = Counter(message.state for message in self.messages.values())
        return {"active": states["active"], "deferred": states["deferred"], "scheduled": states["scheduled"]}

    def size(self) -> int:
        """Bytes."""
        return sum(len(message.content) for message in self.messages.values())

    def session_ids(self, changed_after: float | None) -> list[str]:
        """The sessions that have active messages or a state; or those whose state was set after a moment."""
        if changed_after is not None:
            return self.sessions.changed(changed_after)
        active = {message.session_id or "" for message in self.messages.values() if message.state == "active"}
        return sorted(active | self.sessions.states.keys()) if self.options.sessions else []

    def clear(self) -> None:
        """Forget everything, for good: the entity is deleted."""
        self.messages.clear()
        self._waiting.clear()
        self._store.forget(self.name)

    def remove(self, message: Message) -> None:
        self.messages.pop(message.seq, None)
        self._store.remove(self.name, message.seq)
