"""Which envelopes are kept, and what is said of the others: the fields of each kind, their types and lengths.

Source: the bond schemas of Application Insights (`Envelope`, `RequestData`, …), which its endpoint validates with, and
its answers as issues of the official SDKs quote them: 103 a time, 106 a type, 107 a length, 109 what is missing.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from localazure.insights.errors import ItemRefused

OLDEST = timedelta(days=2)
NEWEST = timedelta(days=1)
MAX_ENVELOPE = 64 * 1024
"""Bytes of one item, "Data limits" of Application Insights."""
MAX_NAME, MAX_VALUE = 150, 8192
"""Characters of a property's name and value."""

_DURATION = re.compile(r"(?:(\d{1,8})\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,7}))?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?")


@dataclass(frozen=True)
class Field:
    """One field of a kind of data: the JSON types it may have, whether it must be there, and how long or large."""

    kinds: tuple[type, ...] = (str,)
    required: bool = False
    longest: int = 1024

    @property
    def largest(self) -> float:
        """Of a number: 32 bits for one that is an integer, a double for others."""
        return sys.float_info.max if float in self.kinds else 2**31 - 1


_TEXT = Field()
_NUMBER = Field((int, float))
LEVELS: Mapping[int | str, int] = {
    level: number
    for number, name in enumerate(("Verbose", "Information", "Warning", "Error", "Critical"))
    for level in (number, name)
}
"""A severity level as it is sent → its number."""
_LEVEL = Field((int, str))
_PROPERTIES = Field((dict,))


def _needed(longest: int = 1024, *kinds: type) -> Field:
    return Field(kinds or (str,), required=True, longest=longest)


_SHARED = {"properties": _PROPERTIES, "measurements": _PROPERTIES}
_CALL = {"id": Field(longest=512), "duration": _needed(), "success": Field((bool,)), "name": _TEXT}
KINDS: Mapping[str, Mapping[str, Field]] = {
    "RequestData": _CALL
    | {"id": _needed(512), "responseCode": _needed(), "source": _TEXT, "url": Field(longest=2048)}
    | _SHARED,
    "RemoteDependencyData": _CALL
    | {"name": _needed(), "resultCode": _TEXT, "data": Field(longest=8192), "target": _TEXT, "type": _TEXT}
    | _SHARED,
    "MessageData": {"message": _needed(32768), "severityLevel": _LEVEL} | _SHARED,
    "ExceptionData": {"exceptions": _needed(0, list), "severityLevel": _LEVEL, "problemId": _TEXT} | _SHARED,
    "MetricData": {"metrics": _needed(0, list), "properties": _PROPERTIES},
    "EventData": {"name": _needed(512)} | _SHARED,
}
"""The `baseType` of an envelope → its fields. Others of the service's are refused by name."""
_INNER: Mapping[str, tuple[str, Mapping[str, Field]]] = {
    "exceptions": (
        "ExceptionDetails",
        {
            "typeName": _needed(),
            "message": _needed(32768),
            "parsedStack": Field((list,)),
            "stack": Field(longest=32768),
        },
    ),
    "metrics": (
        "DataPoint",
        {"name": _needed(), "value": _needed(0, int, float), "ns": Field(longest=256), "count": Field((int,))}
        | dict.fromkeys(("min", "max", "stdDev"), _NUMBER),
    ),
    "parsedStack": ("StackFrame", {"method": _TEXT, "assembly": _TEXT, "fileName": _TEXT, "line": Field((int,))}),
}
_ENVELOPE = {
    "name": _needed(),
    "time": _needed(64),
    "iKey": Field(longest=40),
    "sampleRate": _NUMBER,
    "tags": _PROPERTIES,
    "data": _needed(0, dict),
}


@dataclass(frozen=True)
class Envelope:
    """A valid one. `share` is the share of its like that was sent: 0.25 stands for four."""

    time: datetime
    key: str
    share: float
    tags: Mapping[str, str]
    kind: str
    data: Mapping[str, Any]


def read(item: Any, keys: frozenset[str], now: datetime) -> Envelope:
    """The envelope in what JSON gave. Raises ItemRefused with the service's number and words."""
    if not isinstance(item, dict):
        raise ItemRefused(f"106: Envelope is of incorrect type. Expected: object, Actual: {_name(item)}")
    if _size(item) > MAX_ENVELOPE:
        raise ItemRefused(f"107: Envelope is too large. Expected: {MAX_ENVELOPE} bytes")
    _check("Envelope", _ENVELOPE, item)
    if item.get("iKey") not in keys:
        raise ItemRefused("100: Invalid instrumentation key")
    time = _time(item["time"], now)
    rate: float = 100 if item.get("sampleRate") is None else item["sampleRate"]
    if not 0 < rate <= 100:
        raise ItemRefused("106: Field 'sampleRate' on type 'Envelope' is out of range. Expected: above 0, at most 100")
    _check("Data", {"baseType": _needed(), "baseData": _needed(0, dict)}, item["data"])
    kind, data = item["data"]["baseType"], item["data"]["baseData"]
    if kind not in KINDS:
        raise ItemRefused(f"110: baseType '{kind[:100]}' is not supported; see COMPATIBILITY.md")
    _check(kind, KINDS[kind], data)
    for name in ("properties", "measurements"):
        _check_properties(name, data.get(name) or {}, (int, float) if name == "measurements" else ())
    if data.get("duration") is not None:
        milliseconds(data["duration"])
    if (level := data.get("severityLevel")) is not None and level not in LEVELS:
        raise ItemRefused(f"106: Field 'severityLevel' on type '{kind}' is out of range. Expected: 0 to 4")
    tags = {str(name): str(value)[:1024] for name, value in (item.get("tags") or {}).items() if value is not None}
    return Envelope(time, item["iKey"], rate / 100, tags, kind, data)


