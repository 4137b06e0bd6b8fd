"""One queue, subscription or dead-letter queue: who may have which message, and when.

Consumers ask for messages by credit and are handed them as soon as there are any: nothing is polled. A queue that
forwards hands everything to where it forwards.
"""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from localazure.clock import Clock
from localazure.servicebus.amqp.encode import string
from localazure.servicebus.content import with_application
from localazure.servicebus.errors import BrokerError, LockLost, MessageNotFound, NotAllowed, SessionLockLost
from localazure.servicebus.locks import Consumer, Lock, MessageSession
from localazure.servicebus.mailbox import NEVER, Alarm, Mailbox
from localazure.servicebus.options import Options
from localazure.servicebus.store import Message, Store

Forward = Callable[["Queue", Message], tuple[str, str] | None]
"""Hands a message on to where its queue forwards; `None`, or reason and description of why it cannot be."""
Changes = Mapping[str, bytes]
"""Application properties that a settlement sets, encoded."""


class Queue(Mailbox):
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
        super().__init__(name, options, store, clock, alarm)
        self.dead_letters = dead_letters
        self._forward = forward
        self._locks: dict[uuid.UUID, Lock] = {}
        self._locked: dict[int, Lock] = {}
        self._consumers: list[Consumer] = []

    @property
    def receivers(self) -> int:
        """How many links receive from here."""
        return len(self._consumers)

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

    def _give_up(self, sessions: list[MessageSession], counted: bool) -> None:
        for lock in [lock for lock in self._locks.values() if lock.session in sessions and sessions]:
            self._drop(lock)
            self._give_back(lock.message, counted)

    def accept_session(self, wanted: str | None, consumer: Consumer) -> str | None:
        """As `Sessions.accept`. Raises SessionBusy."""
        return self.sessions.accept(wanted, consumer, self.options.lock)

    def renew_session(self, session_id: str) -> float:
        """The new end of a session's lock, in seconds since the epoch. Raises SessionLockLost."""
        return self.sessions.renew(session_id, self.options.lock)

    def change(self, options: Options) -> None:
        """Behave differently from now on. What forwards has no sessions to receive from, whatever it was made with."""
        before, self.options = self.options, options
        if options.sessions and (before.forward_to is None) is not (options.forward_to is None):
            self._waiting.clear()
            self.sessions.empty()
            for message in self.messages.values():
                if message.state == "active" and message.seq not in self._locked:
                    self._make_available(message)

    def send_away(self, error: BrokerError | None) -> None:
        """Take the links away from all receivers; without an error, as the service does with idle ones."""
        for consumer in list(self._consumers):
            consumer.detached(error)

    def clear(self) -> None:
        """Forget everything, for good: the entity is deleted."""
        super().clear()
        self._locks.clear()
        self._locked.clear()

    def dispatch(self) -> None:
        """Hand out what is available to those who want it, one each in turn."""
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
                self.remove(message)
            elif self.dead_letters is not None:
                self._move_to_dead_letters(message, *refused)
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
            self.remove(message)
            consumer.deliver(message, None)
            return
        session = self.sessions.held(consumer.session_id or "", consumer) if self.options.sessions else None
        consumer.deliver(message, self._lock(message, session))

    def _lock(self, message: Message, session: MessageSession | None) -> Lock:
        lock = Lock(message, self._clock.time() + self.options.lock, session=session)
        self._locks[lock.token] = self._locked[message.seq] = lock
        self._alarm(lock.until)
        return lock

    def _drop(self, lock: Lock) -> None:
        del self._locks[lock.token]
        self._locked.pop(lock.message.seq, None)

    def complete(self, token: uuid.UUID) -> None:
        """Raises LockLost or SessionLockLost, as all settlements do."""
        self.remove(self._unlock(token).message)
        self.counts["completed"] += 1

    def abandon(self, token: uuid.UUID, changes: Changes | None = None) -> None:
        message = self._unlock(token).message
        self._change(message, changes)
        self._give_back(message, counted=True)
        self.counts["abandoned"] += 1
        self.dispatch()

    def release(self, token: uuid.UUID) -> None:
        """The message was never seen: it goes back as it was."""
        self._give_back(self._unlock(token).message, counted=False)
        self.dispatch()

    def defer(self, token: uuid.UUID, changes: Changes | None = None) -> None:
        message = self._unlock(token).message
        self._change(message, changes)
        message.state = "deferred"
        message.deliveries += 1
        self._store.count(self.name, message)
        self.counts["deferred"] += 1

    def dead_letter(self, token: uuid.UUID, changes: Changes) -> None:
        """Reason and description are among the changes."""
        if self.dead_letters is None:
            raise NotAllowed(f"{self.name} is a dead-letter queue; its messages cannot be dead-lettered again")
        message = self._unlock(token).message
        self.remove(message)
        self._put_dead_letter(message, changes)

    def _change(self, message: Message, changes: Changes | None) -> None:
        if changes:
            message.content = with_application(message.content, changes)
            self._store.put(self.name, message)

    def renew(self, token: uuid.UUID) -> float:
        """The new end of the lock, in seconds since the epoch."""
        lock = self.held(token)
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
            if number in self._locked:
                raise MessageNotFound(f"the deferred message {number} of {self.name} is locked by another receiver")
            found.append(message)
        self.counts["delivered"] += len(found)
        if not peek_lock:
            for message in found:
                self.remove(message)
            return [(message, None) for message in found]
        return [(message, self._lock(message, session)) for message in found]

    def delete_batch(self, most: int, before: float) -> int:
        """Delete the oldest messages that are active, unlocked and older than a moment; how many."""
        now = self._clock.time()
        free = (m for m in self.messages.values() if m.state == "active" and m.seq not in self._locked)
        found = sorted((m for m in free if m.enqueued < before and m.expires > now), key=lambda message: message.seq)
        for message in found[:most]:
            self.remove(message)
            if self.options.sessions:
                self.sessions.forget(message.session_id or "", message.seq)
        return len(found[:most])

    def tick(self) -> None:
        """Do what has become due: locks that ran out, messages whose time has come or is over."""
        now = self._clock.time()
        for lock in [lock for lock in self._locks.values() if lock.session is None and lock.ends <= now]:
            self._drop(lock)
            self._give_back(lock.message, counted=True)
        self._give_up(self.sessions.expired(now), counted=True)
        for consumer in self.sessions.noticed(now):
            consumer.detached(SessionLockLost("The session lock has expired."))
        while self._due and self._due[0][0] <= now:
            _, _, seq = heapq.heappop(self._due)
            message = self.messages.get(seq)
            if message is None:
                continue
            if message.expires <= now:
                if message.state != "deferred" and seq not in self._locked:
                    self._expire(message)
            elif message.state == "scheduled" and message.due is not None and message.due <= now:
                self._activate(message, now)
        self.dispatch()

    def next_moment(self) -> float | None:
        """When `tick` has something to do."""
        moments = [lock.ends for lock in self._locks.values() if lock.session is None] + self.sessions.moments()
        while self._due and self._due[0][2] not in self.messages:
            heapq.heappop(self._due)
        if self._due:
            moments.append(self._due[0][0])
        return min(moments, default=None)

    def depth(self) -> dict[str, int]:
        return {**super().depth(), "locked": len(self._locks)}

    def held(self, token: uuid.UUID) -> Lock:
        """Raises LockLost, SessionLockLost."""
        lock = self._locks.get(token)
        if lock is not None and lock.until > self._clock.time():
            return lock
        if self.options.sessions:
            raise SessionLockLost("The session lock has expired on the MessageSession. Accept a new MessageSession.")
        raise LockLost(
            "The lock supplied is invalid. Either the lock expired, or the message has already been removed "
            "from the queue."
        )

    def leave_transaction(self, token: uuid.UUID) -> None:
        """The transaction that was to settle a message is discharged; the lock is as it was before."""
        lock = self._locks.get(token)
        if lock is not None:
            lock.transaction = None

    def _unlock(self, token: uuid.UUID) -> Lock:
        lock = self.held(token)
        if lock.transaction is not None:
            raise NotAllowed("the message is settled in a transaction that is not finished")
        self._drop(lock)
        return lock

    def _give_back(self, message: Message, counted: bool) -> None:
        if message.seq not in self.messages:
            return
        if counted:
            message.deliveries += 1
            if message.deliveries >= self.options.most_deliveries and self.dead_letters is not None:
                most = self.options.most_deliveries
                self._move_to_dead_letters(
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
            self._move_to_dead_letters(message, "TTLExpiredException", "The message expired and was dead lettered.")
        else:
            self.remove(message)

    def _move_to_dead_letters(self, message: Message, reason: str | None, description: str | None) -> None:
        self.remove(message)
        self.add_dead_letter(message, reason, description)

    def add_dead_letter(self, message: Message, reason: str | None, description: str | None) -> None:
        """Put a message that is not in the queue, or no longer, among the dead letters."""
        told = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
        self._put_dead_letter(message, {name: string(text) for name, text in told.items() if text is not None})

    def _put_dead_letter(self, message: Message, changes: Changes) -> None:
        assert self.dead_letters is not None, "the caller knows that this is not a dead-letter queue"
        self.counts["dead-lettered"] += 1
        annotations = {**message.annotations, "x-opt-deadletter-source": self.name}
        content = with_application(message.content, changes)
        dead_letter = replace(
            message, seq=0, content=content, expires=NEVER, state="active", due=None, annotations=annotations
        )
        self.dead_letters.add(dead_letter)
        self.dead_letters.dispatch()
