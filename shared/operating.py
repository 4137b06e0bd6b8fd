"""What operators see of every service alike: its sagas (`shared.sagas`) and its parked events
(`shared.messaging.parked`).

Each service answers for its own data: nobody else has a right to it. At the gateway one operation is that of all of
them, and its path names whose (`shared.web.endpoint.EACH`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.clock import timestamp
from shared.declaration import ADMIN, STAFF, Scope
from shared.errors import InvalidRequest
from shared.persistence.cosmos import Container, Document
from shared.web.operation import Parameter
from shared.web.paging import decode_cursor, encode_cursor

READ = Scope("operations.read", "See queues, dead letters, parked events, sagas and long tasks", STAFF)
WRITE = Scope("operations.write", "Mend what is stuck: send it again, set it aside, resume, end, cancel", ADMIN)
OLDEST = 1_209_600
"""Seconds of the longest age that is asked for: two weeks, as long as a message lives."""
MIN_AGE = Parameter("min_age_seconds", "Only those that old.", {"type": "integer", "minimum": 0, "maximum": OLDEST})


def read_age(query: Mapping[str, str]) -> int | None:
    """The age asked for, in seconds. Raises InvalidRequest for anything else."""
    text = query.get(MIN_AGE.name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 7 and int(text) <= OLDEST):
        raise InvalidRequest(f"{MIN_AGE.name} must be a whole number of seconds from 0 to {OLDEST}")
    return int(text)


def changed_at(document: Document) -> str:
    """When an item was last written."""
    return timestamp(datetime.fromtimestamp(document["_ts"], UTC))


@dataclass(frozen=True)
class Source:
    """Items of one container for which a condition, a fixed text, holds."""

    container: Container
    condition: str
    given: Mapping[str, Any] = field(default_factory=dict)


async def oldest(
    sources: Sequence[Source], cursor: str | None, scope: str, limit: int
) -> tuple[list[tuple[int, Document]], str | None]:
    """A page of at most `limit` items, source by source, those first that have been as they are for the longest time.

    Each comes with the place of its source; beside them is the next page's cursor. Raises InvalidRequest, Transient.
    """
    position = decode_cursor(cursor, scope)
    first, second, item_id = _read(position) if position else (0, 0, "")
    if first >= len(sources):
        raise InvalidRequest("cursor is not one that this list gave out", code="invalid-cursor")
    found: list[tuple[int, Document]] = []
    for number in range(first, len(sources)):
        after = (second, item_id) if number == first else (0, "")
        items = await _after(sources[number], after, limit + 1 - len(found))
        found += [(number, document) for document in items]
        if len(found) > limit:
            number, last = found[limit - 1]
            return found[:limit], encode_cursor(f"{number} {last['_ts']} {last['id']}", scope)
    return found, None


def _read(position: str) -> tuple[int, int, str]:
    number, _, rest = position.partition(" ")
    second, _, item_id = rest.partition(" ")
    if not (number.isdecimal() and second.isdecimal() and len(number) < 3 and len(second) < 12):
        raise InvalidRequest("cursor is not one that this list gave out", code="invalid-cursor")
    return int(number), int(second), item_id


async def _after(source: Source, after: tuple[int, str], limit: int) -> list[Document]:
    """At most `limit` items behind second and id. The database orders by seconds; within one the id does."""
    second, item_id = after
    found = await _within(source, second, item_id, limit) if second else []
    wanted = limit - len(found)
    if not wanted:
        return found
    query = f"SELECT * FROM c WHERE {source.condition} AND c._ts > @second ORDER BY c._ts"  # noqa: S608 - fixed texts
    later = await source.container.first(query, {**source.given, "@second": second}, wanted)
    if len(later) == wanted:  # the last second may have more of them, and they come in no order
        last = later[-1]["_ts"]
        later = [each for each in later if each["_ts"] < last] + await _within(source, last, "", wanted)
    later.sort(key=lambda document: (document["_ts"], document["id"]))
    return [*found, *later][:limit]


async def _within(source: Source, second: int, after: str, limit: int) -> list[Document]:
    """The items of one second behind an id."""
    condition = f"{source.condition} AND c._ts = @second AND c.id > @after"
    query = f"SELECT * FROM c WHERE {condition} ORDER BY c.id"  # noqa: S608 - fixed texts
    return await source.container.first(query, {**source.given, "@second": second, "@after": after}, limit)
