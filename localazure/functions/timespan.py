"""Lengths of time in .NET's own notation, as host.json, settings and timer schedules have them.

The notation has traps of its own: `24:00:00` is 24 days, since 24 is past the last hour and what is left to read it
as is `d:hh:mm`; a number alone counts days. Source: "Standard TimeSpan format strings", `TimeSpan.Parse`.
"""

from __future__ import annotations

import re

_NUMBERS = re.compile(r"(-?)(?:(\d+)\.)?(\d+)(?::(\d+)(?::(\d+)(?::(\d+))?)?)?(?:\.(\d{1,7}))?", re.ASCII)
_MAX_DAYS = 10_675_199
MAX_VALUE = "10675199.02:48:05.4775807"


def seconds(text: str) -> float:
    """The length in seconds. Raises ValueError for text that TimeSpan.Parse refuses."""
    match = _NUMBERS.fullmatch(str(text).strip())
    read = _read(*match.groups()) if match else None
    if read is None:
        raise ValueError(f"String '{text}' was not recognized as a valid TimeSpan.")
    return read


def _read(
    minus: str,
    days: str | None,
    first: str,
    second: str | None,
    third: str | None,
    fourth: str | None,
    part: str | None,
) -> float | None:
    numbers = [int(number) for number in (days, first, second, third, fourth) if number is not None]
    colons = sum(number is not None for number in (second, third, fourth))
    if part is not None and colons < 2:
        return None  # a fraction belongs to seconds
    if days is not None:
        readings = {1: (*numbers, 0), 2: tuple(numbers)}
    elif colons == 0:
        readings = {0: (*numbers, 0, 0, 0)}
    elif colons == 3:
        readings = {3: tuple(numbers)}
    else:
        readings = {1: (0, *numbers, 0), 2: (0, *numbers)}
    reading = readings.get(colons)
    if reading is not None and not _fits(reading) and days is None and colons == 2 and part is None:
        reading = (*numbers, 0)  # d:hh:mm
    if reading is None or not _fits(reading):
        return None
    whole = ((reading[0] * 24 + reading[1]) * 60 + reading[2]) * 60 + reading[3]
    length = whole + (float(f"0.{part}") if part else 0.0)
    return -length if minus else length


def _fits(reading: tuple[int, ...]) -> bool:
    days, hours, minutes, rest = reading
    return days <= _MAX_DAYS and hours < 24 and minutes < 60 and rest < 60


def text(length: float) -> str:
    """The length as .NET writes it: days only where there are any, a fraction likewise."""
    ticks = round(abs(length) * 10_000_000)
    whole, part = divmod(ticks, 10_000_000)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    sign, fraction = "-" if length < 0 else "", f".{part:07d}" if part else ""
    return f"{sign}{f'{days}.' if days else ''}{hours:02d}:{minutes:02d}:{rest:02d}{fraction}"
