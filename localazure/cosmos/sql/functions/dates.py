"""Functions of dates and times: ISO 8601 texts in UTC, with seven decimals, and numbers since the Unix epoch.

Inside, a moment is a number of ticks (100 ns) since the Unix epoch.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from localazure.cosmos.sql.functions.kinds import Function, strings, whole
from localazure.cosmos.sql.values import UNDEFINED, is_number

TICKS = 10_000_000
"""A second's."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?)?Z?")
_NAMES = {
    "year": ("year", "yyyy", "yy"),
    "month": ("month", "mm", "m"),
    "day": ("day", "dd", "d"),
    "hour": ("hour", "hh"),
    "minute": ("minute", "mi", "n"),
    "second": ("second", "ss", "s"),
    "millisecond": ("millisecond", "ms"),
    "microsecond": ("microsecond", "mcs"),
    "nanosecond": ("nanosecond", "ns"),
}
_PARTS = {name: part for part, names in _NAMES.items() for name in names}
_LENGTHS = {
    "day": 86_400 * TICKS,
    "hour": 3_600 * TICKS,
    "minute": 60 * TICKS,
    "second": TICKS,
    "millisecond": 10_000,
    "microsecond": 10,
}
_EARLIEST_BIN = -11_644_473_600 * TICKS
"""The year 1601."""


def parse(text: str) -> int | None:
    """Ticks; `None` for what is no date."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(group or 0) for group in match.groups()[:6])
    return _ticks(year, month, day, hour, minute, second, int((match[7] or "").ljust(7, "0")))


def render(ticks: int) -> Any:
    """The text; undefined outside of the years 1 to 9999."""
    moment = _moment(ticks)
    if moment is None:
        return UNDEFINED
    return f"{moment.year:04}-{moment:%m-%dT%H:%M:%S}.{ticks % TICKS:07}Z"


def at(now: float) -> int:
    """Ticks of a clock's reading in seconds."""
    return round(now * 1_000_000) * 10


