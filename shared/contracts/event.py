"""The envelope: CloudEvents 1.0 in its JSON format, with two extension attributes.

`version` is the version of the subject that the event tells of, by which consumers order events;
`traceparent` is W3C Trace Context, as the CloudEvents distributed-tracing extension names it.
Source: CloudEvents specification 1.0.2, sections "Context Attributes" and "JSON Format".
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

_PREFIX = "commerce."
_DATA_TYPES: dict[str, type[EventData]] = {}
_Declared = TypeVar("_Declared", bound="type[EventData]")


class EventData(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every event's `data`. Unknown fields are ignored, so that a publisher may add some."""


def event_type(name: str) -> Any:
    """Class decorator: `@event_type("order.placed.v1")` declares `commerce.order.placed.v1`."""

    def declare(data_type: _Declared) -> _Declared:
        _DATA_TYPES[_PREFIX + name] = data_type
        return data_type

    return declare


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One CloudEvent; `data` is still JSON until `data_of` reads it as its type."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    """Also the Service Bus message id. Derived from the subject and its version, so a repeated publication
    of the same fact carries the same id and duplicate detection sees it."""
    source: str
    type: str
    subject: str
    """Id of the thing the event is about; also the Service Bus session id."""
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    version: int
    traceparent: str
    data: msgspec.Raw


def type_of(data: EventData | type[EventData]) -> str:
    """The `type` attribute of events that carry this data. Raises KeyError for an undeclared class."""
    wanted = data if isinstance(data, type) else type(data)
    for name, declared in _DATA_TYPES.items():
        if declared is wanted:
            return name
    raise KeyError(f"{wanted.__name__} is not a declared event")


def make_event(data: EventData, *, source: str, subject: str, version: int, time: str, traceparent: str) -> Event:
    """The event that tells `data` of version `version` of `subject`.

    Raises msgspec.ValidationError for data that its consumers would refuse to read.
    """
    name = type_of(data)
    encoded = msgspec.json.encode(data)
    msgspec.json.decode(encoded, type=type(data))
    return Event(
        id=f"{name.removeprefix(_PREFIX)}:{subject}:{version}",
        source=f"/{source}",
        type=name,
        subject=subject,
        time=time,
        version=version,
        traceparent=traceparent,
        data=msgspec.Raw(encoded),
    )


def data_of(event: Event) -> EventData:
    """The event's data as its declared type. Raises LookupError or msgspec.ValidationError."""
    return msgspec.json.decode(event.data, type=_DATA_TYPES[event.type])


def declared_events() -> dict[str, type[EventData]]:
    """Every event type that has been declared by the modules imported so far."""
    return dict(_DATA_TYPES)
