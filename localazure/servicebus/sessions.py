"""The sessions of one queue: what waits in each, who holds it until when, and what was noted down for it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Mapping

from localazure.clock import Clock
from localazure.servicebus.errors import SessionBusy, SessionLockLost
from localazure.servicebus.locks import Consumer, MessageSession
from localazure.servicebus.store import Store

_NOTICED = 1.0
"""Seconds from the end of a session's lock until its holder loses the link. The service does not do it at once: who
listens for just as long as the lock lasts, and then closes, sees no error (live tests of azure-servicebus 7.15)."""


class Sessions:
    """`name` is the queue's. Locks and states are told to the alarm and the store."""

    def __init__(self, name: str, store: Store, clock: Clock, alarm: Callable[[float], None]) -> None:
        self._name, self._store, self._clock, self._alarm = name, store, clock, alarm
        self._sessions: dict[str, MessageSession] = {}
        self._states = store.sessions(name)
        self._news = asyncio.Event()
        self._lost: list[tuple[float, Consumer]] = []

    def put(self, session_id: str, seq: int) -> None:
        """A message is available in a session."""
        heapq.heappush(self._sessions.setdefault(session_id, MessageSession()).waiting, seq)
        self.tell_waiting()

    def empty(self) -> None:
        """Nothing is available any more."""
        for session in self._sessions.values():
            session.waiting.clear()

    def forget(self, session_id: str, seq: int) -> None:
        """A message that was available is gone."""
        session = self._sessions.get(session_id)
        if session is not None and seq in session.waiting:
            session.waiting.remove(seq)
            heapq.heapify(session.waiting)

    def waiting(self, consumer: Consumer) -> list[int]:
        """What is available in the session that the consumer holds."""
        session = self._sessions.get(consumer.session_id or "")
        return session.waiting if session is not None and session.holder is consumer else []

    async def news(self) -> None:
        """Wait until a session may have become free, or may have got its first message."""
        await self._news.wait()

    def tell_waiting(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def accept(self, wanted: str | None, consumer: Consumer, lock: float) -> str | None:
        """Lock a session for `lock` seconds, the next that has messages for `None`. `None`: there is none now.

        Raises SessionBusy for a named one that another receiver holds.
        """
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
        session = self._sessions.setdefault(wanted, MessageSession())
        if session.holder is not None:
            raise SessionBusy(f"the session '{wanted}' of {self._name} is held by another receiver")
        session.holder = consumer
        self._prolong(session, lock)
        return wanted

    def held(self, session_id: str, consumer: Consumer | None = None) -> MessageSession:
        """Raises SessionLockLost if the session is free, or another consumer's."""
        session = self._sessions.get(session_id)
        if session is None or session.holder is None or (consumer is not None and session.holder is not consumer):
            raise SessionLockLost(f"the lock on the session '{session_id}' is gone; accept the session again")
        return session

    def renew(self, session_id: str, lock: float) -> float:
        """When the lock ends now. Raises SessionLockLost."""
        return self._prolong(self.held(session_id), lock)

    def _prolong(self, session: MessageSession, lock: float) -> float:
        session.until = self._clock.time() + lock
        self._alarm(session.until)
        return session.until

    def release(self, consumer: Consumer) -> list[MessageSession]:
        """The consumer is gone: what it held is free."""
        self._lost = [entry for entry in self._lost if entry[1] is not consumer]
        return self._free([session for session in self._sessions.values() if session.holder is consumer])

    def expired(self, now: float) -> list[MessageSession]:
        """The sessions whose lock is over; they are free from now on."""
        found = [s for s in self._sessions.values() if s.holder is not None and s.until <= now]
        self._lost += [(s.until + _NOTICED, s.holder) for s in found if s.holder is not None]
        return self._free(found)

    def _free(self, found: list[MessageSession]) -> list[MessageSession]:
        for session in found:
            session.holder = None
        if found:
            self.tell_waiting()
        return found

    def noticed(self, now: float) -> list[Consumer]:
        """Who lost a session a moment ago, and loses its link now."""
        found = [consumer for moment, consumer in self._lost if moment <= now]
        self._lost = [entry for entry in self._lost if entry[0] > now]
        return found

    def moments(self) -> list[float]:
        """When a lock is over, or a link is."""
        ends = [session.until for session in self._sessions.values() if session.holder is not None]
        return ends + [moment for moment, _ in self._lost]

    def state(self, session_id: str) -> bytes | None:
        found = self._states.get(session_id)
        return None if found is None else found[0]

    def set_state(self, session_id: str, state: bytes | None) -> None:
        now = self._clock.time()
        if state is None:
            self._states.pop(session_id, None)
        else:
            self._states[session_id] = state, now
        self._store.session(self._name, session_id, state, now)

    @property
    def states(self) -> Mapping[str, tuple[bytes, float]]:
        """Session → its state, and when it was set."""
        return self._states

    def changed(self, after: float) -> list[str]:
        """The sessions whose state was set after a moment."""
        return sorted(name for name, (_, at) in self._states.items() if at > after)
