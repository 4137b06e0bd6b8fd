"""Resource ids: what `_rid` and `_self` say, and what a path may name a resource by in place of its id.

They are bytes in base64 (padded, with `-` for `/`): a database's four, a container's database and four more, of which
the first has its highest bit set, and for what lies in a container its eight and eight more, of which the last says
in its upper half what it is: 0 an item, 5 a physical range. An offer has three.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

_CONTAINER = 0x8000_0000
_RANGE = 0x50
_FIRST_RANGE = 2
"""What the number of a container's range 0 is in resource ids."""
_SHORT = 3
_SIZES = {4: "dbs", 8: "colls", 16: ""}


@dataclass(frozen=True)
class ResourceId:
    """What a resource id names: a kind, as in paths, and numbers; 0 for what it does not reach."""

    kind: str
    database: int
    container: int = 0
    number: int = 0


def database(number: int) -> str:
    return _text(number.to_bytes(4, "big"))


def container(database: int, number: int) -> str:
    return _text(container_bytes(database, number))


def container_bytes(database: int, number: int) -> bytes:
    return database.to_bytes(4, "big") + (_CONTAINER | number).to_bytes(4, "big")


def document(container: bytes, number: int) -> str:
    """`container` are the bytes of the container's."""
    return _text(container + number.to_bytes(8, "little"))


def physical_range(container: bytes, number: int) -> str:
    return _text(container + (number + _FIRST_RANGE).to_bytes(7, "little") + bytes([_RANGE]))


def offer(number: int) -> str:
    return _text(number.to_bytes(_SHORT, "little"))


def parse(text: str) -> ResourceId | None:
    """`None` for a text that is not a resource id."""
    try:
        data = base64.b64decode(text.replace("-", "/"), validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(data) == _SHORT:
        return ResourceId("offers", 0, 0, int.from_bytes(data, "little"))
    if len(data) not in _SIZES:
        return None
    base, middle = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    if base == 0 or (data[4:] and not middle & _CONTAINER):
        return None
    rest = data[8:]
    if not rest:
        return ResourceId(_SIZES[len(data)], base, middle & ~_CONTAINER)
    kind = {0: "docs", _RANGE: "pkranges"}.get(rest[-1] & 0xF0)
    if kind is None:
        return None
    number = int.from_bytes(rest, "little") if kind == "docs" else int.from_bytes(rest[:-1], "little") - _FIRST_RANGE
    return ResourceId(kind, base, middle & ~_CONTAINER, number)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode().replace("/", "-")
