"""DateTime, DateTimeOffset and TimeSpan in ticks of 100 ns, and their texts in the invariant culture.

Source: .NET's documentation, "Custom date and time format strings" and the standard ones.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from localazure.apim.expressions.failures import throw

SECOND = 10_000_000
DAY = 86_400 * SECOND
UNIX = 621_355_968_000_000_000
LAST = 3_155_378_975_999_999_999
"""Ticks of DateTime.MaxValue."""


@dataclass(frozen=True, order=True)
class TimeSpan:
    ticks: int

    @classmethod
    def of(cls, seconds: float) -> TimeSpan:
        return cls(round(seconds * SECOND))

    def __str__(self) -> str:
        seconds, rest = divmod(abs(self.ticks), SECOND)
        days, seconds = divmod(seconds, 86_400)
        text = f"{days}." if days else ""
        text += f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return ("-" if self.ticks < 0 else "") + text + (f".{rest:07}" if rest else "")


@dataclass(frozen=True, order=True)
class DateTime:
    """`kind` is Unspecified, Utc or Local; the gateway's local time is UTC."""

    ticks: int
    kind: str = "Unspecified"

    def __post_init__(self) -> None:
        if not 0 <= self.ticks <= LAST:
            throw(
                "ArgumentOutOfRangeException", "The added or subtracted value results in an un-representable DateTime."
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DateTime) and self.ticks == other.ticks

    def __hash__(self) -> int:
        return hash(self.ticks)

    @classmethod
    def at(cls, seconds: float, kind: str = "Utc") -> DateTime:
        """From seconds since 1970."""
        return cls(UNIX + round(seconds * 1_000_000) * 10, kind)

    @classmethod
    def of(cls, *fields: int, kind: str = "Unspecified") -> DateTime:
        """From year, month, day, hour, minute, second, millisecond."""
        year, month, day, hour, minute, second, millisecond = (*fields, *(0,) * (7 - len(fields)))
        try:
            days = date(year, month, day).toordinal() - 1
        except (ValueError, OverflowError):
            throw(
                "ArgumentOutOfRangeException", "Year, Month, and Day parameters describe an un-representable DateTime."
            )
        if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= millisecond < 1000):
            throw(
                "ArgumentOutOfRangeException",
                "Hour, Minute, and Second parameters describe an un-representable DateTime.",
            )
        return cls(days * DAY + ((hour * 60 + minute) * 60 + second) * SECOND + millisecond * 10_000, kind)

    @classmethod
    def read(cls, text: str) -> DateTime | None:
        """From a text with a date, or `None`; one with an offset is given in local time, which is UTC."""
        found = _read(text)
        if found is None:
            return None
        ticks, offset = found
        if offset is None:
            return cls(ticks)
        kind = "Utc" if text.endswith("Z") else "Local"
        return cls(ticks - offset, kind)

    @property
    def date(self) -> date:
        return date.fromordinal(self.ticks // DAY + 1)

    def add(self, ticks: float) -> DateTime:
        return DateTime(self.ticks + round(ticks), self.kind)

    def add_months(self, months: int) -> DateTime:
        here = self.date
        year, month = divmod(here.year * 12 + here.month - 1 + months, 12)
        if not 1 <= year <= 9999:
            throw(
                "ArgumentOutOfRangeException", "The added or subtracted value results in an un-representable DateTime."
            )
        day = min(here.day, calendar.monthrange(year, month + 1)[1])
        return DateTime(DateTime.of(year, month + 1, day).ticks + self.ticks % DAY, self.kind)

    def __str__(self) -> str:
        return formatted(self.ticks, "G", None, self.kind)


@dataclass(frozen=True)
class DateTimeOffset:
    """Local ticks and the offset from UTC in ticks."""

    ticks: int
    offset: int = 0

    @property
    def utc(self) -> int:
        return self.ticks - self.offset

    @classmethod
    def of(cls, value: DateTime) -> DateTimeOffset:
        return cls(value.ticks)

    @classmethod
    def read(cls, text: str) -> DateTimeOffset | None:
        found = _read(text)
        return None if found is None else cls(found[0], found[1] or 0)

    def add(self, ticks: float) -> DateTimeOffset:
        return DateTimeOffset(DateTime(self.ticks + round(ticks)).ticks, self.offset)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DateTimeOffset) and self.utc == other.utc

    def __lt__(self, other: DateTimeOffset) -> bool:
        return self.utc < other.utc

    def __le__(self, other: DateTimeOffset) -> bool:
        return self.utc <= other.utc

    def __hash__(self) -> int:
        return hash(self.utc)

    def __str__(self) -> str:
        return f"{formatted(self.ticks, 'G', self.offset, '')} {_offset(self.offset)}"


