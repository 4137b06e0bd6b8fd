"""The audit log: every privileged act once, in a chain of its day.

`audit` by /day: an entry under its number, `seen:…` for each act that is in, and `head`. An append is one batch that
creates the entries and moves the head by its ETag: of two that append at the same moment one is first, and the other
goes behind it. Those that wait in one process are appended together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec

from blueprints.operations import chain
from blueprints.operations.chain import Finding, Head, Link
from blueprints.operations.declaration import SERVICE
from shared.acting import Actor
from shared.backoff import pauses
from shared.clock import timestamp
from shared.contracts.audit import ActRecorded
from shared.contracts.event import Event
from shared.errors import Contention
from shared.persistence.cosmos import AlreadyExists, ConditionFailed, Container, Document, Operation, create, replace
from shared.persistence.documents import readable
from shared.telemetry import trace
from shared.telemetry.log import Log
from shared.turns import Turns

AUDIT = Container.of(SERVICE, "audit")
TOGETHER = 40
"""Acts of one batch, which takes 100 operations: two for each, and the head."""
MAX_ATTEMPTS = 20
"""Attempts at an append that another process comes between."""
FIRST_PAUSE, MAX_PAUSE = 0.01, 0.5
"""Seconds, at most, that one waits who was not first: without a rest the slowest writer is never the first."""

log = Log("operations")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One privileged act. `id` names it once and for all; `source` is the service that did it."""

    id: str
    source: str
    at: str
    trace_id: str
    act: ActRecorded


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it lies in the store. `text` is the entry's JSON, which the hash is of."""

    id: str
    day: str
    number: int
    previous: str
    text: str
    hash: str

    @property
    def link(self) -> Link:
        return Link(self.day, self.number, self.previous, self.text, self.hash)


async def heard(event: Event, data: ActRecorded) -> None:
    """Another service tells of a privileged act. Raises Transient."""
    told = trace.parse(event.traceparent)
    source = event.source.removeprefix("/")
    await append(
        Entry(
            id=f"{source}/{event.id}",
            source=source,
            at=event.time,
            trace_id=told.trace_id if told else "",
            act=data,
        )
    )


async def intend(actor: Actor, act_id: str, target: str, after: dict[str, Any]) -> None:
    """Write down an act of this service before it is done: nothing is done that is not in the log. Raises Transient."""
    await append(
        Entry(
            id=f"{SERVICE.name}/{act_id}",
            source=SERVICE.name,
            at=timestamp(),
            trace_id=trace.current().trace_id,
            act=actor.recorded(target, {}, after),
        )
    )


class _Appending:
    """The acts that wait in this process, by day."""

    def __init__(self) -> None:
        self._turns = Turns()
        self._waiting: dict[str, list[tuple[Entry, asyncio.Future[None]]]] = {}

    async def append(self, day: str, entry: Entry) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(day, []).append((entry, done))
        async with self._turns.of(day):
            while not done.done():
                some, self._waiting[day] = self._waiting[day][:TOGETHER], self._waiting[day][TOGETHER:]
                await self._together(day, some)
            if not self._waiting.get(day):
                self._waiting.pop(day, None)
        await done

    @staticmethod
    async def _together(day: str, some: Sequence[tuple[Entry, asyncio.Future[None]]]) -> None:
        try:
            await _write(day, [entry for entry, _ in some])
        except Exception as exc:
            for _, done in some:
                if not done.done():
                    done.set_exception(exc)
            return
        for _, done in some:
            if not done.done():
                done.set_result(None)


_appending = _Appending()
_noted: dict[str, Head] = {}
"""What this process has told the second place: nothing is told twice where nothing has changed."""


async def append(entry: Entry) -> None:
    """Put an act into the chain of its day, unless it is there already. Raises Transient."""
    await _appending.append(entry.at[:10], entry)


async def _write(day: str, entries: Sequence[Entry]) -> None:
    for pause in islice(pauses(FIRST_PAUSE, MAX_PAUSE), MAX_ATTEMPTS):
        present = await AUDIT.read("head", day)
        head = None if present is None else _head(present)
        known = await _seen(day, [entry.id for entry in entries])
        new = list({entry.id: entry for entry in entries if entry.id not in known}.values())
        if not new:
            return
        texts = [msgspec.json.encode(entry, order="deterministic").decode() for entry in new]
        links = chain.chained(day, head, texts)
        operations: list[Operation] = [create(_document(each)) for each in links]
        operations += [create({"id": _seen_id(entry.id), "day": day, "type": "seen"}) for entry in new]
        moved = {"id": "head", "day": day, "type": "head", "number": links[-1].number, "hash": links[-1].hash}
        operations.append(create(moved) if present is None else replace(moved, present["_etag"]))
        try:
            await AUDIT.batch(day, operations)
        except (AlreadyExists, ConditionFailed):
            await asyncio.sleep(pause)
            continue
        log.info("audit.appended", day=day, number=links[-1].number, count=len(links))
        return
    raise Contention("the audit log keeps growing", retry_after=1)


async def _seen(day: str, ids: Iterable[str]) -> set[str]:
    wanted = {_seen_id(each): each for each in ids}
    query = "SELECT c.id FROM c WHERE ARRAY_CONTAINS(@ids, c.id)"
    found = AUDIT.query(query, {"@ids": list(wanted)}, key=day)
    return {wanted[document["id"]] async for document in found}


def _seen_id(entry_id: str) -> str:
    """A slash is a sign that no id may have."""
    return "seen:" + entry_id.replace("/", "|")


def _head(document: Document) -> Head:
    return Head(str(document["day"]), int(document["number"]), str(document["hash"]))


def _document(each: Link) -> Document:
    return {
        "id": chain.place(each.number),
        "day": each.day,
        "type": "entry",
        "number": each.number,
        "previous": each.previous,
        "text": each.text,
        "hash": each.hash,
    }


async def entries(day: str, after: int = 0, limit: int | None = None) -> AsyncIterator[Stored]:
    """The entries of a day by their place, after the number `after`, at most `limit`."""
    query = "SELECT * FROM c WHERE c.type = 'entry' AND c.id > @after ORDER BY c.id"
    count = 0
    async for document in AUDIT.query(query, {"@after": chain.place(after)}, key=day, limit=limit):
        for stored in readable(AUDIT, [document], Stored):
            yield stored
        count += 1
        if count == limit:
            return


async def head_of(day: str) -> Head | None:
    """How far the day's chain has come, as the store says."""
    document = await AUDIT.read("head", day)
    return None if document is None else _head(document)


async def verified(day: str, noted: Iterable[Head] = ()) -> tuple[int, Head | None, list[Finding]]:
    """How many entries the day has, its head, and what is wrong with its chain."""
    head = await head_of(day)
    stored = [(each.id, each.link) async for each in entries(day)]
    return len(stored), head, chain.verify(day, stored, head, noted)


async def heads() -> list[Head]:
    """The head of every day."""
    query = "SELECT * FROM c WHERE c.type = 'head'"
    return sorted([_head(document) async for document in AUDIT.query(query, {})], key=lambda head: head.day)


async def note_heads(day: str, before: str) -> None:
    """Tell the second place how far the chains of two days have come: the log, whose records this service cannot
    change or remove once they are told."""
    for each in (before, day):
        head = await head_of(each)
        if head is not None and _noted.get(each) != head:
            log.info("audit.head", day=head.day, number=head.number, hash=head.hash)
            _noted[each] = head
    for old in _noted.keys() - {before, day}:
        del _noted[old]
