"""The `timespan` of a query: ISO 8601, as a duration until now, or two of start, end and duration.

Source: the query API's reference, "timespan"; `PT1H`, `P2D`, `<start>/<end>`, `<start>/<duration>`, `<duration>/<end>`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from localazure.insights.errors import BadArgument
from localazure.insights.store import Period

_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?=.)(?:(\d{1,7})H)?(?:(\d{1,9})M)?(?:(\d{1,10}(?:\.\d{1,6})?)S)?)?"
)


def period(text: str | None, now: datetime) -> Period:
    """From and until, UTC without a zone. Raises BadArgument."""
    if not text:
        return None, None
    first, slash, second = text.partition("/")
    try:
        if not slash:
            return _naive(now - _duration(first)), None
        if first.startswith("P"):
            until = _moment(second)
            return _naive(until - _duration(first)), _naive(until)
        since = _moment(first)
        return _naive(since), _naive(since + _duration(second) if second.startswith("P") else _moment(second))
    except (ValueError, OverflowError):
        raise BadArgument(f"The timespan {text[:100]!r} is not one of ISO 8601") from None


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    weeks, days, hours, minutes, seconds = (float(group or 0) for group in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