def _moment(ticks: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(seconds=ticks // TICKS)
    except OverflowError:
        return None


def _ticks(year: int, month: int, day: int, hour: int, minute: int, second: int, fraction: int) -> int | None:
    try:
        since = datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _EPOCH
    except (ValueError, OverflowError):
        return None
    return (since.days * 86_400 + since.seconds) * TICKS + fraction if 0 <= fraction < TICKS else None


def add(ticks: int, part: str, number: int) -> int | None:
    """The moment that many parts later; a day that its month has not becomes the month's last."""
    if part == "nanosecond":
        return ticks + number // 100
    if part in _LENGTHS:
        return ticks + number * _LENGTHS[part]
    moment = _moment(ticks)
    if moment is None:
        return None
    month = moment.year * 12 + moment.month - 1 + number * (12 if part == "year" else 1)
    if not 1 <= month // 12 <= 9999:
        return None
    day = min(moment.day, calendar.monthrange(month // 12, month % 12 + 1)[1])
    return _ticks(month // 12, month % 12 + 1, day, moment.hour, moment.minute, moment.second, ticks % TICKS)


def _added(part: Any, number: Any, ticks: int | None) -> Any:
    name, by = _part(part), whole(number)
    moved = None if name is None or by is None or ticks is None else add(ticks, name, by)
    return UNDEFINED if moved is None else render(moved)


def _part(text: Any) -> str | None:
    return _PARTS.get(text.lower()) if isinstance(text, str) else None


def _parsed(text: Any) -> int | None:
    return parse(text) if isinstance(text, str) else None


def _bin(text: Any, part: Any, size: Any = 1, origin: Any = "1970-01-01") -> Any:
    ticks, name, number, begin = _parsed(text), _part(part), whole(size), _parsed(origin)
    if ticks is None or begin is None or number is None or number <= 0 or begin < _EARLIEST_BIN:
        return UNDEFINED
    if name == "nanosecond":
        return render(begin + (ticks - begin) * 100 // number * number // 100)
    if name not in _LENGTHS:
        return UNDEFINED
    length = _LENGTHS[name] * number
    return render(begin + (ticks - begin) // length * length)


def _difference(part: Any, start: Any, end: Any) -> Any:
    """How many boundaries of the part lie between the two."""
    name, first, last = _part(part), _parsed(start), _parsed(end)
    if name is None or first is None or last is None:
        return UNDEFINED
    if name == "nanosecond":
        return (last - first) * 100
    if name in _LENGTHS:
        return last // _LENGTHS[name] - first // _LENGTHS[name]
    left, right = _moment(first), _moment(last)
    assert left is not None and right is not None, "what was parsed is a date"
    if name == "year":
        return right.year - left.year
    return (right.year - left.year) * 12 + right.month - left.month


def _part_of(part: Any, text: Any) -> Any:
    name, ticks = _part(part), _parsed(text)
    moment = None if ticks is None else _moment(ticks)
    if name is None or ticks is None or moment is None:
        return UNDEFINED
    fraction = ticks % TICKS
    fractions = {"millisecond": fraction // 10_000, "microsecond": fraction // 10, "nanosecond": fraction * 100}
    return fractions[name] if name in fractions else getattr(moment, name)


def _from_parts(*given: Any) -> Any:
    parts = [part for value in given if (part := whole(value)) is not None]
    if len(parts) < len(given):
        return UNDEFINED
    year, month, day, hour, minute, second, fraction = parts + [0] * (7 - len(parts))
    ticks = _ticks(year, month, day, hour, minute, second, fraction)
    return UNDEFINED if ticks is None else render(ticks)


def _from_number(unit: int) -> Any:
    def made(value: Any) -> Any:
        return render(int(value * unit)) if is_number(value) else UNDEFINED

    return made


def _to_number(unit: int) -> Any:
    def made(text: str) -> Any:
        ticks = parse(text)
        return UNDEFINED if ticks is None else ticks // unit

    return strings(made)


_FORMAT = re.compile(r"\\(.)|y+|M+|d+|H+|h+|m+|s+|f+|F+|t{2,}", re.DOTALL)


def _format(text: Any, pattern: Any) -> Any:
    """A date by a pattern of letters. Source: Microsoft's query planner, which folds the function of constants."""
    if not isinstance(text, str) or not isinstance(pattern, str) or not pattern:
        return UNDEFINED
    ticks = parse(text)
    return UNDEFINED if ticks is None else _FORMAT.sub(lambda match: _formatted(match, render(ticks)), pattern)


def _formatted(match: re.Match[str], date: str) -> str:
    """`date` is like 2021-09-14T19:21:00.1234567Z."""
    if match[1]:
        return match[1]
    letter, length, hour = match[0][0], len(match[0]), int(date[11:13])
    if letter == "y":
        return date[:4] if length >= 4 else date[2:4]
    if letter in "fF":
        return date[20 : 20 + min(length, 7)]
    if letter == "t":
        return "AM" if hour < 12 else "PM"
    number = {
        "M": int(date[5:7]),
        "d": int(date[8:10]),
        "H": hour,
        "h": (hour + 11) % 12 + 1,
        "m": int(date[14:16]),
        "s": int(date[17:19]),
    }[letter]
    return str(number) if length == 1 else f"{number:02}"


FUNCTIONS = {
    "DATETIMEADD": Function(lambda part, number, text: _added(part, number, _parsed(text)), 3, 3),
    "DATETIMEBIN": Function(_bin, 2, 4),
    "DATETIMEDIFF": Function(_difference, 3, 3),
    "DATETIMEFORMAT": Function(_format, 2, 2),
    "DATETIMEFROMPARTS": Function(_from_parts, 3, 7),
    "DATETIMEPART": Function(_part_of, 2, 2),
    "DATETIMETOTICKS": Function(_to_number(1), 1, 1),
    "DATETIMETOTIMESTAMP": Function(_to_number(10_000), 1, 1),
    "DAY": Function(lambda text: _part_of("day", text), 1, 1),
    "MONTH": Function(lambda text: _part_of("month", text), 1, 1),
    "TICKSTODATETIME": Function(_from_number(1), 1, 1),
    "TIMESTAMPTODATETIME": Function(_from_number(10_000), 1, 1),
    "YEAR": Function(lambda text: _part_of("year", text), 1, 1),
}


def _now(now: float, part: Any = "day", number: Any = 0) -> Any:
    return _added(part, number, at(now))


def _ago(now: float, part: Any, number: Any) -> Any:
    back = whole(number)
    return UNDEFINED if back is None else _added(part, -back, at(now))


_CURRENT = {
    "GETCURRENTDATETIME": Function(lambda now: render(at(now)), 0, 0),
    "GETCURRENTTICKS": Function(at, 0, 0),
    "GETCURRENTTIMESTAMP": Function(lambda now: at(now) // 10_000, 0, 0),
}
CLOCK = {
    "AGO": Function(_ago, 2, 2),
    "NOW": Function(_now, 0, 2),
    **_CURRENT,
    **{f"{name}STATIC": function for name, function in _CURRENT.items()},
}
"""Functions of the time. A page is made at one moment, so all are static."""
