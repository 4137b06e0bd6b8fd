"""Entities: each reads its inbox a batch at a time, one operation after the other, never two batches at once.

The messages a batch read, the state after it and the answers it gave are one transaction: whatever the function
did before the process died without that transaction is done again, upon the state before it.
"""

from __future__ import annotations

import json
import logging
import uuid

from localazure.durable import entity
from localazure.durable.core import Core
from localazure.durable.entity import Answer, Caller, Entity, EntityId, Request
from localazure.durable.errors import UnknownEntity
from localazure.durable.ids import check_entity
from localazure.durable.leases import LeaseLost
from localazure.durable.model import EventType, HistoryEvent, event
from localazure.durable.store import Store

log = logging.getLogger("localazure.durable")

MAX_BATCH = 50
"""Operations: `maxEntityOperationBatchSize` of the consumption plan."""


class Entities:
    """All entities of a hub."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store: Store = core.store
        self._busy: set[str] = set()

    def signal(self, target: EntityId, operation: str, input_: str | None) -> None:
        """Ask for an operation and wait for nothing. Raises InvalidId, UnknownEntity."""
        check_entity(target)
        if not self._core.has("entity", target.name):
            raise UnknownEntity(self._core.unknown("entity", target.name.lower()))
        request = entity.request(str(uuid.uuid4()), operation, input_, None, signal=True)
        with self._store.transaction():
            self._core.post(str(target), request)
        self._core.wake(str(target))

    def wake(self, identifier: str) -> None:
        """Let the entity read its messages, unless it is at it."""
        if self._core.open and identifier not in self._busy:
            self._busy.add(identifier)
            self._core.spawn(self._run(identifier))

    def busy(self, partition: int) -> bool:
        """Whether an entity of that partition is reading its messages."""
        return any(self._core.leases.number(identifier) == partition for identifier in self._busy)

    async def _run(self, identifier: str) -> None:
        try:
            while self._core.open and await self._batch(identifier):
                pass
        except LeaseLost as exc:
            log.warning("%s", exc)
        except Exception:
            log.exception("entity %s cannot go on", identifier)
        finally:
            self._busy.discard(identifier)

    async def _batch(self, identifier: str) -> bool:
        """Do what has been asked. False: nothing had."""
        if not self._core.leases.reads(identifier):
            return False
        grip = self._core.leases.grip(identifier)
        messages = self._store.messages(identifier, self._core.clock.time(), MAX_BATCH)
        if not messages:
            return False
        now = self._core.now()
        before = self._store.entity(EntityId.parse(identifier))
        requests: list[Request] = [message for _, message in messages]
        state, answers = await self._answers(before, requests)
        self._core.counts["entity_operations"] += len(requests)
        answered: list[Caller] = []
        with self._core.committing(identifier, grip):
            self._store.take_messages(seq for seq, _ in messages)
            self._store.save_entity(Entity(before.id, state, now))
            for request, answer in zip(requests, answers, strict=True):
                caller = entity.caller(request)
                if caller is not None and self._store.execution(caller.instance_id) == caller.execution_id:
                    self._core.post(caller.instance_id, _answered(request, answer, now))
                    answered.append(caller)
        for caller in answered:
            self._core.wake(caller.instance_id)
        return True

    async def _answers(self, before: Entity, requests: list[Request]) -> tuple[str | None, list[Answer]]:
        try:
            return entity.read(before, await self._core.invoker.entity(before.id.name, entity.batch(before, requests)))
        except Exception as exc:  # whatever kept the function from answering at all
            log.exception("the entity function of %s failed as a whole", before.id)
            reason = f"Entity function '{before.id.name}' failed: {exc}"
            return before.state, [Answer(json.dumps(reason), failed=True)] * len(requests)


def _answered(request: Request, answer: Answer, now: str) -> HistoryEvent:
    return event(EventType.EVENT_RAISED, now, Name=request["id"], Input=answer.event_input())
