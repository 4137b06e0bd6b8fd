"""One queue, subscription or dead-letter queue: who may have which message, and when.

A message is available, locked by one consumer, deferred, or scheduled. Consumers ask for messages by credit and are
handed them as soon as there are any: nothing is polled.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from localazure.clock import Clock
from localazure.servicebus.entities import QueueOptions
from localazure.servicebus.errors import (
    BrokerError,
    LockLost,
    MessageNotFound,
    NotAllowed,
    SessionBusy,
    SessionLockLost,
)
from localazure.servicebus.store import Message, Store

Alarm = Callable[[float], None]


class Consumer(Protocol):
    """A receiving link. `session_id` is the session it holds, if the queue has sessions."""

    session_id: str | None
    peek_lock: bool

    def wants(self) -> bool: ...

    def deliver(self, message: Message, lock: Lock | None) -> None: ...

    def lost(self, error: BrokerError) -> None: ...


@dataclass(eq=False)
class Lock:
    """One consumer's hold on one message; its token settles it."""

    message: Message
    until: float
    token: uuid.UUID = field(default_factory=uuid.uuid4)
    consumer: Consumer | None = None


@dataclass(eq=False)
class _Session:
    """What is waiting in a session, and who holds it."""

    waiting: list[int] = field(default_factory=list)
    holder: Consumer | None = None
    until: float = 0.0


