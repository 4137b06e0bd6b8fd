"""The values of rules and of the properties that rules look at, where AMQP, XML and JSON each have their own form.

A rule gives each value back in the type it came in: clients tell an int 5 from a long 5. What is compared is plain: all
whole numbers are `int`, moments are `Timestamp`, spans of time `TimeSpan`.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localazure.servicebus.amqp.types import Char, Described, Float32, Int32, Symbol, Timestamp
from localazure.servicebus.durations import seconds

_TICKS = 10_000_000
_EPOCH = 621_355_968_000_000_000
"""Ticks of .NET from the year 1 to 1970."""


class TimeSpan(int):
    """Ticks of 100 ns, of which .NET's durations are made."""


@dataclass(frozen=True)
class DateTime:
    """A moment as a client wrote it in XML."""

    text: str


@dataclass(frozen=True)
class Duration:
    """A span of time as a client wrote it in XML."""

    text: str


def plain(value: Any) -> Any:
    """A value as rules compare it. Raises ValueError for a text that cannot be read as a moment or a duration."""
    if isinstance(value, Timestamp | TimeSpan | bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Float32):
        return float(value)
    if isinstance(value, Symbol | Char):
        return str(value)
    if isinstance(value, DateTime):
        return Timestamp(_milliseconds(value.text))
    if isinstance(value, Duration):
        return TimeSpan(round(seconds(value.text) * _TICKS))
    return _described(value) if isinstance(value, Described) else value


def _described(value: Described) -> Any:
    """Types that .NET has and AMQP has not."""
    if value.descriptor == "com.microsoft:datetime-offset" and isinstance(value.value, int):
        return Timestamp((value.value - _EPOCH) // (_TICKS // 1000))
    if value.descriptor == "com.microsoft:timespan" and isinstance(value.value, int):
        return TimeSpan(value.value)
    if value.descriptor == "com.microsoft:uri":
        return value.value
    return value


def _milliseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def from_amqp(value: Any) -> Any:
    """A value of a rule that came over AMQP, as a rule keeps it. Raises ValueError for one that rules do not have."""
    if isinstance(value, Int32 | bool):
        return value
    if isinstance(value, Timestamp):
        moment = datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds")
        return DateTime(moment.replace("+00:00", "Z"))
    told = plain(value)
    if isinstance(told, TimeSpan):
        return Duration(_duration(told))
    if isinstance(told, Timestamp):
        return from_amqp(told)
    if told is None or isinstance(told, str | int | float | uuid.UUID | bytes):
        return told
    raise ValueError(f"rules have no values of the type {type(value).__name__}")


def _duration(ticks: int) -> str:
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    whole, rest = divmod(ticks, _TICKS)
    return f"{sign}PT{whole}" + (f".{rest:07}".rstrip("0") if rest else "") + "S"


def to_amqp(value: Any) -> Any:
    """The reverse."""
    if isinstance(value, DateTime):
        return plain(value)
    if isinstance(value, Duration):
        return Described(Symbol("com.microsoft:timespan"), int(plain(value)))
    return value


_KINDS: dict[str, type[Any]] = {"$int": Int32, "$dateTime": DateTime, "$duration": Duration, "$uuid": uuid.UUID}


def to_json(value: Any) -> Any:
    """A rule's value as it is kept in the state."""
    if isinstance(value, DateTime | Duration):
        return {f"${'dateTime' if isinstance(value, DateTime) else 'duration'}": value.text}
    if isinstance(value, Int32):
        return {"$int": int(value)}
    if isinstance(value, uuid.UUID):
        return {"$uuid": str(value)}
    return {"$binary": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def from_json(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    [(kind, told)] = value.items()
    return base64.b64decode(told) if kind == "$binary" else _KINDS[kind](told)
