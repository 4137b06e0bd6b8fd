"""The broker: sending to entities, receiving from them, and one alarm for everything that becomes due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from localazure.clock import Clock
from localazure.servicebus.entities import Namespace
from localazure.servicebus.errors import EntityDisabled, EntityNotFound, NotAllowed
from localazure.servicebus.mailbox import NEVER
from localazure.servicebus.queue import Queue
from localazure.servicebus.store import Message, Store
from localazure.servicebus.target import Incoming, Target, TopicTarget
from localazure.servicebus.topology import Topology

MAX_MESSAGE_SIZE = 262_144
"""Bytes: the Standard tier's limit."""
_MAX_HOPS = 4
_HOPS = "$hops"
_FIRST_NUMBER = "x-opt-enqueue-sequence-number"


class Broker:
    """All entities of a namespace, in the SQLite file at `path` (`None`: in memory)."""

    def __init__(self, namespace: Namespace, path: Path | None, clock: Clock) -> None:
        self.name = namespace.name
        self.store = Store(path)
        self.started = clock.time()
        self._clock = clock
        self._alarm: asyncio.TimerHandle | asyncio.Task[None] | None = None
        self._alarm_at = NEVER
        self._closed = False
        self.entities = Topology(self.store, clock, self._set_alarm, self._forward)
        self.entities.load(namespace)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.time()

    @property
    def awake(self) -> bool:
        """Whether there is a moment at which something becomes due."""
        return self._alarm_at < NEVER

    def close(self) -> None:
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        self.store.close()

    def queue(self, name: str) -> Queue:
        """A queue, subscription or dead-letter queue by its path. Raises EntityNotFound."""
        found = self.entities.queues.get(name.lower()) or self.entities.transfers.get(name.lower())
        if found is None:
            raise EntityNotFound(f"The messaging entity '{name}' could not be found.")
        return found

    def check_exists(self, path: str) -> None:
        """Raises EntityNotFound unless a path leads to an entity or its `$management`."""
        entity = path.lower().removesuffix("/$management")
        if entity and not entity.startswith("$") and entity not in self.entities.targets:
            self.queue(entity)

    def source(self, name: str) -> Queue:
        """A queue that can be received from. Raises EntityNotFound, EntityDisabled, NotAllowed."""
        queue = self.queue(name)
        if not queue.options.receivable:
            raise EntityDisabled(f"Messaging entity '{queue.name}' is currently disabled.")
        if queue.options.forward_to is not None and queue.dead_letters is not None:
            raise NotAllowed(f"Cannot create a message receiver on '{queue.name}': it forwards its messages.")
        return queue

    def check_target(self, name: str) -> None:
        """Raises EntityNotFound unless `name` is a queue or a topic, EntityDisabled if nothing can be sent there."""
        self._find(name).check()

    def send(self, name: str, messages: Sequence[Incoming], done: Callable[[], None]) -> None:
        """Accept messages; `done` is called once they are on disk.

        Raises EntityNotFound, EntityDisabled, NotAllowed.
        """
        target = self.check_messages(name, messages)
        now = self._clock.time()
        for message in messages:
            target.accept(message, now)
        self.store.afterwards(done)
        target.dispatch()

    def check_messages(self, name: str, messages: Sequence[Incoming]) -> Target:
        """Raises EntityNotFound, EntityDisabled, NotAllowed for messages that cannot be accepted."""
        target = self._find(name)
        target.check(messages)
        return target

    def reserve(self, name: str, count: int) -> list[int]:
        """Numbers for messages that are scheduled. Raises EntityNotFound."""
        waiting = self._find(name).waiting
        return [waiting.reserve() for _ in range(count)]

    def schedule(self, name: str, messages: Sequence[Incoming], numbers: Sequence[int]) -> None:
        """Accept messages under numbers that were reserved; those whose time has passed are handed out at once.

        Raises EntityNotFound, EntityDisabled, NotAllowed.
        """
        target = self.check_messages(name, messages)
        now = self._clock.time()
        for message, number in zip(messages, numbers, strict=True):
            target.accept(message, now, number)
        target.dispatch()

    def check_scheduled(self, name: str, numbers: Sequence[int]) -> None:
        """Raises EntityNotFound, MessageNotFound."""
        self._find(name).check_scheduled(numbers)

    def cancel_scheduled(self, name: str, numbers: Sequence[int]) -> None:
        """Raises EntityNotFound, MessageNotFound."""
        self._find(name).cancel_scheduled(numbers)

    def detach_idle(self, name: str | None = None) -> int:
        """Take receivers' links away without an error, of one entity or of all, as the service does; how many."""
        queues = [self.queue(name)] if name else list(self.entities.queues.values())
        count = sum(queue.receivers for queue in queues)
        for queue in queues:
            queue.send_away(None)
        return count

    def counters(self) -> dict[str, dict[str, int]]:
        """What was counted since the last reset, by entity."""
        topics = [target for target in self.entities.targets.values() if isinstance(target, TopicTarget)]
        found = {topic.name: dict(topic.counts) for topic in topics}
        return found | {queue.name: dict(queue.counts) for queue in self.entities.queues.values()}

    def reset_counters(self) -> None:
        for queue in self.entities.queues.values():
            queue.counts.clear()
        for target in self.entities.targets.values():
            target.counts.clear()

    def depths(self) -> dict[str, dict[str, int]]:
        return {queue.name: queue.depth() for queue in self.entities.queues.values()}

    def tick(self) -> None:
        """Do everything that has become due."""
        self._alarm_at = NEVER
        topics = [target for target in self.entities.targets.values() if isinstance(target, TopicTarget)]
        for topic in topics:
            topic.publish_due()
        for queue in list(self.entities.queues.values()):
            queue.tick()
        moments = self.entities.delete_idle()
        for queue in (*self.entities.queues.values(), *(topic.waiting for topic in topics)):
            moment = queue.next_moment()
            if moment is not None:
                moments.append(moment)
        if moments:
            self._set_alarm(min(moments))

    def _find(self, name: str) -> Target:
        found = self.entities.targets.get(name.lower())
        if found is None:
            raise EntityNotFound(f"The messaging entity '{name}' could not be found.")
        return found

    def _forward(self, queue: Queue, message: Message) -> tuple[str, str] | None:
        """Hand a message on; reason and description if it cannot be.

        Source: "Chaining Service Bus entities with autoforwarding".
        """
        hops = int(message.annotations.get(_HOPS, 0)) + 1
        if hops > _MAX_HOPS:
            return "MaxTransferHopCountExceeded", (
                "The maximum number of allowed hops when forwarding between queues has been exceeded."
            )
        destination = str(queue.options.forward_to)
        target = self.entities.targets.get(destination.lower())
        if target is None:
            return "EntityNotFound", f"The entity {destination}, where messages are forwarded to, does not exist."
        annotations = {_FIRST_NUMBER: message.seq, **message.annotations, _HOPS: hops}
        refused = target.forwarded(replace(message, seq=0, deliveries=0, annotations=annotations))
        if refused is None:
            queue.counts["forwarded"] += 1
            target.dispatch()
        return refused

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
        self._alarm = loop.create_task(self._on_alarm(moment))

    async def _on_alarm(self, moment: float) -> None:
        await self._clock.sleep(max(0.001, moment - self._clock.time()))
        self._alarm = None
        self.tick()
