"""The task hub: event-sourced orchestrations that go on where they were when the process died.

Everything that happens to an instance is a message in its inbox. Nothing is polled: a message wakes its instance,
and one alarm waits for the next timer. Who reads the messages is in `orchestrations.py`, at which of several hosts in
`partitions.py`.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from localazure.clock import Clock
from localazure.durable.activities import Activities
from localazure.durable.alarms import Alarms
from localazure.durable.core import Core, Invoker
from localazure.durable.entities import Entities
from localazure.durable.entity import Entity, EntityId, is_entity
from localazure.durable.errors import (
    InstanceFinished,
    InstanceRunning,
    UnknownInstance,
    WrongState,
)
from localazure.durable.ids import check_instance
from localazure.durable.leases import Reactions
from localazure.durable.model import EventType, HistoryEvent, Instance, event
from localazure.durable.orchestrations import Orchestrations
from localazure.durable.partitions import Provider
from localazure.durable.store import Filter, Store
from localazure.presence import Presence


class TaskHub:
    """All instances and entities of one hub, in the SQLite file at `path` (`None`: in memory)."""

    def __init__(
        self,
        path: Path | None,
        invoker: Invoker,
        clock: Clock,
        name: str = "TaskHub",
        *,
        activities_at_once: int = 100,
        presence: Presence | None = None,
        provider: Provider | None = None,
    ) -> None:
        self.name = name
        self._store = Store(path)
        reactions = Reactions(self._gained, self._look, self._busy, self._read)
        presence = presence or Presence(None, uuid.uuid4().hex)
        self._core = Core(self._store, invoker, clock, presence, provider or Provider(), reactions)
        self._alarms = Alarms(self._core)
        self._activities = Activities(self._core, activities_at_once)
        self._entities = Entities(self._core)
        self._orchestrations = Orchestrations(self._core, self._activities, self._alarms)

    async def start(self) -> None:
        """Take up what was under way: unread messages, activities without an answer, timers."""
        self._core.open = True
        await self._core.leases.start()
        self._activities.fetch()

    async def stop(self) -> None:
        """Let episodes and activities that are running end, start no more, give the leases back, close the file."""
        self._core.open = False
        self._alarms.stop()
        await self._core.leases.cease()
        await self._core.drain()
        await self._core.leases.stop()
        self._store.close()

    def create(self, name: str, instance_id: str | None, input_: str | None, version: str | None = None) -> str:
        """Start an orchestration; answers its id. A finished instance of the same id is replaced.

        Whether there is such an orchestrator shows when it is to run. Raises InvalidId, InstanceRunning.
        """
        identifier = instance_id or uuid.uuid4().hex
        check_instance(identifier)
        with self._store.transaction():
            existing = self._orchestrations.find(identifier)
            if existing is not None and not existing.finished:
                raise InstanceRunning(f"An Orchestration instance with the status {existing.status} already exists.")
            generation = 0 if existing is None else (existing.generation or 0) + 1
            self._orchestrations.create(name, identifier, input_, version, generation=generation)
        self._core.wake(identifier)
        return identifier

    def check_open(self, instance_id: str) -> None:
        """Whether messages may be sent to the instance. Raises UnknownInstance, InstanceFinished."""
        instance = self.get(instance_id)
        if instance.finished:
            raise InstanceFinished(f"instance '{instance_id}' is {instance.status}")

    def raise_event(self, instance_id: str, name: str, data: str | None) -> None:
        """Send an external event. Raises UnknownInstance, InstanceFinished."""
        self._send(instance_id, event(EventType.EVENT_RAISED, self._core.now(), Name=name, Input=data))

    def terminate(self, instance_id: str, reason: str | None) -> None:
        """End an instance where it stands. Raises UnknownInstance, InstanceFinished."""
        self._send(instance_id, event(EventType.EXECUTION_TERMINATED, self._core.now(), Input=reason))

    def suspend(self, instance_id: str, reason: str | None) -> None:
        """Let messages wait until the instance is resumed. Raises UnknownInstance, InstanceFinished, WrongState."""
        self._check_state(instance_id, "suspend", wanted=False)
        self._send(instance_id, event(EventType.EXECUTION_SUSPENDED, self._core.now(), Reason=reason))

    def resume(self, instance_id: str, reason: str | None) -> None:
        """The inverse of `suspend`. Raises UnknownInstance, InstanceFinished, WrongState."""
        self._check_state(instance_id, "resume", wanted=True)
        self._send(instance_id, event(EventType.EXECUTION_RESUMED, self._core.now(), Reason=reason))

    def rewind(self, instance_id: str, reason: str) -> None:
        """Let a failed instance go on from before its failures. Raises UnknownInstance, WrongState, Unsupported."""
        instance = self.get(instance_id)
        if instance.status != "Failed":
            raise WrongState("The rewind operation is only supported on failed orchestration instances.")
        self._orchestrations.rewind(instance, reason)

    def restart(self, instance_id: str, *, with_new_id: bool) -> str:
        """Start an instance's orchestrator once more with its input; answers the id of the new instance.

        Raises UnknownInstance, InstanceRunning.
        """
        instance = self.get(instance_id)
        return self.create(instance.name, None if with_new_id else instance_id, instance.input, instance.version)

    def get(self, instance_id: str) -> Instance:
        """Raises UnknownInstance."""
        instance = self._orchestrations.find(instance_id)
        if instance is None:
            raise UnknownInstance(f"there is no instance with id '{instance_id}'")
        return instance

    def look(self, identifier: str) -> Instance | Entity | None:
        """The instance, or the entity, that has this id."""
        if not is_entity(identifier):
            return self._orchestrations.find(identifier)
        found = self._store.entity(EntityId.parse(identifier))
        return found if found.exists else None

    def unread(self, instance_id: str) -> list[HistoryEvent]:
        """The messages that wait for an instance."""
        return [message for _, message in self._store.messages(instance_id, self._core.clock.time())]

    def find(self, wanted: Filter, first: str = "", most: int = -1) -> list[Instance | Entity]:
        """Instances without their history, and entities, which are always Running, in the order of their ids.

        From the id `first` on, at most so many; -1: all.
        """
        instances = self._store.instances(wanted, first, most)
        if wanted.statuses and "Running" not in wanted.statuses:
            return [*instances]
        entities = self._store.entities(wanted.prefix, wanted.created_from, wanted.created_to, first, most)
        if not entities:
            return [*instances]
        both: list[Instance | Entity] = [*instances, *entities]
        found = sorted(both, key=self.identifier)
        return found if most < 0 else found[:most]

    @staticmethod
    def identifier(item: Instance | Entity) -> str:
        """By what lists are ordered."""
        return str(item.id)

    def purge(self, instance_id: str) -> None:
        """Forget a finished instance. Raises UnknownInstance, InstanceRunning."""
        with self._store.transaction():
            if not self.get(instance_id).finished:
                raise InstanceRunning(f"instance '{instance_id}' has not finished")
            self._store.delete(instance_id)

    def purge_many(self, wanted: Filter) -> int:
        """Forget the finished ones among the instances meant; answers how many there were."""
        with self._store.transaction():
            doomed = [instance.id for instance in self._store.instances(wanted) if instance.finished]
            for instance_id in doomed:
                self._store.delete(instance_id)
        return len(doomed)

    def signal_entity(self, target: EntityId, operation: str, input_: str | None) -> None:
        """Ask an entity for an operation, wait for nothing. Raises InvalidId, UnknownEntity."""
        self._entities.signal(target, operation, input_)

    def entity(self, identifier: EntityId) -> Entity:
        """Raises UnknownInstance for an entity that does not exist."""
        found = self._store.entity(identifier)
        if not found.exists:
            raise UnknownInstance(f"there is no entity '{identifier}'")
        return found

    def entities(self, name: str, since: str, until: str, first: str, most: int) -> list[Entity]:
        """Entities that exist, in the order of their ids from `first` on; an empty name: of all names."""
        return self._store.entities(f"@{name.lower()}@" if name else "@", since, until, first, most)

    def counters(self) -> dict[str, int]:
        """Episodes, activities, operations of entities, history events and bytes since the hub was made."""
        return dict(self._core.counts)

    def waiting(self) -> tuple[int, int, int]:
        """Messages unread, partitions they lie in, and activities without an answer."""
        unread = self._store.unread(self._core.clock.time())
        partitions = {self._core.leases.number(identifier) for identifier in unread}
        return sum(unread.values()), len(partitions), self._store.open_activities()

    def _read(self, identifier: str) -> None:
        readers = self._entities if is_entity(identifier) else self._orchestrations
        readers.wake(identifier)

    def _gained(self, partitions: frozenset[int]) -> None:
        self._orchestrations.forget(partitions)
        number = self._core.leases.number
        self._alarms.add(timer for timer in self._store.timers() if number(timer.instance_id) in partitions)
        self._look()

    def _look(self) -> None:
        for identifier in self._store.waiting(self._core.clock.time()):
            if self._core.leases.reads(identifier):
                self._read(identifier)
        self._activities.fetch()

    def _busy(self, partition: int) -> bool:
        return self._orchestrations.busy(partition) or self._entities.busy(partition)

    def _check_state(self, instance_id: str, what: str, *, wanted: bool) -> None:
        self.check_open(instance_id)
        status = self.get(instance_id).status
        if (status == "Suspended") != wanted:
            raise WrongState(
                f"Cannot {what} the orchestration instance {instance_id} because instance is in the {status} state."
            )

    def _send(self, instance_id: str, message: HistoryEvent) -> None:
        with self._store.transaction():
            self.check_open(instance_id)
            self._core.post(instance_id, message)
        self._core.wake(instance_id)
