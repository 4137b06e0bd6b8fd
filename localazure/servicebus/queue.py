"""One queue, subscription or dead-letter queue: who may have which message, and when.

A message is available, locked by one consumer, deferred, or scheduled. Consumers ask for messages by credit and are
handed them as soon as there are any: nothing is polled. A queue that forwards hands everything to where it forwards.
"""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections import Counter
from collections.abc import Callable, Iterable

from localazure.clock import Clock
from localazure.servicebus.errors import BrokerError, LockLost, MessageNotFound, NotAllowed, SessionLockLost
from localazure.servicebus.locks import Consumer, Lock
from localazure.servicebus.options import Options
from localazure.servicebus.sessions import Session, Sessions
from localazure.servicebus.store import Message, Store

Alarm = Callable[[float], None]
Forward = Callable[["Queue", Message], tuple[str, str] | None]
"""Hands a message on to where its queue forwards; `None`, or reason and description of why it cannot be."""
NEVER = float(10**13)


class Queue:
    """`name` is the entity's path; dead letters go to `dead_letters`, or nowhere if this is where they are."""

    def __init__(
        self,
        name: str,
        options: Options,
        store: Store,
        clock: Clock,
        alarm: Alarm,
        dead_letters: Queue | None,
        forward: Forward,
    ) -> None:
        self.name = name
        self.options = options
        self.dead_letters = dead_letters
        self.counts: Counter[str] = Counter()
        self.sessions = Sessions(name, store, clock, alarm)
        self.messages: dict[int, Message] = {}
        self.accessed = clock.time()
        self._store, self._clock, self._alarm, self._forward = store, clock, alarm, forward
        self._waiting: list[int] = []
        self._locks: dict[uuid.UUID, Lock] = {}
        self._due: list[tuple[float, int, int]] = []
        self._tie = itertools.count()
        self._consumers: list[Consumer] = []
        self._last = store.last_number(name)
        for message in store.messages(name):
            self._take_in(message)

    @property
    def receivers(self) -> int:
        """How many links receive from here."""
        return len(self._consumers)

    def add(self, message: Message) -> Message:
        """Put a message into the queue under a number of its own."""
        self.counts["sent"] += 1
        self.accessed = self._clock.time()
        return self._enter(message)

    def _enter(self, message: Message) -> Message:
        self._last += 1
        message.seq = self._last
        self._store.number(self.name, self._last)
        self._store.put(self.name, message)
        self._take_in(message)
        return message

    def _take_in(self, message: Message) -> None:
        self.messages[message.seq] = message
        if message.state == "scheduled" and message.due is not None:
            self._wake_at(message.due, message.seq)
        elif message.state == "active":
            self._make_available(message)
        if message.expires < NEVER:
            self._wake_at(message.expires, message.seq)

    def _make_available(self, message: Message) -> None:
        if self.options.sessions:
            self.sessions.put(message.session_id or "", message.seq)
        else:
            heapq.heappush(self._waiting, message.seq)

    def _wake_at(self, moment: float, seq: int) -> None:
        if len(self._due) > 1000 + 2 * len(self.messages):
            self._due = [entry for entry in self._due if entry[2] in self.messages]
            heapq.heapify(self._due)
        heapq.heappush(self._due, (moment, next(self._tie), seq))
        self._alarm(moment)

    def attach(self, consumer: Consumer) -> None:
        self.accessed = self._clock.time()
        self._consumers.append(consumer)

    def detach(self, consumer: Consumer) -> None:
        """The consumer is gone. Its locks stay until they are settled or run out, unless a session's lock was theirs:
        then the session is free at once, and what was not settled goes back uncounted.

        Source: "Message sessions", impact of delivery count.
        """
        self.accessed = self._clock.time()
        if consumer in self._consumers:
            self._consumers.remove(consumer)
        self._give_up(self.sessions.release(consumer), counted=False)

    def _give_up(self, sessions: list[Session], counted: bool) -> None:
        for lock in [lock for lock in self._locks.values() if lock.session in sessions and sessions]:
            del self._locks[lock.token]
            self._give_back(lock.message, counted)

    def accept_session(self, wanted: str | None, consumer: Consumer) -> str | None:
        """As `Sessions.accept`. Raises SessionBusy."""
        return self.sessions.accept(wanted, consumer, self.options.lock)

    def renew_session(self, session_id: str) -> float:
        """The new end of a session's lock, in seconds since the epoch. Raises SessionLockLost."""
        return self.sessions.renew(session_id, self.options.lock)

    def session_ids(self, changed_after: float | None) -> list[str]:
        """The sessions that have active messages or a state; or those whose state was set after a moment."""
        if changed_after is not None:
            return self.sessions.changed(changed_after)
        active = {message.session_id or "" for message in self.messages.values() if message.state == "active"}
        return sorted(active | self.sessions.states.keys()) if self.options.sessions else []

    def change(self, options: Options) -> None:
        """Behave differently from now on; receivers are sent away if there are to be none."""
        self.options = options

    def send_away(self, error: BrokerError) -> None:
        """Take the links away from all receivers."""
        for consumer in list(self._consumers):
            consumer.lost(error)

    def clear(self) -> None:
        """Forget everything, for good: the entity is deleted."""
        self.messages.clear()
        self._locks.clear()
        self._waiting.clear()
        self._store.forget(self.name)

    def pump(self) -> None:
        """Hand out what is available to who wants it, one each in turn."""
        if self.options.forward_to is not None:
            self._forward_all()
            return
        progress = True
        while progress:
            progress = False
            for consumer in list(self._consumers):
                if consumer.wants():
                    message = self._next(self._available_to(consumer))
                    if message is not None:
                        self._consumers.append(self._consumers.pop(self._consumers.index(consumer)))
                        self._hand(message, consumer)
                        progress = True

    def _forward_all(self) -> None:
        kept = []
        while (message := self._next(self._waiting)) is not None:
            refused = self._forward(self, message)
            if refused is None:
                self._remove(message)
            elif self.dead_letters is not None:
                self._bury(message, *refused)
            else:
                kept.append(message.seq)
        for seq in kept:
            heapq.heappush(self._waiting, seq)

    def _available_to(self, consumer: Consumer) -> list[int]:
        return self.sessions.waiting(consumer) if self.options.sessions else self._waiting

    def _next(self, waiting: list[int]) -> Message | None:
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
        self.accessed = self._clock.time()
        if not consumer.peek_lock:
            self._remove(message)
            consumer.deliver(message, None)
            return
        session = self.sessions.held(consumer.session_id or "", consumer) if self.options.sessions else None
        consumer.deliver(message, self._lock(message, session))

    def _lock(self, message: Message, session: Session | None) -> Lock:
        lock = Lock(message, self._clock.time() + self.options.lock, session=session)
        self._locks[lock.token] = lock
        self._alarm(lock.until)
        return lock

    def complete(self, token: uuid.UUID) -> None:
        """Raises LockLost or SessionLockLost, as all settlements do."""
        self._remove(self._unlock(token).message)
        self.counts["completed"] += 1

    def abandon(self, token: uuid.UUID) -> None:
        self._give_back(self._unlock(token).message, counted=True)
        self.counts["abandoned"] += 1
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
        if self.dead_letters is None:
            raise NotAllowed(f"{self.name} is a dead-letter queue; its messages cannot be dead-lettered again")
        self._bury(self._unlock(token).message, reason, description)

    def renew(self, token: uuid.UUID) -> float:
        """The new end of the lock, in seconds since the epoch."""
        lock = self._held(token)
        if lock.session is not None:
            raise NotAllowed("a message of a session is locked by its session; renew the session's lock")
        lock.ends = self._clock.time() + self.options.lock
        self._alarm(lock.until)
        return lock.until

    def receive_deferred(
        self, numbers: Iterable[int], peek_lock: bool, session_id: str | None
    ) -> list[tuple[Message, Lock | None]]:
        """Raises MessageNotFound unless every number is a deferred message's, of that session if there are sessions."""
        session = self.sessions.held(session_id or "") if self.options.sessions else None
        found: list[Message] = []
        for number in numbers:
            message = self.messages.get(number)
            if message is None or message.state != "deferred" or (session and message.session_id != session_id):
                raise MessageNotFound(f"there is no deferred message with the sequence number {number} in {self.name}")
            if any(lock.message is message for lock in self._locks.values()):
                raise MessageNotFound(f"the deferred message {number} of {self.name} is locked by another receiver")
            found.append(message)
        self.counts["delivered"] += len(found)
        if not peek_lock:
            for message in found:
                self._remove(message)
            return [(message, None) for message in found]
        return [(message, self._lock(message, session)) for message in found]

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
        for lock in [lock for lock in self._locks.values() if lock.session is None and lock.ends <= now]:
            del self._locks[lock.token]
            self._give_back(lock.message, counted=True)
        for consumer in self.sessions.expired(now):
            self._give_up(self.sessions.release(consumer), counted=True)
            consumer.lost(SessionLockLost("The session lock has expired."))
        while self._due and self._due[0][0] <= now:
            _, _, seq = heapq.heappop(self._due)
            message = self.messages.get(seq)
            if message is None:
                continue
            if message.expires <= now:
                if message.state != "deferred" and not any(lock.message is message for lock in self._locks.values()):
                    self._expire(message)
            elif message.state == "scheduled" and message.due is not None and message.due <= now:
                self._activate(message, now)
        self.pump()

    def _activate(self, message: Message, now: float) -> None:
        """A scheduled message enters the queue as if it were sent now, under a new number."""
        self._remove(message)
        message.state, message.enqueued = "active", now
        self._enter(message)

    def next_moment(self) -> float | None:
        """When `tick` has something to do."""
        moments = [lock.ends for lock in self._locks.values() if lock.session is None] + self.sessions.moments()
        while self._due and self._due[0][2] not in self.messages:
            heapq.heappop(self._due)
        if self._due:
            moments.append(self._due[0][0])
        return min(moments, default=None)

    def depth(self) -> dict[str, int]:
        states = Counter(message.state for message in self.messages.values())
        return {"active": states["active"], "deferred": states["deferred"], "scheduled": states["scheduled"],
                "locked": len(self._locks)}  # fmt: skip

    def size(self) -> int:
        """Bytes."""
        return sum(len(message.content) for message in self.messages.values())

    def _held(self, token: uuid.UUID) -> Lock:
        lock = self._locks.get(token)
        if lock is not None and lock.until > self._clock.time():
            return lock
        if self.options.sessions:
            raise SessionLockLost("The session lock has expired on the MessageSession. Accept a new MessageSession.")
        raise LockLost(
            "The lock supplied is invalid. Either the lock expired, or the message has already been removed "
            "from the queue."
        )

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
        if message.state != "active":
            return
        if message.expires <= self._clock.time():
            self._expire(message)
        else:
            self._make_available(message)

    def _expire(self, message: Message) -> None:
        self.counts["expired"] += 1
        if self.options.dead_letter_expired and self.dead_letters is not None:
            self._bury(message, "TTLExpiredException", "The message expired and was dead lettered.")
        else:
            self._remove(message)

    def _bury(self, message: Message, reason: str | None, description: str | None) -> None:
        self._remove(message)
        self.bury(message, reason, description)

    def bury(self, message: Message, reason: str | None, description: str | None) -> None:
        """Put a message that is not in the queue, or no longer, among the dead letters."""
        assert self.dead_letters is not None, "the caller knows that this is no dead-letter queue"
        self.counts["dead-lettered"] += 1
        buried = Message(
            seq=0,
            content=message.content,
            message_id=message.message_id,
            session_id=message.session_id,
            enqueued=message.enqueued,
            expires=NEVER,
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
