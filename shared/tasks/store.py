"""Long tasks in Cosmos DB: `tasks` by /task_id. What belongs to a task may lie in its partition.

A task goes by its document: each move is one conditional patch, and Durable only sees to it that steps go on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.clock import timestamp, utc_now
from shared.declaration import Container as Declared
from shared.declaration import Service
from shared.errors import Unprocessable
from shared.persistence.cosmos import AlreadyExists, ConditionFailed, Container, replace
from shared.persistence.documents import document_of, read_as, readable
from shared.tasks.task import ENDED, OPEN, Progress, Task, TaskProblem, moved
from shared.web.paging import Page, decode_cursor, encode_cursor

NAME = "tasks"
INDEXED = ("type", "kind", "owner", "status", "sort_key")
MAX_ATTEMPTS = 5
"""Attempts at a move that somebody else's move comes between."""


def container(*, writes: tuple[Any, ...] = ("create", "patch")) -> Declared:
    """The container that a service with long tasks declares."""
    return Declared(NAME, "task_id", indexed=INDEXED, expires=True, writes=writes)


@dataclass(frozen=True)
class Tasks:
    """The tasks of one service."""

    container: Container

    @classmethod
    def of(cls, service: Service) -> Tasks:
        """Raises Undeclared."""
        return cls(Container.of(service, NAME))

    async def add(self, task: Task) -> Task:
        """Write a new task, or find it where it was written before.

        Raises Unprocessable where the same key has started another.
        """
        try:
            await self.container.create(
                document_of(task, task_id=task.id, type="task", sort_key=f"{task.created_at} {task.id}")
            )
        except AlreadyExists:
            known = await self.read(task.id)
            if known is None or known.given != task.given:
                raise Unprocessable(
                    "this Idempotency-Key was used for another request", code="idempotency-key-reused"
                ) from None
            return known
        return task

    async def read(self, task_id: str) -> Task | None:
        """Raises Unreadable."""
        document = await self.container.read(task_id, task_id)
        return None if document is None else read_as(self.container, document, Task)

    async def progressed(self, task: Task, progress: Progress, state: dict[str, Any]) -> Task:
        """Note what a step has done. Raises IllegalTransition for a task that has ended."""
        return await self._moved(task, "step", progress=progress, state=state)

    async def cancel(self, task: Task) -> Task:
        """Ask it to stop before its next step. Raises IllegalTransition for a task that has ended."""
        return await self._moved(task, "cancel")

    async def end(
        self,
        task: Task,
        what: str,
        progress: Progress | None = None,
        result: dict[str, Any] | None = None,
        problem: TaskProblem | None = None,
    ) -> Task:
        """`what`: complete, stop or fail. Raises IllegalTransition for a task that has ended."""
        return await self._moved(task, what, progress=progress or task.progress, result=result, problem=problem)

    async def page(self, owner: str | None, status: str | None, cursor: str | None, limit: int) -> Page[Task]:
        """Tasks from the newest on. Raises InvalidRequest for a cursor of another list."""
        scope = msgspec.json.encode([owner, status]).decode()
        conditions, parameters = ["c.type = 'task'"], {}
        for name, value in (("owner", owner), ("status", status), ("after", decode_cursor(cursor, scope))):
            if value is not None:
                conditions.append("c.sort_key < @after" if name == "after" else f"c.{name} = @{name}")
                parameters[f"@{name}"] = value
        query = f"SELECT * FROM c WHERE {' AND '.join(conditions)} ORDER BY c.sort_key DESC"  # noqa: S608 - fixed texts
        found = await self.container.first(query, parameters, limit + 1)
        documents, more = found[:limit], len(found) > limit
        return Page(
            list(readable(self.container, documents, Task)),
            encode_cursor(documents[-1]["sort_key"], scope) if more else None,
        )

    async def idle(self, seconds: float) -> AsyncIterator[Task]:
        """Open tasks that nothing has happened to for so long."""
        async for task in self._older(OPEN, seconds):
            yield task

    async def over(self, seconds: float) -> AsyncIterator[Task]:
        """Tasks that ended so long ago."""
        async for task in self._older(ENDED, seconds):
            yield task

    async def _older(self, statuses: tuple[str, ...], seconds: float) -> AsyncIterator[Task]:
        query = (
            "SELECT * FROM c WHERE c.type = 'task' AND ARRAY_CONTAINS(@statuses, c.status) AND c._ts < @before "
            "AND NOT IS_DEFINED(c.ttl)"
        )
        parameters = {"@statuses": list(statuses), "@before": int(utc_now().timestamp() - seconds)}
        async for document in self.container.query(query, parameters):
            for task in readable(self.container, [document], Task):
                yield task

    async def claim(self, name: str, task_id: str) -> str:
        """Let this task have what is called so, unless another open task has it; the id of the task that has it."""
        document = {"id": name, self.container.partition_key: name, "type": "claim", "holder": task_id}
        try:
            await self.container.create(document)
            return task_id
        except AlreadyExists:
            pass
        known = await self.container.read(name, name)
        if known is None or known["holder"] == task_id:
            return task_id
        holder = await self.read(known["holder"])
        if holder is not None and holder.is_open:
            return holder.id
        try:
            await self.container.batch(name, [replace(document, known["_etag"])])
        except ConditionFailed:
            return await self.holder_of(name)
        return task_id

    async def holder_of(self, name: str) -> str:
        """The id of the task that has what is called so; empty where none ever had."""
        known = await self.container.read(name, name)
        return "" if known is None else str(known["holder"])

    async def forget(self, task: Task) -> None:
        """Let the database remove the task. What lies beside it has a time to live of its own."""
        await self.container.patch(task.id, task.id, [{"op": "set", "path": "/ttl", "value": 1}])

    async def _moved(self, task: Task, what: str, **fields: Any) -> Task:
        """One conditional patch; what the task is then. Raises IllegalTransition, ConditionFailed."""
        for _ in range(MAX_ATTEMPTS):
            status, now = moved(task, what), timestamp()
            changed = msgspec.structs.replace(task, status=status, updated_at=now, **fields)
            document = document_of(changed)
            names = ("status", "updated_at", *fields)
            changes = [{"op": "set", "path": f"/{name}", "value": document[name]} for name in names]
            try:
                await self.container.patch(task.id, task.id, changes, f"from c where c.status = '{task.status}'")
            except ConditionFailed:
                task = await self.read(task.id) or task
                continue
            return changed
        raise ConditionFailed(f"task {task.id} keeps changing")
