"""The task hub: event-sourced orchestrations that go on where they were when the process died.

Everything that happens to an instance is a message in its inbox. Nothing is polled: a message wakes its instance,
and one alarm waits for the next timer. Who reads the messages is in `orchestrations.py`.
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
    NotFailed,
    UnknownInstance,
    UnknownOrchestrator,
)
from localazure.durable.ids import check_instance
from localazure.durable.model import EventType, HistoryEvent, Instance, event
from localazure.durable.orchestrations import Orchestrations
from localazure.durable.store import Filter, Place, Store


class TaskHub:
    """All instances and entities of one hub, in the SQLite file at `path` (`None`: in memory)."""

    def __init__(
        self, path: Path | None, invoker: Invoker, clock: Clock, name: str = "TaskHub", *, activities_at_once: int = 100
    ) -> None:
        self.name = name
        self._store = Store(path)
        self._core = Core(self._store, invoker, clock, self._wake)
        self._alarms = Alarms(self._core)
        self._activities = Activities(self._core, activities_at_once)
        self._entities = Entities(self._core)
        self._orchestrations = Orchestrations(self._core, self._activities, self._alarms)

    async def start(self) -> None:
        """Take up what was under way: unread messages, activities without an answer, timers."""
        self._core.open = True
        self._alarms.add(self._store.timers())
        for activity in self._store.activities():
            self._activities.start(activity)
        for identifier in self._store.waiting():
            self._wake(identifier)

    async def stop(self) -> None:
        """Let episodes and activities that are running end, start no more, close the file."""
        self._core.open = False
        self._alarms.stop()
        await self._core.drain()
        self._store.close()

    def create(self, name: str, instance_id: str | None, input_: str | None, version: str | None = None) -> str:
        """Start an orchestration; answers its id. A finished instance of the same id is replaced.

        Raises UnknownOrchestrator, InvalidId, InstanceRunning.
        """
        if not self._core.invoker.has_orchestrator(name):
            raise UnknownOrchestrator(
                f"the function '{name}' doesn't exist, is disabled, or is not an orchestrator function"
            )
        identifier = instance_id or uuid.uuid4().hex
        check_instance(identifier)
        existing = self._orchestrations.find(identifier)
        if existing is not None and not existing.finished:
            raise InstanceRunning(f"an instance with id '{identifier}' already exists and is {existing.status}")
        with self._store.transaction():
            self._orchestrations.create(name, identifier, input_, version)
        self._wake(identifier)
        return identifier

    def raise_event(self, instance_id: str, name: str, data: str | None) -> None:
        """Send an external event. Raises UnknownInstance, InstanceFinished."""
        self._send(instance_id, event(EventType.EVENT_RAISED, self._core.now(), Name=name, Input=data))

    def terminate(self, instance_id: str, reason: str) -> None:
        """End an instance where it stands. Raises UnknownInstance, InstanceFinished."""
        self._send(instance_id, event(EventType.EXECUTION_TERMINATED, self._core.now(), Input=reason))

    def suspend(self, instance_id: str, reason: str) -> None:
        """Let messages wait until the instance is resumed. Raises UnknownInstance, InstanceFinished."""
        self._send(instance_id, event(EventType.EXECUTION_SUSPENDED, self._core.now(), Input=reason))

    def resume(self, instance_id: str, reason: str) -> None:
        """The inverse of `suspend`. Raises UnknownInstance, InstanceFinished."""
        self._send(instance_id, event(EventType.EXECUTION_RESUMED, self._core.now(), Input=reason))

    def rewind(self, instance_id: str, reason: str) -> None:
        """Let a failed instance go on from before its failures.

        Raises UnknownInstance, InstanceFinished, NotFailed, Unsupported.
        """
        instance = self.get(instance_id)
        if instance.status in ("Completed", "Terminated"):
            raise InstanceFinished(f"instance '{instance_id}' is {instance.status}")
        if instance.status != "Failed":
            raise NotFailed("The rewind operation is only supported on failed orchestration instances.")
        self._orchestrations.rewind(instance, reason)

    def restart(self, instance_id: str, *, with_new_id: bool) -> str:
        """Start an instance's orchestrator once more with its input; answers the id of the new instance.

        Raises UnknownInstance, UnknownOrchestrator, InstanceRunning.
        """
        instance = self.get(instance_id)
        return self.create(instance.name, None if with_new_id else instance_id, instance.input, instance.version)

    def get(self, instance_id: str) -> Instance:
        """Raises UnknownInstance."""
        instance = self._orchestrations.find(instance_id)
        if instance is None:
            raise UnknownInstance(f"there is no instance with id '{instance_id}'")
        return instance

    def find(self, wanted: Filter, after: Place | None = None, most: int = -1) -> list[Instance]:
        """Instances without their history, oldest first, at most so many; -1: all."""
        return self._store.instances(wanted, after, most)

    def purge(self, instance_id: str) -> None:
        """Forget a finished instance. Raises UnknownInstance, InstanceRunning."""
        if not self.get(instance_id).finished:
            raise InstanceRunning(f"instance '{instance_id}' has not finished")
        with self._store.transaction():
            self._store.delete(instance_id)

    def signal_entity(self, target: EntityId, operation: str, input_: str | None) -> None:
        """Ask an entity for an operation, wait for nothing. Raises InvalidId, UnknownEntity."""
        self._entities.signal(target, operation, input_)

    def entity(self, identifier: EntityId) -> Entity:
        """Raises UnknownInstance for an entity that does not exist."""
        found = self._store.entity(identifier)
        if not found.exists:
            raise UnknownInstance(f"there is no entity '{identifier}'")
        return found

    def entities(self, name: str, since: str, until: str, after: Place | None, most: int) -> list[Entity]:
        """Entities that exist, in the order of their last operation; an empty name: of all names."""
        return self._store.entities(name.lower(), since, until, after, most)

    def counters(self) -> dict[str, int]:
        """Episodes, activities, operations of entities, history events and bytes since the hub was made."""
        return dict(self._core.counts)

    def _wake(self, identifier: str) -> None:
        readers = self._entities if is_entity(identifier) else self._orchestrations
        readers.wake(identifier)

    def _send(self, instance_id: str, message: HistoryEvent) -> None:
        instance = self.get(instance_id)
        if instance.finished:
            raise InstanceFinished(f"instance '{instance_id}' is {instance.status}")
        with self._store.transaction():
            self._store.put_message(instance_id, message)
        self._wake(instance_id)
