"""How a service tells what it holds of a person: all of it in one write, sealed, in parts that an event can carry.

What is sealed is JSON, compressed: `{"complete": …, "files": {name: [what the API shows, …]}}`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from shared.contracts.accounts import ExportStarted
from shared.contracts.event import EventData
from shared.contracts.personal_data import ExportAnswered, ExportListed
from shared.messaging.republish import republish_all
from shared.patterns import whole
from shared.persistence.cosmos import AlreadyExists, Container
from shared.persistence.outbox import enqueue_event
from shared.sealing import open_with, seal_for
from shared.telemetry.log import Log

MAX_ITEMS = 1_000
"""Items of a kind that a service reads for one person, the newest first: what it can read before its message's lock
is over."""
PART = 100_000
"""Characters of sealed text in one event: an event may have 256 KB."""
MAX_PARTS = 5
"""Parts of one service's answer: half a megabyte, of the two that a batch may have, is some 4 MB of JSON, and costs
2,000 request units; more at once would hold up the shop's own writes."""
MAX_AMOUNT = 16 * 1024 * 1024
"""Bytes of JSON of one answer: nothing larger is taken apart."""

Name = Annotated[str, msgspec.Meta(pattern=whole("[a-z]{1,40}"))]


class Unreadable(ValueError):
    """What is to be taken apart was not packed by `pack`."""


class Held(msgspec.Struct, frozen=True):
    """What a service holds of a person, by file. `complete`: that is all of it, and not the newest alone."""

    files: dict[Name, list[Any]]
    complete: bool = True


async def answer(
    container: Container, asked: ExportStarted | ExportListed, held: Held, also: Sequence[EventData] = ()
) -> None:
    """Tell what is held, and `also` the rest, through the outbox of `container`: all of it in one batch, or nothing.

    The first answer counts: who is asked again has not been heard, so tells the same again. Raises Transient.
    """
    try:
        told: list[EventData] = [*parts_of(asked, held, container.database), *also]
        key = asked.export_id
        await container.batch(key, [enqueue_event(container, key, data, version=_version(data)) for data in told])
    except AlreadyExists:
        await republish_all(container, asked.export_id)


def parts_of(asked: ExportStarted | ExportListed, held: Held, service: str) -> list[ExportAnswered]:
    """The events that tell what is held; of what is too much for them the first half, as often as it takes."""
    sealed = seal_for(pack(held), asked.key)
    while len(sealed) > PART * MAX_PARTS:
        held = _less(held)
        sealed = seal_for(pack(held), asked.key)
    if not held.complete:
        Log(service).warning("export.cut", export_id=asked.export_id)
    texts = [sealed[start : start + PART] for start in range(0, len(sealed), PART)]
    return [
        ExportAnswered(
            export_id=asked.export_id, account_id=asked.account_id, part=number, parts=len(texts), sealed=text
        )
        for number, text in enumerate(texts, start=1)
    ]


def held(**files: Sequence[Any]) -> Held:
    """What was read of each kind, the newest first: one more than `MAX_ITEMS` says that there is more."""
    kept = {name: list(items[:MAX_ITEMS]) for name, items in files.items()}
    return Held(kept, complete=all(len(items) <= MAX_ITEMS for items in files.values()))


def pack(held: Held) -> bytes:
    return zlib.compress(msgspec.json.encode(held))


def unpack(packed: bytes) -> Held:
    """What was packed. Raises Unreadable, also for what would be larger than `MAX_AMOUNT`."""
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(packed, MAX_AMOUNT)
        if unpacking.unconsumed_tail or not unpacking.eof:
            raise Unreadable("it is larger than an answer may be, or a part of it is missing")
        return msgspec.json.decode(text, type=Held)
    except (zlib.error, msgspec.MsgspecError) as exc:
        raise Unreadable("it was not packed here") from exc


def opened(sealed: str, key: str) -> Held:
    """What was sealed for the export whose private key is `key`. Raises Broken, Unreadable."""
    return unpack(open_with(sealed, key))


def _less(held: Held) -> Held:
    """The newer half of each file. What is one item is left out: nothing is told in half."""
    files: Mapping[str, list[Any]] = held.files
    return Held({name: items[: len(items) // 2] for name, items in files.items()}, complete=False)


def _version(data: EventData) -> int:
    return data.part if isinstance(data, ExportAnswered) else 1
