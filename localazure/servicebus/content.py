"""What is in a message's content: the properties that rules look at, and changing some of them.

Everything that is not changed keeps its bytes, and so its AMQP type.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from localazure.servicebus import sql
from localazure.servicebus.amqp.encode import NULL, encode, string
from localazure.servicebus.amqp.message import (
    APPLICATION,
    MESSAGE_ID,
    PROPERTIES,
    PROPERTY_NAMES,
    Parsed,
    key_of,
    list_section,
    map_section,
    parse,
    section_elements,
    sections,
    text,
)
from localazure.servicebus.filters import REMOVED
from localazure.servicebus.sql import Properties
from localazure.servicebus.values import plain

_SYSTEM = {name.lower(): name for name in sql.SYSTEM}


def properties(content: bytes) -> Properties:
    """The properties by scope and name. Raises ValueError for bytes that cannot be read as a message."""
    return properties_of(parse(content))


def properties_of(parsed: Parsed) -> Properties:
    system = {
        f"sys.{name.lower()}": str(text(value))
        for name, value in zip(PROPERTY_NAMES, parsed.properties, strict=False)
        if value is not None and name.lower() in _SYSTEM
    }
    return {
        f"user.{str(text(name)).lower()}": plain(text(value)) for name, value in parsed.application.items()
    } | system


def identified(parsed: Parsed) -> Parsed:
    """A message without an id gets one, as the service gives it: clients cannot receive one that has none."""
    if parsed.property("MessageId") is not None:
        return parsed
    identifier = uuid.uuid4().hex
    first, rest = b"", parsed.content
    if parsed.properties or parsed.content[:3] == b"\x00\x53\x73":
        [(_, first), *others] = sections(parsed.content)
        rest = b"".join(raw for _, raw in others)
    content = _system(first, {"MessageId": identifier}) + rest
    told = [*parsed.properties, *[None] * (MESSAGE_ID + 1 - len(parsed.properties))]
    told[MESSAGE_ID] = identifier
    return parsed._replace(content=content, properties=told)


def with_application(content: bytes, changes: Mapping[str, bytes | None]) -> bytes:
    """The content with application properties set to values that are encoded already; `None` leaves one out."""
    before, _, application, after = _apart(content)
    return before + _application(application, changes) + after


def changed(content: bytes, changes: Mapping[str, Any]) -> bytes:
    """The content after a rule's action: property (`user.Size`, `sys.Label`) → value, or `REMOVED`."""
    user = {n[5:]: None if v is REMOVED else encode(v) for n, v in changes.items() if n.startswith("user.")}
    system = {_SYSTEM[name[4:].lower()]: value for name, value in changes.items() if name.startswith("sys.")}
    before, told, application, after = _apart(content)
    return before.removesuffix(told) + _system(told, system) + _application(application, user) + after


def _apart(content: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Everything up to the properties, the properties among it, the application properties, what follows."""
    before, system, application, after = b"", b"", b"", b""
    for code, raw in sections(content):
        if code == APPLICATION:
            application = raw
        elif code <= PROPERTIES:
            before += raw
            system = raw if code == PROPERTIES else system
        else:
            after += raw
    return before, system, application, after


def _application(section: bytes, changes: Mapping[str, bytes | None]) -> bytes:
    if not changes:
        return section
    parts = section_elements(section) if section else []
    touched = {name.lower() for name in changes}
    kept: list[bytes] = []
    for key, value in zip(parts[::2], parts[1::2], strict=True):
        if key_of(key).lower() not in touched:
            kept += (key, value)
    for name, new in changes.items():
        if new is not None:
            kept += (string(name), new)
    return map_section(APPLICATION, kept) if kept else b""


def _system(section: bytes, changes: Mapping[str, Any]) -> bytes:
    if not changes:
        return section
    parts = section_elements(section) if section else []
    parts += [NULL] * (len(PROPERTY_NAMES) - len(parts))
    for name, new in changes.items():
        parts[PROPERTY_NAMES.index(name)] = NULL if new is REMOVED or new is None else string(str(new))
    return list_section(PROPERTIES, parts)
