"""Operations in Cosmos DB.

`tasks` by /task_id       long tasks; beside a redrive the fate of each dead letter that it has sent, and for each
                          subscription which task may redrive it
`set-aside` by /queue     dead letters that were taken out of their queue, with the reason
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from blueprints.operations.declaration import SERVICE
from blueprints.operations.domain import Fate
from shared.messaging.dead_letters import Letter
from shared.persistence.cosmos import Container, create, patch
from shared.persistence.documents import document_of, readable
from shared.settings import TASK_KEEP_SECONDS, settings
from shared.tasks.store import NAME, Tasks

TASKS = Tasks.of(SERVICE)
ITEMS = Container.of(SERVICE, NAME)
SET_ASIDE = Container.of(SERVICE, "set-aside")
TOGETHER = 100
"""Operations of a batch."""
LONGER = 24 * 3600
"""Seconds that fates outlive the task that they belong to."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter that a task has sent again."""

    number: int
    event_id: str
    event_type: str
    subject: str
    fate: Fate


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter out of its queue. `why`: the operator's words. `body` is base64."""

    dead_letter_id: str
    topic: str
    subscription: str
    event_id: str
    event_type: str
    subject: str
    reason: str
    enqueued_at: str
    why: str
    by: str
    at: str
    body: bytes


async def noted(task_id: str, numbers: Collection[int]) -> set[int]:
    """Those of the numbers that the task has noted as sent."""
    query = "SELECT c.number FROM c WHERE c.type = 'fate' AND ARRAY_CONTAINS(@ids, c.id)"
    parameters = {"@ids": [str(number) for number in numbers]}
    return {int(found["number"]) async for found in ITEMS.query(query, parameters, key=task_id)}


async def note_sent(task_id: str, letters: Sequence[Letter]) -> None:
    """Note dead letters, at most `TOGETHER`, as sent again. Raises AlreadyExists."""
    keep = int(settings().seconds(TASK_KEEP_SECONDS)) + LONGER
    documents = [
        document_of(
            Sent(
                number=letter.number,
                event_id=letter.event_id,
                event_type=letter.event_type,
                subject=letter.subject,
                fate="sent",
            ),
            id=str(letter.number),
            task_id=task_id,
            type="fate",
            sort_key=f"{letter.number:020}",
            ttl=keep,
        )
        for letter in letters
    ]
    await ITEMS.batch(task_id, [create(document) for document in documents])


async def note_fates(task_id: str, fates: Mapping[int, Fate]) -> None:
    """Note what became of dead letters that were sent again."""
    numbers = list(fates)
    for start in range(0, len(numbers), TOGETHER):
        operations = [
            patch(str(number), [{"op": "set", "path": "/fate", "value": fates[number]}])
            for number in numbers[start : start + TOGETHER]
        ]
        await ITEMS.batch(task_id, operations)


async def count_sent(task_id: str) -> int:
    query = "SELECT VALUE COUNT(1) FROM c WHERE c.type = 'fate'"
    counts: list[Any] = [count async for count in ITEMS.query(query, {}, key=task_id)]
    return sum(int(count) for count in counts)


async def sent(task_id: str, after: str | None, limit: int) -> list[Sent]:
    """At most `limit` dead letters that the task has sent, by number, after the number `after`."""
    condition = "" if after is None else " AND c.sort_key > @after"
    query = f"SELECT * FROM c WHERE c.type = 'fate'{condition} ORDER BY c.sort_key"  # noqa: S608 - fixed texts
    parameters = {} if after is None else {"@after": f"{int(after):020}"}
    return list(readable(ITEMS, await ITEMS.first(query, parameters, limit, task_id), Sent))


async def set_aside(kept: SetAside) -> None:
    """Keep a dead letter. Raises AlreadyExists."""
    document = document_of(
        kept,
        id=kept.dead_letter_id,
        queue=f"{kept.topic}.{kept.subscription}",
        sort_key=f"{kept.at} {kept.dead_letter_id}",
    )
    await SET_ASIDE.create(document)


async def find_set_aside(dead_letter_id: str, queue: str) -> SetAside | None:
    """Raises Unreadable."""
    document = await SET_ASIDE.read(dead_letter_id, queue)
    return next(iter(readable(SET_ASIDE, [] if document is None else [document], SetAside)), None)


async def page_set_aside(after: str | None, limit: int) -> list[tuple[str, SetAside]]:
    """What is set aside, the latest first, with the place of each in the list; at most `limit`, after the place."""
    condition = "" if after is None else " WHERE c.sort_key < @after"
    query = f"SELECT * FROM c{condition} ORDER BY c.sort_key DESC"  # noqa: S608 - fixed texts
    documents = await SET_ASIDE.first(query, {} if after is None else {"@after": after}, limit)
    return [(str(each["sort_key"]), kept) for each in documents for kept in readable(SET_ASIDE, [each], SetAside)]
