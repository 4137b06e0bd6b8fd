"""Exports in Cosmos DB: the export lies beside its account in `accounts`, what the services told for it in `exports`.

What they told is sealed for the export's own key. Once the export is gone nobody can read it, wherever it still lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from blueprints.accounts.declaration import SERVICE
from blueprints.accounts.domain import Account, Export
from blueprints.accounts.store import ACCOUNTS, written
from shared.acting import record_act
from shared.contracts.event import EventData
from shared.contracts.personal_data import ExportAnswered
from shared.persistence.cosmos import AlreadyExists, Container, Document, ItemNotFound, Operation, create, replace
from shared.persistence.documents import document_of, read_as
from shared.persistence.outbox import enqueue_event

EXPORTS = Container.of(SERVICE, "exports")

MAX_LIFE = 30 * 24 * 3600
"""Seconds that an export which does not come to its end is kept, with what was told for it: its owner may then ask
anew."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of what a service told. `sealed` is the text of all its parts, put together."""

    service: str
    number: int
    parts: int
    sealed: str


async def get(account_id: str, export_id: str) -> tuple[Export, str] | None:
    """An export of that account, and its ETag."""
    document = await ACCOUNTS.read(export_id, account_id)
    return None if document is None else (read_as(ACCOUNTS, document, Export), document["_etag"])


async def add(account: Account, etag: str | None, export: Export, event: EventData) -> None:
    """Write a new export, the account that points to it, and the event that asks the services.

    `etag`: that of the account, `None` for a new one. Raises ConditionFailed, ItemNotFound or AlreadyExists where
    someone else was faster.
    """
    writes = [written(account, etag), create(_document(export, MAX_LIFE)), _tell(export, event, 1)]
    await ACCOUNTS.batch(account.id, writes)


async def end(export: Export, etag: str, keep_seconds: int, event: EventData | None) -> None:
    """Write that an export is over, for so long, and the event that tells of it, if any.

    Where an operator ends it, that is recorded. Raises ConditionFailed or ItemNotFound.
    """
    outbox: list[Operation] = []
    if event is not None:
        act = record_act(ACCOUNTS, export.account_id, export.id, {"status": "gathering"}, {"status": export.status})
        outbox = [_tell(export, event, export.version), *act]
    await ACCOUNTS.batch(export.account_id, [replace(_document(export, keep_seconds), etag), *outbox])


async def republish_overdue(export: Export, event: EventData, number: int) -> None:
    """Put the event that asks the services, for the `number`-th time, into the outbox, unless it is there already."""
    with suppress(AlreadyExists):
        await ACCOUNTS.batch(export.account_id, [_tell(export, event, number)])


async def record(service: str, export_id: str, event: Sequence[ExportAnswered]) -> None:
    """Keep these parts of what a service told, all or none: what is there already stays, and was told as one."""
    parts = [Part(service, each.part, each.parts, each.sealed) for each in event]
    documents = [document_of(part, id=f"{service}:{part.number}", export_id=export_id, ttl=MAX_LIFE) for part in parts]
    with suppress(AlreadyExists):
        await EXPORTS.batch(export_id, [create(document) for document in documents])


async def answered(export_id: str) -> frozenset[str]:
    """The services whose every part is there."""
    query = "SELECT c.service, c.number, c.parts FROM c"
    there: dict[str, set[int]] = {}
    whole: dict[str, int] = {}
    async for document in EXPORTS.query(query, {}, key=export_id):
        there.setdefault(document["service"], set()).add(document["number"])
        whole[document["service"]] = document["parts"]
    return frozenset(service for service, numbers in there.items() if len(numbers) == whole[service])


async def told(export_id: str) -> Mapping[str, str]:
    """What each service told, sealed: of those whose every part is there."""
    found: dict[str, list[Part]] = {}
    async for document in EXPORTS.query("SELECT * FROM c", {}, key=export_id):
        part = read_as(EXPORTS, document, Part)
        found.setdefault(part.service, []).append(part)
    return {
        service: "".join(part.sealed for part in sorted(parts, key=lambda part: part.number))
        for service, parts in sorted(found.items())
        if len(parts) == parts[0].parts
    }


async def keep_parts(export_id: str, seconds: int) -> None:
    """Have what was told deleted after so many seconds from now."""
    parts = [document["id"] async for document in EXPORTS.query("SELECT c.id FROM c", {}, key=export_id)]
    changes: list[dict[str, Any]] = [{"op": "set", "path": "/ttl", "value": seconds}]
    for part in parts:
        with suppress(ItemNotFound):
            await EXPORTS.patch(part, export_id, changes)


def _document(export: Export, seconds: int) -> Document:
    return document_of(export, kind="export", ttl=seconds)


def _tell(export: Export, event: EventData, version: int) -> Operation:
    return enqueue_event(ACCOUNTS, export.account_id, event, version=version, subject=export.id)
