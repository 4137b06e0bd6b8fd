"""What is in a message's content: the properties that rules look at, and changing some of them.

Everything that is not changed keeps its bytes, and so its AMQP type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localazure.servicebus import codec, sql
from localazure.servicebus.filters import REMOVED
from localazure.servicebus.sql import Properties

_LIST, _MAP = 0xD0, 0xD1
_SYSTEM = {name.lower(): name for name in sql.SYSTEM}


def properties(content: bytes) -> Properties:
    """The properties by scope and name. Raises ValueError or IndexError for what is no message."""
    return properties_of(codec.parse(content))


def properties_of(parsed: codec.Parsed) -> Properties:
    system = {
        f"sys.{name.lower()}": str(value)
        for name, value in parsed.properties.items()
        if value is not None and name.lower() in _SYSTEM
    }
    return {f"user.{name.lower()}": value for name, value in parsed.application.items()} | system


def dead_lettered(content: bytes, reason: str | None, description: str | None) -> bytes:
    """The content with DeadLetterReason and DeadLetterErrorDescription among its application properties."""
    told = {"user.DeadLetterReason": reason, "user.DeadLetterErrorDescription": description}
    return changed(content, {name: REMOVED if value is None else value for name, value in told.items()})


def changed(content: bytes, changes: Mapping[str, Any]) -> bytes:
    """The content after a rule's action: property (`user.Size`, `sys.Label`) → value, or `REMOVED`."""
    user = {name[5:]: value for name, value in changes.items() if name.startswith("user.")}
    system = {_SYSTEM[name[4:].lower()]: value for name, value in changes.items() if name.startswith("sys.")}
    before, application, after = b"", b"", b""
    system_section = b""
    for code, raw in codec.sections(content):
        if code == codec.PROPERTIES:
            system_section = raw
        elif code == codec.APPLICATION:
            application = raw
        elif code < codec.PROPERTIES:
            before += raw
        else:
            after += raw
    return before + _system(system_section, system) + _application(application, user) + after


def _application(section: bytes, changes: Mapping[str, Any]) -> bytes:
    if not changes:
        return section
    parts = codec.elements(section) if section else []
    touched = {name.lower() for name in changes}
    kept: list[bytes] = []
    for key, value in zip(parts[::2], parts[1::2], strict=True):
        if codec.key_of(key).lower() not in touched:
            kept += (key, value)
    for name, new in changes.items():
        if new is not REMOVED:
            kept += (codec.element(name), codec.element(new))
    return codec.section(codec.APPLICATION, _MAP, kept) if kept else b""


def _system(section: bytes, changes: Mapping[str, Any]) -> bytes:
    if not changes:
        return section
    parts = codec.elements(section) if section else []
    parts += [codec.element(None)] * (len(codec.PROPERTY_NAMES) - len(parts))
    for name, new in changes.items():
        text = None if new is REMOVED or new is None else str(new)
        parts[codec.PROPERTY_NAMES.index(name)] = codec.element(text)
    return codec.section(codec.PROPERTIES, _LIST, parts)