def _size(item: Any) -> int:
    """In bytes. Raises ItemRefused for half a surrogate pair, and for numbers that JSON does not have."""
    try:
        return len(json.dumps(item, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:  # of which UnicodeEncodeError is one
        raise ItemRefused("106: Envelope holds what is neither Unicode nor a number of JSON") from None


def milliseconds(text: str) -> float:
    """A duration as the SDKs write it, `d.hh:mm:ss.fffffff`. Raises ItemRefused for anything else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ItemRefused("106: Field 'duration' is of incorrect format. Expected: d.hh:mm:ss.fffffff")
    days, hours, minutes, seconds = (int(match[place] or 0) for place in range(1, 5))
    ticks = int((match[5] or "").ljust(7, "0"))
    return (((days * 24 + hours) * 3600 + minutes * 60 + seconds) * 10_000_000 + ticks) / 10_000


def _time(text: str, now: datetime) -> datetime:
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        fraction = (match[2] or "0")[:6].ljust(6, "0")
        zone = "+00:00" if match[3] in {None, "Z"} else match[3]
        time = datetime.fromisoformat(f"{match[1]}.{fraction}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ItemRefused("106: Field 'time' on type 'Envelope' is of incorrect format. Expected: ISO 8601") from None
    if now - time > OLDEST:
        older = (now - time) // timedelta(milliseconds=1)
        raise ItemRefused(
            "103: Field 'time' on type 'Envelope' is older than the allowed min date. "
            f"Expected: now - {OLDEST // timedelta(milliseconds=1)}ms, Actual: now - {older}ms"
        )
    if time - now > NEWEST:
        raise ItemRefused("103: Field 'time' on type 'Envelope' is newer than the allowed max date.")
    return time


def _check(kind: str, fields: Mapping[str, Field], value: Mapping[str, Any]) -> None:
    for name, field in fields.items():
        given = value.get(name)
        if given is None and not field.required:
            continue
        if (wrong := _wrong(field, given)) is not None:
            number, words = wrong
            raise ItemRefused(f"{number}: Field '{name}' on type '{kind}' {words}")
        if name in _INNER:
            inner, known = _INNER[name]
            for entry in given or ():
                if not isinstance(entry, dict):
                    raise ItemRefused(f"106: Field '{name}' on type '{kind}' holds what is not a {inner}")
                _check(inner, known, entry)


def _wrong(field: Field, value: Any) -> tuple[int, str] | None:
    """The number and the words for a value that a field may not have; `None` where it may."""
    if value is None or (field.required and not isinstance(value, bool | int | float) and not value):
        if field.required:
            return 109, f"is required but missing or empty. Expected: {_expected(field)}, Actual: undefined"
        return None
    if not isinstance(value, field.kinds) or (isinstance(value, bool) and bool not in field.kinds):
        return 106, f"is of incorrect type. Expected: {_expected(field)}, Actual: {_name(value)}"
    if isinstance(value, int | float) and abs(value) > field.largest:
        return 106, f"is out of range. Expected: at most {field.largest:g}"
    if isinstance(value, str) and len(value) > field.longest:
        return 107, f"is too long. Expected: {field.longest} characters, Actual: {len(value)}"
    return None


def _expected(field: Field) -> str:
    return " or ".join(dict.fromkeys(_NAMES[kind] for kind in field.kinds))


def _check_properties(field: str, properties: Mapping[str, Any], kinds: tuple[type, ...]) -> None:
    for name, value in properties.items():
        if len(name) > MAX_NAME:
            raise ItemRefused(f"107: A name in '{field}' is too long. Expected: {MAX_NAME} characters")
        if kinds and (not isinstance(value, kinds) or isinstance(value, bool)):
            raise ItemRefused(f"106: A value in '{field}' is of incorrect type. Expected: number")
        if isinstance(value, str) and len(value) > MAX_VALUE:
            raise ItemRefused(f"107: A value in '{field}' is too long. Expected: {MAX_VALUE} characters")


_NAMES = {str: "string", int: "number", float: "number", bool: "boolean", dict: "object", list: "array"}


def _name(value: Any) -> str:
    return _NAMES.get(type(value), "undefined")
