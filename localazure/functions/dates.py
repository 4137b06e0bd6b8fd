"""Dates in JSON as Newtonsoft.Json has them, which the host and its extensions use.

It takes every string that is a full date-time for a date and writes it again: `…45.920Z` becomes `…45.92Z`, and a time
with an offset is turned into local time, which is UTC here. Source: Newtonsoft.Json 13, `DateTimeParser` and
`DateTimeUtils`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1)
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,7}+))?"
    r"(?:([Zz])|(?:([+-])([0-9]{2}))?(?::([0-9]{2})?|([0-9]{2}))?)"
)
_SETTLED = r"[0-9-]{10}T(?!24)[0-9:]{8}(?:\.[0-9]{0,6}[1-9])?Z?"
"""What stays as it is whether it is a date or not: in UTC or without a zone, no zero at the end of the fraction."""
_MICROSOFT = re.compile(r"/Date\((-?[0-9]{1,18})(?:([+-])([0-9]{2})([0-9]{2})?)?\)/")
_MAX_LENGTH = 40
"""Characters: a longer string is never a date."""
# An opening quote has no backslash before it, and a member's name has a colon after it. What follows a quote is looked
# at first: few strings begin like a date.
_OPENING = r'"(?=[0-9/])(?<!\\")'
_STRING = r'((?:[0-9]{4}-[0-9]{2}-[0-9]{2}T|/Date\()[^"\\]*)"(?!\s*:)'
_STRINGS = re.compile(_OPENING + _STRING)
_UNSETTLED = re.compile(f'{_OPENING}(?!{_SETTLED}"){_STRING}')


@dataclass(frozen=True)
class Date:
    """A date as it was read: what the clock showed, ten-millionths of the second, and the zone that was written."""

    shown: datetime
    ticks: int
    utc: bool
    offset: timedelta | None

    def text(self) -> str:
        """As a DateTime is written again."""
        if self.offset is None:
            return self._written(self.shown) + ("Z" if self.utc else "")
        return self._written(_within(self.shown, self.offset)) + "+00:00"

    def text_with_offset(self) -> str:
        """As a DateTimeOffset is written again: what was written stays, and UTC is an offset too."""
        minutes = 0 if self.offset is None else round(self.offset.total_seconds() / 60)
        return (
            f"{self._written(self.shown)}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
        )

    def american(self) -> str:
        """As a DateTime is turned into text in .NET's invariant culture."""
        moment = self.shown if self.offset is None else _within(self.shown, self.offset)
        return f"{moment:%m/%d/}{moment.year:04d}{moment: %H:%M:%S}"

    def _written(self, moment: datetime) -> str:
        fraction = f"{self.ticks:07d}".rstrip("0")
        return moment.isoformat() + (f".{fraction}" if fraction else "")


def date(text: str) -> Date | None:
    """The date that a string is taken for; None for other strings."""
    if len(text) > _MAX_LENGTH:
        return None
    if match := _ISO.fullmatch(text):
        return _iso(match)
    return _microsoft(match) if (match := _MICROSOFT.fullmatch(text)) else None


def dates_rewritten(text: str, *, keep_offsets: bool = False) -> str:
    """A JSON text with the strings that are dates as they are written again; member names stay."""

    def again(match: re.Match[str]) -> str:
        found = date(match[1])
        if found is None:
            return match[0]
        return f'"{found.text_with_offset() if keep_offsets else found.text()}"'

    return (_STRINGS if keep_offsets else _UNSETTLED).sub(again, text)


def _iso(match: re.Match[str]) -> Date | None:
    numbers = [int(match[place]) for place in range(1, 7)]
    fraction, zulu, sign, hours = match[7] or "", match[8], match[9], match[10]
    year, month, day, hour, minute, second = numbers
    whole_day = hour == 24 and not minute and not second and not int(fraction or 0)
    try:
        shown = datetime(year, month, day, 0 if whole_day else hour, minute, second)
        shown += timedelta(days=1 if whole_day else 0)
    except (ValueError, OverflowError):
        return None
    offset = None
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(match[11] or match[12] or 0))
        offset = -offset if sign == "-" else offset
    return Date(shown, int(fraction.ljust(7, "0")), zulu is not None, offset)


def _microsoft(match: re.Match[str]) -> Date | None:
    since, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0)) if sign else None
    offset = -offset if offset is not None and sign == "-" else offset
    seconds, rest = divmod(int(since), 1000)
    try:
        shown = _EPOCH + timedelta(seconds=seconds) + (offset or timedelta())
    except OverflowError:
        return None
    return Date(shown, rest * 10_000, offset is None, offset)


def _within(shown: datetime, offset: timedelta) -> datetime:
    """The moment in UTC, or the first or last one there is."""
    try:
        return (shown.replace(tzinfo=UTC) - offset).replace(tzinfo=None)
    except OverflowError:
        return datetime.max.replace(microsecond=0) if offset < timedelta() else datetime.min
