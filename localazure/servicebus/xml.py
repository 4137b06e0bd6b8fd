"""XML as the service writes it: the default namespace changes where an element needs it, and there are no prefixes.

The JavaScript client knows no namespaces: it goes by the names as they stand in the text. It demands two prefixes,
that of the counts and `i:type`; both are written as the service writes them.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

CONNECT = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
SCHEMA = "http://www.w3.org/2001/XMLSchema"
TYPE = f"{{{INSTANCE}}}type"
SCHEMA_PREFIX = "d6p1"
"""The prefix of a value's type. Four characters: that is how many the JavaScript client cuts off, with the colon."""
_COUNTS_PREFIX = "d2p1"
_IMPOSSIBLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(document: ET.Element) -> bytes:
    out = ['<?xml version="1.0" encoding="utf-8"?>']
    _write(document, "", out)
    return "".join(out).encode()


def _write(element: ET.Element, around: str, out: list[str]) -> None:
    """`around` is the default namespace at this place."""
    namespace, name = _split(element.tag)
    told: list[tuple[str, str]] = []
    if namespace == COUNTS:
        name, namespace = f"{_COUNTS_PREFIX}:{name}", around
    elif namespace != around:
        told.append(("xmlns", namespace))
        if namespace == CONNECT:
            told.append(("xmlns:i", INSTANCE))
    if len(element) and _split(element[0].tag)[0] == COUNTS:
        told.append((f"xmlns:{_COUNTS_PREFIX}", COUNTS))
    for key, value in element.attrib.items():
        told.append(("i:type" if key == TYPE else key, value))
        if key == TYPE and value.startswith(f"{SCHEMA_PREFIX}:"):
            told.append((f"xmlns:{SCHEMA_PREFIX}", SCHEMA))
    attributes = "".join(f" {key}={quoteattr(_possible(value))}" for key, value in told)
    if not len(element) and not element.text:
        out.append(f"<{name}{attributes}/>")
        return
    out.append(f"<{name}{attributes}>{escape(_possible(element.text or ''))}")
    for child in element:
        _write(child, namespace, out)
    out.append(f"</{name}>")


def _split(tag: str) -> tuple[str, str]:
    namespace, _, name = tag.rpartition("}")
    return namespace.removeprefix("{"), name


def _possible(value: str) -> str:
    """Without the characters that XML cannot hold: one of them would make a whole list unreadable."""
    return _IMPOSSIBLE.sub("\ufffd", value)
