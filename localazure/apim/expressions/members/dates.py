"""DateTime, DateTimeOffset, TimeSpan."""

from __future__ import annotations

import calendar
import time
from typing import Any

from localazure.apim.expressions.failures import throw
from localazure.apim.expressions.table import declare, enumeration
from localazure.apim.expressions.times import (
    DAY,
    LAST,
    SECOND,
    UNIX,
    DateTime,
    DateTimeOffset,
    TimeSpan,
    exact,
    span,
)
from localazure.apim.expressions.types import IMPLICIT
from localazure.apim.expressions.values import format_value

enumeration("DateTimeKind", Utc="Utc", Local="Local", Unspecified="Unspecified")
enumeration("DateTimeStyles", AssumeUniversal=1, AdjustToUniversal=2, RoundtripKind=4, AssumeLocal=8)
declare("DateTimeStyles", {"static DateTimeStyles None": lambda: 0})
enumeration("DayOfWeek", **{name: name for name in ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday")})
enumeration("DayOfWeek", Friday="Friday", Saturday="Saturday")


def now() -> DateTime:
    return DateTime.at(time.time())


def _format_error() -> Any:
    throw("FormatException", "String was not recognized as a valid DateTime.")


def _parse(value: str | None, _: Any = None, styles: int = 0) -> DateTime:
    if value is None:
        throw("ArgumentNullException", "Value cannot be null.")
    found = DateTime.read(value)
    if found is None:
        return DateTime(_format_error())
    if found.kind == "Unspecified" and styles & 1:
        return DateTime(found.ticks, "Utc" if styles & 2 else "Local")
    if styles & 2 and found.kind != "Unspecified":
        return DateTime(found.ticks, "Utc")
    return DateTime(found.ticks, "Local") if found.kind == "Utc" and not styles & 6 else found


def _parse_offset(value: str | None, *_: Any) -> DateTimeOffset:
    found = DateTimeOffset.read(value) if value is not None else None
    return found or _format_error()


def _exactly(value: str, form: str, _: Any = None, styles: int = 0) -> DateTime:
    ticks, offset = exact(value, form)
    if offset is None:
        return DateTime(ticks, "Utc" if styles & 3 else "Unspecified")
    return DateTime(ticks - offset, "Utc" if styles & 2 else "Local")


def _exactly_offset(value: str, form: str, *_: Any) -> DateTimeOffset:
    ticks, offset = exact(value, form)
    return DateTimeOffset(ticks, offset or 0)


def _tried(parse: Any, zero: Any) -> Any:
    def attempt(value: str | None, *more: Any) -> tuple[bool, Any]:
        try:
            return True, parse(value, *more)
        except ValueError:
            return False, zero

    return attempt


_UNITS = {
    "Days": DAY,
    "Hours": 3600 * SECOND,
    "Minutes": 60 * SECOND,
    "Seconds": SECOND,
    "Milliseconds": SECOND // 1000,
}
_FIELDS = {
    "Year": lambda held: held.date.year,
    "Month": lambda held: held.date.month,
    "Day": lambda held: held.date.day,
    "Hour": lambda held: held.ticks // (3600 * SECOND) % 24,
    "Minute": lambda held: held.ticks // (60 * SECOND) % 60,
    "Second": lambda held: held.ticks // SECOND % 60,
    "Millisecond": lambda held: held.ticks // 10_000 % 1000,
    "DayOfYear": lambda held: held.date.timetuple().tm_yday,
}


def _local(held: Any) -> DateTime:
    return held if isinstance(held, DateTime) else DateTime(held.ticks)


def _added(unit: int) -> Any:
    # DateTime.AddX rounds to milliseconds. Source: its documentation
    return lambda held, count: held.add(round(count * (unit // 10_000)) * 10_000)


def _months(held: Any, count: int) -> Any:
    moved = _local(held).add_months(count)
    return moved if isinstance(held, DateTime) else DateTimeOffset(moved.ticks, held.offset)


for _type in ("DateTime", "DateTimeOffset"):
    for _name, _unit in _UNITS.items():
        declare(_type, {f"{_type} Add{_name}(double)": _added(_unit)})
    for _name, _field in _FIELDS.items():
        declare(_type, {f"int {_name}": lambda held, field=_field: field(_local(held))})
    declare(
        _type,
        {
            f"{_type} AddTicks(long)": lambda held, ticks: held.add(ticks),
            f"{_type} AddMonths(int)": _months,
            f"{_type} AddYears(int)": lambda held, count: _months(held, count * 12),
            f"{_type} Add(TimeSpan)": lambda held, by: held.add(by.ticks),
            f"{_type} Subtract(TimeSpan)": lambda held, by: held.add(-by.ticks),
            "long Ticks": lambda held: held.ticks,
            "TimeSpan TimeOfDay": lambda held: TimeSpan(held.ticks % DAY),
            "DayOfWeek DayOfWeek": lambda held: calendar.day_name[_local(held).date.weekday()],
            "string ToString(string)": format_value,
            "string ToString(CultureInfo)": lambda held, _: str(held),
            "string ToString(string, CultureInfo)": lambda held, form, _: format_value(held, form),
            f"int CompareTo({_type})": lambda a, b: (b < a) - (a < b),
            f"static int Compare({_type}, {_type})": lambda a, b: (b < a) - (a < b),
        },
    )
declare(
    "DateTime",
    {
        "static DateTime UtcNow": now,
        "static DateTime Now": lambda: DateTime(now().ticks, "Local"),
        "static DateTime Today": lambda: DateTime(now().ticks // DAY * DAY, "Local"),
        "static DateTime MinValue": lambda: DateTime(0),
        "static DateTime MaxValue": lambda: DateTime(LAST),
        "static DateTime UnixEpoch": lambda: DateTime(UNIX, "Utc"),
        "static DateTime Parse(string)": _parse,
        "static DateTime Parse(string, CultureInfo)": _parse,
        "static DateTime Parse(string, CultureInfo, DateTimeStyles)": _parse,
        "static DateTime ParseExact(string, string, CultureInfo)": _exactly,
        "static DateTime ParseExact(string, string, CultureInfo, DateTimeStyles)": _exactly,
        "static bool TryParse(string, out DateTime)": _tried(_parse, DateTime(0)),
        "static bool TryParse(string, CultureInfo, DateTimeStyles, out DateTime)": _tried(_parse, DateTime(0)),
        "static bool TryParseExact(string, string, CultureInfo, DateTimeStyles, out DateTime)": _tried(
            _exactly, DateTime(0)
        ),
        "static DateTime SpecifyKind(DateTime, DateTimeKind)": lambda held, kind: DateTime(held.ticks, kind),
        "static int DaysInMonth(int, int)": lambda year, month: calendar.monthrange(year, month)[1],
        "static bool IsLeapYear(int)": calendar.isleap,
        "static DateTime new(long)": DateTime,
        "static DateTime new(long, DateTimeKind)": DateTime,
        "static DateTime new(int, int, int)": DateTime.of,
        "static DateTime new(int, int, int, int, int, int)": DateTime.of,
        "static DateTime new(int, int, int, int, int, int, int)": DateTime.of,
        "static DateTime new(int, int, int, int, int, int, DateTimeKind)": lambda *fields: DateTime.of(
            *fields[:-1], kind=fields[-1]
        ),
        "static DateTime new(int, int, int, int, int, int, int, DateTimeKind)": lambda *fields: DateTime.of(
            *fields[:-1], kind=fields[-1]
        ),
        "DateTime Date": lambda held: DateTime(held.ticks // DAY * DAY, held.kind),
        "DateTimeKind Kind": lambda held: held.kind,
        "TimeSpan Subtract(DateTime)": lambda a, b: TimeSpan(a.ticks - b.ticks),
        "DateTime ToUniversalTime()": lambda held: DateTime(held.ticks, "Utc"),
        "DateTime ToLocalTime()": lambda held: DateTime(held.ticks, "Local"),
        "bool IsDaylightSavingTime()": lambda _: False,
        "long ToFileTimeUtc()": lambda held: held.ticks - 504_911_232_000_000_000,
    },
)
IMPLICIT["DateTime", "DateTimeOffset"] = DateTimeOffset.of
declare(
    "DateTimeOffset",
    {
        "static DateTimeOffset UtcNow": lambda: DateTimeOffset(now().ticks),
        "static DateTimeOffset Now": lambda: DateTimeOffset(now().ticks),
        "static DateTimeOffset MinValue": lambda: DateTimeOffset(0),
        "static DateTimeOffset MaxValue": lambda: DateTimeOffset(LAST),
        "static DateTimeOffset Parse(string)": _parse_offset,
        "static DateTimeOffset Parse(string, CultureInfo)": _parse_offset,
        "static DateTimeOffset Parse(string, CultureInfo, DateTimeStyles)": _parse_offset,
        "static DateTimeOffset ParseExact(string, string, CultureInfo)": _exactly_offset,
        "static bool TryParse(string, out DateTimeOffset)": _tried(_parse_offset, DateTimeOffset(0)),
        "static DateTimeOffset FromUnixTimeSeconds(long)": lambda value: DateTimeOffset(
            DateTime(UNIX + value * SECOND).ticks
        ),
        "static DateTimeOffset FromUnixTimeMilliseconds(long)": lambda value: DateTimeOffset(
            DateTime(UNIX + value * 10_000).ticks
        ),
        "static DateTimeOffset new(DateTime)": DateTimeOffset.of,
        "static DateTimeOffset new(DateTime, TimeSpan)": lambda held, offset: DateTimeOffset(held.ticks, offset.ticks),
        "static DateTimeOffset new(long, TimeSpan)": lambda ticks, offset: DateTimeOffset(ticks, offset.ticks),
        "static DateTimeOffset new(int, int, int, int, int, int, TimeSpan)": lambda *fields: DateTimeOffset(
            DateTime.of(*fields[:-1]).ticks, fields[-1].ticks
        ),
        "DateTime DateTime": lambda held: DateTime(held.ticks),
        "DateTime UtcDateTime": lambda held: DateTime(held.utc, "Utc"),
        "DateTime LocalDateTime": lambda held: DateTime(held.utc, "Local"),
        "DateTime Date": lambda held: DateTime(held.ticks // DAY * DAY),
        "TimeSpan Offset": lambda held: TimeSpan(held.offset),
        "TimeSpan Subtract(DateTimeOffset)": lambda a, b: TimeSpan(a.utc - b.utc),
        "long UtcTicks": lambda held: held.utc,
        "long ToUnixTimeSeconds()": lambda held: (held.utc - UNIX) // SECOND,
        "long ToUnixTimeMilliseconds()": lambda held: (held.utc - UNIX) // 10_000,
        "DateTimeOffset ToUniversalTime()": lambda held: DateTimeOffset(held.utc),
        "DateTimeOffset ToLocalTime()": lambda held: DateTimeOffset(held.utc),
        "DateTimeOffset ToOffset(TimeSpan)": lambda held, by: DateTimeOffset(held.utc + by.ticks, by.ticks),
    },
)
for _name, _unit in _UNITS.items():
    declare(
        "TimeSpan",
        {
            f"static TimeSpan From{_name}(double)": lambda count, unit=_unit: TimeSpan(round(count * unit)),
            f"double Total{_name}": lambda held, unit=_unit: held.ticks / unit,
        },
    )


def _part(held: TimeSpan, unit: int, size: int) -> int:
    found = abs(held.ticks) // unit % size
    return -found if held.ticks < 0 else found


for _name, _size in (("Days", 1 << 62), ("Hours", 24), ("Minutes", 60), ("Seconds", 60), ("Milliseconds", 1000)):
    declare("TimeSpan", {f"int {_name}": lambda held, unit=_UNITS[_name], size=_size: _part(held, unit, size)})


def _span(value: str | None, _: Any = None) -> TimeSpan:
    return span(value or "") or throw("FormatException", "String was not recognized as a valid TimeSpan.")


def _lasting(*fields: int) -> TimeSpan:
    days, hours, minutes, seconds, milliseconds = (
        (0, *fields, 0) if len(fields) == 3 else (*fields, 0) if len(fields) == 4 else fields
    )
    return TimeSpan((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * SECOND + milliseconds * 10_000)


declare(
    "TimeSpan",
    {
        "static TimeSpan Zero": lambda: TimeSpan(0),
        "static TimeSpan MaxValue": lambda: TimeSpan((1 << 63) - 1),
        "static TimeSpan MinValue": lambda: TimeSpan(-(1 << 63)),
        "static TimeSpan FromTicks(long)": TimeSpan,
        "static TimeSpan Parse(string)": _span,
        "static TimeSpan Parse(string, CultureInfo)": _span,
        "static bool TryParse(string, out TimeSpan)": _tried(_span, TimeSpan(0)),
        "static TimeSpan new(long)": TimeSpan,
        "static TimeSpan new(int, int, int)": _lasting,
        "static TimeSpan new(int, int, int, int)": _lasting,
        "static TimeSpan new(int, int, int, int, int)": _lasting,
        "long Ticks": lambda held: held.ticks,
        "TimeSpan Add(TimeSpan)": lambda a, b: TimeSpan(a.ticks + b.ticks),
        "TimeSpan Subtract(TimeSpan)": lambda a, b: TimeSpan(a.ticks - b.ticks),
        "TimeSpan Negate()": lambda held: TimeSpan(-held.ticks),
        "TimeSpan Duration()": lambda held: TimeSpan(abs(held.ticks)),
        "string ToString(string)": format_value,
        "int CompareTo(TimeSpan)": lambda a, b: (b < a) - (a < b),
    },
)