# texts

_STANDARD = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "m": "MMMM dd",
    "M": "MMMM dd",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
_FIELD = re.compile(r"y+|M+|d+|H+|h+|m+|s+|f+|F+|t+|K|z+|'[^']*'|\"[^\"]*\"|\\.|%|.", re.DOTALL)


def _offset(ticks: int) -> str:
    minutes = abs(ticks) // (60 * SECOND)
    return f"{'-' if ticks < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"


def formatted(ticks: int, form: str, offset: int | None, kind: str) -> str:
    """The text of a point in time, of a DateTimeOffset where there is an offset."""
    if len(form) <= 1:
        if form in {"r", "R", "u"} and offset:
            ticks -= offset
        form = _STANDARD.get(form or "G", "") or throw("FormatException", "Input string was not in a correct format.")
    here, rest = date.fromordinal(ticks // DAY + 1), ticks % DAY
    seconds = rest // SECOND
    numbers = {
        "d": here.day,
        "M": here.month,
        "H": seconds // 3600,
        "h": (seconds // 3600 + 11) % 12 + 1,
        "m": seconds // 60 % 60,
        "s": seconds % 60,
    }

    def field(match: re.Match[str]) -> str:
        found = match[0]
        letter, width = found[0], len(found)
        if letter in "dM" and width > 2:
            names = (
                (calendar.day_name, calendar.day_abbr) if letter == "d" else (calendar.month_name, calendar.month_abbr)
            )
            return str(names[width == 3][here.weekday() if letter == "d" else here.month])
        if letter in numbers:
            return f"{numbers[letter]:0{min(width, 2)}}"
        if letter == "y":
            return f"{here.year % 100:0{width}}" if width < 3 else f"{here.year:0{width}}"
        if letter in "fF":
            digits = f"{rest % SECOND:07}"[:width]
            return digits if letter == "f" else digits.rstrip("0")
        if letter == "t":
            return ("AM" if seconds < 43_200 else "PM")[:width]
        if letter == "K" and offset is None:
            return {"Utc": "Z", "Local": "+00:00"}.get(kind, "")
        if letter in "Kz":
            text = _offset(offset or 0)
            return text if width > 2 or letter == "K" else text[:3] if width == 2 else text[0] + text[1:3].lstrip("0")
        return found[1:-1] if letter in "'\"" and width > 1 else found[1:] if letter in "\\%" else found

    return re.sub(r"\.(?=$|[^\d.fF])", ".", _FIELD.sub(field, form))


def iso(value: Any) -> str:
    """As JSON has it: as many digits of the fraction as there are."""
    offset = value.offset if isinstance(value, DateTimeOffset) else None
    kind = getattr(value, "kind", "")
    fraction = f"{value.ticks % SECOND:07}".rstrip("0")
    form = "yyyy-MM-ddTHH:mm:ss" + ("." + "f" * len(fraction) if fraction else "") + "K"
    return formatted(value.ticks, form, offset, kind)


_ISO = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,7})\d*)?)?\s*(Z|[-+]\d\d:?\d\d)?)?", re.ASCII
)
_AMERICAN = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})(?: (\d\d?):(\d\d)(?::(\d\d))?(?: ?([AP]M))?)?", re.ASCII)