class Queue:
    """`name` is the entity's path; dead letters go to `dead_letters`, or nowhere if this is where they are."""

    def __init__(
        self, name: str, options: QueueOptions, store: Store, clock: Clock, alarm: Alarm, dead_letters: Queue | None
    ) -> None:
        self.name = name
        self.options = options
        self.dead_letters = dead_letters
        self.counts: Counter[str] = Counter()
        self._store, self._clock, self._alarm = store, clock, alarm
        self.messages: dict[int, Message] = {}
        self._waiting: list[int] = []
        self._sessions: dict[str, _Session] = {}
        self._locks: dict[uuid.UUID, Lock] = {}
        self._due: list[tuple[float, int, int]] = []
        self._tie = itertools.count()
        self._consumers: list[Consumer] = []
        self._session_news = asyncio.Event()
        self._last = store.last_number(name)
        self.session_states = store.sessions(name)
        for message in store.messages(name):
            self._take_in(message)

    def add(self, message: Message) -> Message:
        """Put a message into the queue under a number of its own."""
        self._last += 1
        message.seq = self._last
        self._store.number(self.name, self._last)
        self._store.put(self.name, message)
        self.counts["sent"] += 1
        self._take_in(message)
        return message

    def _take_in(self, message: Message) -> None:
        self.messages[message.seq] = message
        if message.state == "scheduled" and message.due is not None:
            self._wake_at(message.due, message.seq)
        elif message.state == "active":
            self._make_available(message)
        if self.options.ttl < 1e10 or message.expires < 1e12:
            self._wake_at(message.expires, message.seq)

    def _make_available(self, message: Message) -> None:
        waiting = self._waiting
        if self.options.sessions:
            waiting = self._sessions.setdefault(message.session_id or "", _Session()).waiting
            self._tell_waiting()
        heapq.heappush(waiting, message.seq)

    def _wake_at(self, moment: float, seq: int) -> None:
        heapq.heappush(self._due, (moment, next(self._tie), seq))
        self._alarm(moment)

    def attach(self, consumer: Consumer) -> None:
        self._consumers.append(consumer)

    def detach(self, consumer: Consumer) -> None:
        """The consumer is gone: its session is free. Locks stay until they are settled or run out."""
        if consumer in self._consumers:
            self._consumers.remove(consumer)
        for session in self._sessions.values():
            if session.holder is consumer:
                session.holder = None
                self._tell_waiting()

    async def session_news(self) -> None:
        """Wait until a session may have become free, or may have got its first message."""
        await self._session_news.wait()

    def _tell_waiting(self) -> None:
        self._session_news.set()
        self._session_news = asyncio.Event()

    def accept_session(self, wanted: str | None, consumer: Consumer) -> str | None:
        """Lock a session, the next that has messages for `None`. `None`: there is none now.

        Raises SessionBusy for a named one that someone else holds.
        """
        now = self._clock.time()
        if wanted is None:
            free = (
                (session.waiting[0], name)
                for name, session in self._sessions.items()
                if session.waiting and session.holder is None
            )
            found = min(free, default=None)
            if found is None:
                return None
            wanted = found[1]
        session = self._sessions.setdefault(wanted, _Session())
        if session.holder is not None:
            raise SessionBusy(f"the session '{wanted}' of {self.name} is held by another receiver")
        session.holder, session.until = consumer, now + self.options.lock
        self._alarm(session.until)
        return wanted

    def session_until(self, session_id: str, consumer: Consumer | None = None, renew: bool = False) -> float:
        """When the session's lock ends. Raises SessionLockLost if nobody holds it."""
        session = self._sessions.get(session_id)
        if session is None or session.holder is None or (consumer is not None and session.holder is not consumer):
            raise SessionLockLost(f"the lock on the session '{session_id}' is gone; accept the session again")
        if renew:
            session.until = self._clock.time() + self.options.lock
            self._alarm(session.until)
        return session.until

    def set_session_state(self, session_id: str, state: bytes | None) -> None:
        if state is None:
            self.session_states.pop(session_id, None)
        else:
            self.session_states[session_id] = state
        self._store.session(self.name, session_id, state)

    def session_ids(self) -> list[str]:
        return [name for name, session in self._sessions.items() if session.waiting or name in self.session_states]

    def pump(self) -> None:
        """Hand out what is available to who wants it, one each in turn."""
        progress = True
        while progress:
            progress = False
            for consumer in list(self._consumers):
                if consumer.wants():
                    message = self._next_for(consumer)
                    if message is not None:
                        self._consumers.append(self._consumers.pop(self._consumers.index(consumer)))
                        self._hand(message, consumer)
                        progress = True

    def _next_for(self, consumer: Consumer) -> Message | None:
        waiting = self._waiting
        if self.options.sessions:
            session = self._sessions.get(consumer.session_id or "")
            if session is None or session.holder is not consumer:
                return None
            waiting = session.waiting
        now = self._clock.time()
        while waiting:
            message = self.messages.get(heapq.heappop(waiting))
            if message is None or message.state != "active":
                continue
            if message.expires <= now:
                self._expire(message)
                continue
            return message
        return None

    def _hand(self, message: Message, consumer: Consumer) -> None:
        self.counts["delivered"] += 1
        if not consumer.peek_lock:
            self._remove(message)
            consumer.deliver(message, None)
            return
        consumer.deliver(message, self._lock(message, consumer))

    def _lock(self, message: Message, consumer: Consumer | None) -> Lock:
        lock = Lock(message, self._clock.time() + self.options.lock, consumer=consumer)
        self._locks[lock.token] = lock
        self._alarm(lock.until)
        return lock

    def complete(self, token: uuid.UUID) -> None:
        """Raises LockLost, as all settlements do."""
        self._remove(self._unlock(token).message)
        self.counts["completed"] += 1

    def abandon(self, token: uuid.UUID) -> None:
        self.counts["abandoned"] += 1
        self._give_back(self._unlock(token).message, counted=True)
        self.pump()

    def release(self, token: uuid.UUID) -> None:
        """The message was never seen: it goes back as it was."""
        self._give_back(self._unlock(token).message, counted=False)
        self.pump()

    def defer(self, token: uuid.UUID) -> None:
        message = self._unlock(token).message
        message.state = "deferred"
        message.deliveries += 1
        self._store.count(self.name, message)
        self.counts["deferred"] += 1

    def dead_letter(self, token: uuid.UUID, reason: str | None, description: str | None) -> None:
        self._bury(self._unlock(token).message, reason, description)

    def renew(self, token: uuid.UUID) -> float:
        """The new end of the lock, in seconds since the epoch."""
        lock = self._held(token)
        lock.until = self._clock.time() + self.options.lock
        self._alarm(lock.until)
        return lock.until

    def receive_deferred(self, numbers: Iterable[int], peek_lock: bool) -> list[tuple[Message, Lock | None]]:
        """Raises MessageNotFound unless every number is a deferred message's."""
        found: list[Message] = []
        for number in numbers:
            message = self.messages.get(number)
            if message is None or message.state != "deferred":
                raise MessageNotFound(f"there is no deferred message with the sequence number {number} in {self.name}")
            found.append(message)
        handed: list[tuple[Message, Lock | None]] = []
        for message in found:
            if peek_lock:
                handed.append((message, self._lock(message, None)))
            else:
                self._remove(message)
                handed.append((message, None))
        return handed

    def peek(self, first: int, most: int, session_id: str | None) -> list[Message]:
        now = self._clock.time()
        numbers = sorted(number for number in self.messages if number >= first)
        found = (self.messages[number] for number in numbers)
        chosen = (m for m in found if m.expires > now and (session_id is None or m.session_id == session_id))
        return list(itertools.islice(chosen, most))

    def cancel_scheduled(self, number: int) -> None:
        """Raises MessageNotFound."""
        message = self.messages.get(number)
        if message is None or message.state != "scheduled":
            raise MessageNotFound(f"there is no scheduled message with the sequence number {number} in {self.name}")
        self._remove(message)

    def tick(self) -> None:
        """Do what has become due: locks that ran out, messages whose time has come or is over."""
        now = self._clock.time()
        for lock in [lock for lock in self._locks.values() if lock.until <= now]:
            del self._locks[lock.token]
            self._give_back(lock.message, counted=True)
        for session in self._sessions.values():
            if session.holder is not None and session.until <= now:
                holder, session.holder = session.holder, None
                holder.lost(SessionLockLost("The session lock has expired."))
                self._tell_waiting()
        while self._due and self._due[0][0] <= now:
            _, _, seq = heapq.heappop(self._due)
            message = self.messages.get(seq)
            if message is None:
                continue
            if message.expires <= now:
                if not any(lock.message is message for lock in self._locks.values()):
                    self._expire(message)
            elif message.state == "scheduled" and message.due is not None and message.due <= now:
                message.state = "active"
                message.enqueued = now
                self._store.put(self.name, message)
                self._make_available(message)
        self.pump()

    def next_moment(self) -> float | None:
        """When `tick` has something to do."""
        moments = [lock.until for lock in self._locks.values()]
        moments += [session.until for session in self._sessions.values() if session.holder is not None]
        if self._due:
            moments.append(self._due[0][0])
        return min(moments, default=None)

    def depth(self) -> dict[str, int]:
        states = Counter(message.state for message in self.messages.values())
        return {"active": states["active"], "deferred": states["deferred"], "scheduled": states["scheduled"],
                "locked": len(self._locks)}  # fmt: skip

    def _held(self, token: uuid.UUID) -> Lock:
        lock = self._locks.get(token)
        if lock is None or lock.until <= self._clock.time():
            raise LockLost(
                "The lock supplied is invalid. Either the lock expired, or the message has already been removed "
                "from the queue."
            )
        if self.options.sessions and lock.consumer is not None:
            self.session_until(lock.message.session_id or "", lock.consumer)
        return lock

    def _unlock(self, token: uuid.UUID) -> Lock:
        lock = self._held(token)
        del self._locks[token]
        return lock

    def _give_back(self, message: Message, counted: bool) -> None:
        if message.seq not in self.messages:
            return
        if counted:
            message.deliveries += 1
            if message.deliveries >= self.options.most_deliveries and self.dead_letters is not None:
                most = self.options.most_deliveries
                self._bury(
                    message,
                    "MaxDeliveryCountExceeded",
                    f"Message could not be consumed after {most} delivery attempts.",
                )
                return
            self._store.count(self.name, message)
        if message.state == "active":
            self._make_available(message)

    def _expire(self, message: Message) -> None:
        self.counts["expired"] += 1
        if self.options.dead_letter_expired and self.dead_letters is not None:
            self._bury(message, "TTLExpiredException", "The message expired and was dead lettered.")
        else:
            self._remove(message)

    def _bury(self, message: Message, reason: str | None, description: str | None) -> None:
        if self.dead_letters is None:
            raise NotAllowed(f"{self.name} is a dead-letter queue; its messages cannot be dead-lettered again")
        self._remove(message)
        self.counts["dead-lettered"] += 1
        buried = Message(
            seq=0,
            content=message.content,
            message_id=message.message_id,
            session_id=message.session_id,
            enqueued=message.enqueued,
            expires=float(10**13),
            deliveries=message.deliveries,
            annotations={**message.annotations, "x-opt-deadletter-source": self.name},
            reason=reason,
            description=description,
        )
        self.dead_letters.add(buried)
        self.dead_letters.pump()

    def _remove(self, message: Message) -> None:
        self.messages.pop(message.seq, None)
        self._store.remove(self.name, message.seq)
