"""The task hub: event-sourced orchestrations that go on where they were when the process died.

Everything that happens to an instance is a message in its inbox. Nothing is polled: a message wakes its instance,
and one alarm waits for the next timer. Who reads the messages is in `orchestrations.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from localazure.clock import Clock
from localazure.durable.activities import Activities
from localazure.durable.alarms import Alarms
from localazure.durable.core import Core, Invoker
from localazure.durable.errors import InstanceFinished, InstanceRunning, UnknownInstance, UnknownOrchestrator
from localazure.durable.model import EventType, HistoryEvent, Instance, Status, event
from localazure.durable.orchestrations import Orchestrations
from localazure.durable.store import Store


class TaskHub:
    """All instances of one hub, in the SQLite file at `path` (`None`: in memory)."""

    def __init__(
        self, path: Path | None, invoker: Invoker, clock: Clock, name: str = "TaskHub", *, activities_at_once: int = 100
    ) -> None:
        self.name = name
        self._store = Store(path)
        self._core = Core(self._store, invoker, clock, self._wake)
        self._alarms = Alarms(self._core)
        self._activities = Activities(self._core, activities_at_once)
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

        Raises UnknownOrchestrator, InstanceRunning.
        """
        if not self._core.invoker.has_orchestrator(name):
            raise UnknownOrchestrator(
                f"the function '{name}' doesn't exist, is disabled, or is not an orchestrator function"
            )
        identifier = instance_id or uuid.uuid4().hex
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

    def get(self, instance_id: str) -> Instance:
        """Raises UnknownInstance."""
        instance = self._orchestrations.find(instance_id)
        if instance is None:
            raise UnknownInstance(f"there is no instance with id '{instance_id}'")
        return instance

    def find(
        self, statuses: Sequence[Status] = (), created_from: str = "", created_to: str = "~", prefix: str = ""
    ) -> list[Instance]:
        """Instances without their history, oldest first; the moments are RFC 3339 in UTC."""
        return list(self._store.instances(statuses, created_from, created_to, prefix))

    def purge(self, instance_id: str) -> None:
        """Forget a finished instance. Raises UnknownInstance, InstanceRunning."""
        if not self.get(instance_id).finished:
            raise InstanceRunning(f"instance '{instance_id}' has not finished")
        with self._store.transaction():
            self._store.delete(instance_id)

    def counters(self) -> dict[str, int]:
        """Episodes, activities, history events and bytes since the hub was made."""
        return dict(self._core.counts)

    def _wake(self, identifier: str) -> None:
        self._orchestrations.wake(identifier)

    def _send(self, instance_id: str, message: HistoryEvent) -> None:
        instance = self.get(instance_id)
        if instance.finished:
            raise InstanceFinished(f"instance '{instance_id}' is {instance.status}")
        with self._store.transaction():
            self._store.put_message(instance_id, message)
        self._wake(instance_id)
