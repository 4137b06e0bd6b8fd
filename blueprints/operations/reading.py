"""The audit log as it is read and verified."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import msgspec

from blueprints.operations import audit
from blueprints.operations.chain import Head
from blueprints.operations.shapes import EntryView, FindingView, HeadView, VerifiedView, Verify
from shared.clock import timestamp, utc_now
from shared.errors import InvalidRequest
from shared.web.operation import Parameter
from shared.web.paging import Page, decode_cursor, encode_cursor

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DAY = Parameter("day", "A day in UTC.", {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})


async def heads() -> Page[HeadView]:
    """The head of every day."""
    return Page([HeadView(head.day, head.number, head.hash) for head in await audit.heads()], None)


async def entries(day: str | None, cursor: str | None, limit: int) -> Page[EntryView]:
    """Entries of a day by number. Raises InvalidRequest."""
    day = timestamp()[:10] if day is None else _checked(day)
    after = int(decode_cursor(cursor, day) or 0)
    found = [stored async for stored in audit.entries(day, after, limit + 1)]
    items = [EntryView(each.number, each.previous, each.hash, each.text, _read(each.text)) for each in found[:limit]]
    return Page(items, encode_cursor(str(int(found[limit - 1].id)), day) if len(found) > limit else None)


def _read(text: str) -> dict[str, Any]:
    """The entry that a text holds; nothing where somebody has made it another text."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


async def verify(asked: Verify) -> VerifiedView:
    """Raises InvalidRequest."""
    day = _checked(asked.day)
    noted = [Head(head.day, head.number, head.hash) for head in asked.heads]
    count, head, findings = await audit.verified(day, noted)
    return VerifiedView(
        day,
        count,
        None if head is None else HeadView(head.day, head.number, head.hash),
        [FindingView(finding.number, finding.what) for finding in findings],
    )


async def note_heads() -> None:
    """Note today's head and yesterday's, which may still have grown."""
    today = utc_now().date()
    await audit.note_heads(today.isoformat(), (today - timedelta(days=1)).isoformat())


def _checked(day: str) -> str:
    try:
        if not _DAY.fullmatch(day):
            raise ValueError(day)
        date.fromisoformat(day)
    except ValueError as exc:
        raise InvalidRequest("day must be a day such as 2026-11-27") from exc
    return day