def _read(text: str) -> tuple[int, int | None] | None:
    """Ticks and the offset, where there is one."""
    text = text.strip()
    if found := _ISO.fullmatch(text):
        year, month, day, hour, minute, second = (int(found[number] or 0) for number in range(1, 7))
        fraction = int((found[7] or "0").ljust(7, "0"))
        offset = _zone(found[8])
    elif found := _AMERICAN.fullmatch(text):
        month, day, year, hour, minute, second = (int(found[number] or 0) for number in range(1, 7))
        hour = hour % 12 + (12 if found[7] == "PM" else 0) if found[7] else hour
        fraction, offset = 0, None
    else:
        return _mail(text)
    try:
        made = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    return DateTime.of(*made.timetuple()[:6]).ticks + fraction, offset


def _mail(text: str) -> tuple[int, int | None] | None:
    """A date as in HTTP's headers."""
    try:
        made = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    seconds = (made if made.tzinfo else made.replace(tzinfo=UTC)).utcoffset() or timedelta()
    return DateTime.of(*made.timetuple()[:6]).ticks, int(seconds.total_seconds()) * SECOND


def _zone(text: str | None) -> int | None:
    if not text:
        return None
    if text == "Z":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return (-1 if text[0] == "-" else 1) * minutes * 60 * SECOND


def exact(text: str, form: str) -> tuple[int, int | None]:
    """ParseExact: the text must be what the form says. Raises Thrown (FormatException)."""
    form = _STANDARD.get(form, form)
    groups: list[str] = []
    patterns = {"y": r"\d{%d}", "M": r"\d{%d}", "d": r"\d{%d}", "H": r"\d{%d}", "h": r"\d{%d}", "m": r"\d{%d}"}
    patterns |= {"s": r"\d{%d}", "f": r"\d{%d}", "F": r"\d{0,%d}"}
    names = {"M": [*calendar.month_name], "d": [*calendar.day_name]}

    def pattern(match: re.Match[str]) -> str:
        letter, width = match[0][0], len(match[0])
        if letter in "Md" and width > 2:
            groups.append(f"{letter}name")
            options = [name[:3] if width == 3 else name for name in names[letter] if name]
            return f"({'|'.join(options)})"
        if letter in patterns:
            groups.append(letter)
            return f"({patterns[letter] % width if width > 1 else r'[0-9]{1,2}'})"
        if letter in "Kz":
            groups.append("z")
            return r"(Z|[-+]\d\d:?\d\d|)"
        if letter == "t":
            groups.append("t")
            return "([AP]M?)"
        return re.escape(match[0].strip("'\"\\"))

    found = re.fullmatch(_FIELD.sub(pattern, form), text)
    if found is None:
        throw("FormatException", "String was not recognized as a valid DateTime.")
    held = dict(zip(groups, found.groups(), strict=True))
    month = int(held.get("M", 1))
    if "Mname" in held:
        month = next(number for number, name in enumerate(names["M"]) if name.startswith(held["Mname"]))
    hour = int(held.get("H", held.get("h", 0)))
    if "t" in held:
        hour = hour % 12 + (12 if held["t"].startswith("P") else 0)
    year = int(held.get("y", 1))
    fields = (year + 2000 if year < 50 and len(held.get("y", "0000")) == 2 else year, month, int(held.get("d", 1)))
    made = DateTime.of(*fields, hour, int(held.get("m", 0)), int(held.get("s", 0)))
    fraction = held.get("f", held.get("F", "")) or "0"
    return made.ticks + int(fraction.ljust(7, "0")), _zone(held.get("z"))


_SPAN = re.compile(r"(-)?(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?|(-)?(\d+)", re.ASCII)


def span(text: str) -> TimeSpan | None:
    """TimeSpan.Parse, `None` for what it does not take."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        return None
    if found[8]:
        return TimeSpan((-1 if found[7] else 1) * int(found[8]) * DAY)
    days, hours, minutes, seconds = (int(found[number] or 0) for number in range(2, 6))
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    ticks = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return TimeSpan((-1 if found[1] else 1) * (ticks * SECOND + int((found[6] or "0").ljust(7, "0"))))
