"""The broker: queues, topics and their subscriptions, and one alarm for everything that becomes due."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from localazure.clock import Clock
from localazure.servicebus.entities import Namespace, QueueOptions
from localazure.servicebus.errors import EntityNotFound, MessageNotFound, NotAllowed
from localazure.servicebus.filters import Filter
from localazure.servicebus.queue import Queue
from localazure.servicebus.store import Message, Store

DEAD_LETTERS = "/$deadletterqueue"
LARGEST_MESSAGE = 262_144
"""Bytes: the Standard tier's limit."""
NEVER = float(10**13)


@dataclass(frozen=True)
class Incoming:
    """A message as a sender gives it. `properties` are what subscription rules look at."""

    content: bytes
    message_id: str | None = None
    session_id: str | None = None
    ttl: float | None = None
    due: float | None = None
    annotations: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Target:
    """Where senders send: a queue, or a topic with its subscriptions."""

    name: str
    queues: list[tuple[Queue, tuple[Filter, ...]]]
    duplicate_window: float
    ttl: float
    seen: dict[str, float]
    is_topic: bool
    counts: Counter[str] = field(default_factory=Counter)
    scheduled: Queue | None = None


class Broker:
    """All entities of a namespace, in the SQLite file at `path` (`None`: in memory)."""

    def __init__(self, namespace: Namespace, path: Path | None, clock: Clock) -> None:
        self.store = Store(path)
        self._clock = clock
        self._queues: dict[str, Queue] = {}
        self._targets: dict[str, _Target] = {}
        self._alarm: asyncio.TimerHandle | asyncio.Task[None] | None = None
        self._alarm_at = NEVER
        self._closed = False
        for name, options in namespace.queues.items():
            queue = self._make(name, options)
            self._targets[name.lower()] = self._target(
                name, [(queue, ())], options.duplicate_window, options.ttl, False
            )
        for name, topic in namespace.topics.items():
            queues = [
                (self._make(f"{name}/Subscriptions/{subscription}", options), filters)
                for subscription, (options, filters) in topic.subscriptions.items()
            ]
            target = self._target(name, queues, topic.duplicate_window, topic.ttl, True)
            target.scheduled = Queue(f"{name}/$scheduled", QueueOptions(), self.store, clock, self._set_alarm, None)
            self._targets[name.lower()] = target

    def _make(self, name: str, options: QueueOptions) -> Queue:
        plain = QueueOptions(lock=options.lock, most_deliveries=10**9)
        dead = Queue(f"{name}/$DeadLetterQueue", plain, self.store, self._clock, self._set_alarm, None)
        queue = Queue(name, options, self.store, self._clock, self._set_alarm, dead)
        self._queues[name.lower()] = queue
        self._queues[f"{name}{DEAD_LETTERS}".lower()] = dead
        return queue

    def _target(
        self, name: str, queues: list[tuple[Queue, tuple[Filter, ...]]], window: float, ttl: float, is_topic: bool
    ) -> _Target:
        return _Target(name, queues, window, ttl, self.store.seen(name) if window else {}, is_topic)

    def close(self) -> None:
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        self.store.close()

    def queue(self, name: str) -> Queue:
        """A queue, subscription or dead-letter queue by its path. Raises EntityNotFound."""
        found = self._queues.get(name.lower())
        if found is None:
            raise EntityNotFound(f"The messaging entity '{name}' could not be found.")
        return found

    def check_target(self, name: str) -> None:
        """Raises EntityNotFound unless `name` is a queue or a topic."""
        self._find(name)

    def send(self, name: str, messages: Sequence[Incoming], done: Callable[[], None]) -> list[int]:
        """Accept messages; `done` is called once they are on disk. Answers the numbers of those that are scheduled.

        Raises EntityNotFound, NotAllowed.
        """
        target = self._find(name)
        for message in messages:
            if (
                any(queue.options.sessions for queue, _ in target.queues)
                and not target.is_topic
                and not message.session_id
            ):
                raise NotAllowed(f"{name} has sessions; a message needs a session id")
        now = self._clock.time()
        numbers = [self._accept(target, message, now) for message in messages]
        self.store.afterwards(done)
        for queue, _ in target.queues:
            queue.pump()
        return numbers

    def cancel_scheduled(self, name: str, numbers: Sequence[int]) -> None:
        """Raises MessageNotFound."""
        target = self._find(name)
        holder = target.scheduled or target.queues[0][0]
        for number in numbers:
            message = holder.messages.get(number)
            if message is None or message.state != "scheduled":
                raise MessageNotFound(f"there is no scheduled message with the sequence number {number} in {name}")
        for number in numbers:
            holder.cancel_scheduled(number)

    def counters(self) -> dict[str, dict[str, int]]:
        """What was counted since the last reset, by entity."""
        found = {target.name: dict(target.counts) for target in self._targets.values() if target.is_topic}
        return found | {queue.name: dict(queue.counts) for queue in self._queues.values()}

    def reset_counters(self) -> None:
        for queue in self._queues.values():
            queue.counts.clear()
        for target in self._targets.values():
            target.counts.clear()

    def depths(self) -> dict[str, dict[str, int]]:
        return {queue.name: queue.depth() for queue in self._queues.values()}

    def tick(self) -> None:
        """Do everything that has become due."""
        self._alarm_at = NEVER
        for target in self._targets.values():
            if target.scheduled is not None:
                self._publish_due(target, target.scheduled)
        for queue in self._queues.values():
            queue.tick()
        moments = [moment for queue in self._queues.values() if (moment := queue.next_moment()) is not None]
        moments += [
            moment
            for target in self._targets.values()
            if target.scheduled is not None and (moment := target.scheduled.next_moment()) is not None
        ]
        if moments:
            self._set_alarm(min(moments))

    def _find(self, name: str) -> _Target:
        found = self._targets.get(name.lower())
        if found is None:
            raise EntityNotFound(f"The messaging entity '{name}' could not be found.")
        return found

    def _accept(self, target: _Target, message: Incoming, now: float) -> int:
        if (
            target.duplicate_window
            and message.message_id is not None
            and self._duplicate(target, message.message_id, now)
        ):
            target.counts["duplicates"] += 1
            return 0
        target.counts["sent"] += 1
        ttl = min(message.ttl if message.ttl is not None else NEVER, target.ttl)
        made = Message(
            seq=0,
            content=message.content,
            message_id=message.message_id,
            session_id=message.session_id,
            enqueued=now,
            expires=min(NEVER, max(now, message.due or now) + ttl),
            annotations=dict(message.annotations),
        )
        if message.due is not None and message.due > now:
            made.state, made.due = "scheduled", message.due
            if target.scheduled is not None:
                made.annotations["$properties"] = dict(message.properties)
            return (target.scheduled or target.queues[0][0]).add(made).seq
        self._distribute(target, made, message.properties)
        return 0

    def _distribute(self, target: _Target, message: Message, properties: Mapping[str, Any]) -> None:
        for queue, filters in target.queues:
            if not filters or any(fits(properties) for fits in filters):
                expires = min(message.expires, message.enqueued + queue.options.ttl)
                queue.add(replace(message, expires=expires, annotations=dict(message.annotations)))

    def _publish_due(self, target: _Target, scheduled: Queue) -> None:
        now = self._clock.time()
        for message in [item for item in scheduled.messages.values() if item.due is not None and item.due <= now]:
            scheduled.cancel_scheduled(message.seq)
            properties = message.annotations.pop("$properties", {})
            self._distribute(target, replace(message, state="active", due=None, enqueued=now), properties)

    def _duplicate(self, target: _Target, message_id: str, now: float) -> bool:
        oldest = now - target.duplicate_window
        stale = 0
        for at in target.seen.values():
            if at >= oldest:
                break
            stale += 1
        if stale:
            for known in list(target.seen)[:stale]:
                del target.seen[known]
            self.store.forget_seen(target.name, oldest)
        if message_id in target.seen:
            return True
        target.seen[message_id] = now
        self.store.saw(target.name, message_id, now)
        return False

    def _set_alarm(self, moment: float) -> None:
        if self._closed or moment >= self._alarm_at or moment >= NEVER:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # entities are being read; `start` sets the alarm
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = moment
        self._alarm = loop.create_task(self._ring(moment))

    async def _ring(self, moment: float) -> None:
        await self._clock.sleep(max(0.001, moment - self._clock.time()))
        self._alarm = None
        self.tick()
