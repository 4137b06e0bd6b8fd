"""AMQP 1.0 as clients write it, by hand: an encoder and a decoder that share nothing with the server's.

Each constructor below names the byte form it makes, so that a test can say which of several forms a client sends.
Source: AMQP 1.0 (OASIS), part 1, section 1.6.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NULL = b"\x40"
TRUE, FALSE = b"\x41", b"\x42"
EMPTY_LIST = b"\x45"


def uint(value: int) -> bytes:
    return b"\x43" if value == 0 else b"\x52" + bytes([value]) if value < 256 else b"\x70" + struct.pack(">I", value)


def ulong(value: int) -> bytes:
    return b"\x53" + bytes([value]) if value < 256 else b"\x80" + struct.pack(">Q", value)


def ubyte(value: int) -> bytes:
    return b"\x50" + bytes([value])


def int32(value: int) -> bytes:
    return b"\x71" + struct.pack(">i", value)


def int64(value: int) -> bytes:
    return b"\x81" + struct.pack(">q", value)


def double(value: float) -> bytes:
    return b"\x82" + struct.pack(">d", value)


def timestamp(milliseconds: int) -> bytes:
    return b"\x83" + struct.pack(">q", milliseconds)


def guid(value: uuid.UUID) -> bytes:
    return b"\x98" + value.bytes


def _sized(small: int, large: int, content: bytes) -> bytes:
    if len(content) < 256:
        return bytes([small, len(content)]) + content
    return bytes([large]) + struct.pack(">I", len(content)) + content


def binary(value: bytes) -> bytes:
    return _sized(0xA0, 0xB0, value)


def string(value: str) -> bytes:
    return _sized(0xA1, 0xB1, value.encode())


def symbol(value: str) -> bytes:
    return _sized(0xA3, 0xB3, value.encode())


def boolean(value: bool) -> bytes:
    return TRUE if value else FALSE


def list_(*items: bytes) -> bytes:
    return b"\xd0" + struct.pack(">II", 4 + sum(map(len, items)), len(items)) + b"".join(items)


def small_list(*items: bytes) -> bytes:
    return bytes([0xC0, 1 + sum(map(len, items)), len(items)]) + b"".join(items)


def map_(*items: bytes) -> bytes:
    """Keys and values in turn."""
    return b"\xd1" + struct.pack(">II", 4 + sum(map(len, items)), len(items)) + b"".join(items)


def strings(pairs: Mapping[str, bytes]) -> bytes:
    """A map whose keys are strings."""
    return map_(*(part for name, value in pairs.items() for part in (string(name), value)))


def symbols(pairs: Mapping[str, bytes]) -> bytes:
    """A map whose keys are symbols."""
    return map_(*(part for name, value in pairs.items() for part in (symbol(name), value)))


def array(constructor: int, items: list[bytes]) -> bytes:
    """`items` without their constructors."""
    content = struct.pack(">I", len(items)) + bytes([constructor]) + b"".join(items)
    return b"\xf0" + struct.pack(">I", len(content)) + content


def described(code: int, value: bytes) -> bytes:
    return b"\x00" + ulong(code) + value


def named(name: str, value: bytes) -> bytes:
    """A described value whose descriptor is a symbol."""
    return b"\x00" + symbol(name) + value


def frame(channel: int, performative: bytes, payload: bytes = b"", kind: int = 0) -> bytes:
    body = performative + payload
    return struct.pack(">IBBH", 8 + len(body), 2, kind, channel) + body


@dataclass(frozen=True)
class Described:
    """A described value as it was read."""

    code: Any
    value: Any


class Symbol(str):
    """A symbol as it was read; a string is a plain `str`."""


class Array(list[Any]):
    """An array as it was read; a list is a plain `list`."""


def decode(data: bytes) -> tuple[Any, bytes]:
    """The first value, and what follows it."""
    if data[0]:
        return _value(data[0], data[1:])
    code, rest = decode(data[1:])
    value, rest = decode(rest)
    return Described(code, value), rest


_FIXED = {
    0x50: ">B", 0x51: ">b", 0x52: ">B", 0x53: ">B", 0x54: ">b", 0x55: ">b", 0x60: ">H", 0x61: ">h", 0x70: ">I",
    0x71: ">i", 0x72: ">f", 0x80: ">Q", 0x81: ">q", 0x82: ">d", 0x83: ">q",
}  # fmt: skip


def _value(kind: int, data: bytes) -> tuple[Any, bytes]:
    constants: dict[int, Any] = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0, 0x45: []}
    if kind in constants:
        return constants[kind], data
    if kind == 0x56:
        return data[0] == 1, data[1:]
    if kind in _FIXED:
        size = struct.calcsize(_FIXED[kind])
        return struct.unpack(_FIXED[kind], data[:size])[0], data[size:]
    if kind == 0x98:
        return uuid.UUID(bytes=data[:16]), data[16:]
    width = 1 if kind & 0xF0 in (0xA0, 0xC0, 0xE0) else 4
    size = int.from_bytes(data[:width], "big")
    content, rest = data[width : width + size], data[width + size :]
    if kind & 0xF0 in (0xA0, 0xB0):
        if kind & 0x0F == 0:
            return content, rest
        return (content.decode() if kind & 0x0F == 1 else Symbol(content.decode())), rest
    count, content = int.from_bytes(content[:width], "big"), content[width:]
    if kind & 0xF0 in (0xE0, 0xF0):
        return _array(count, content), rest
    items = []
    for _ in range(count):
        item, content = decode(content)
        items.append(item)
    return (items if kind & 0x0F == 0 else dict(zip(items[::2], items[1::2], strict=True))), rest


def _array(count: int, content: bytes) -> Array:
    kind, content, items = content[0], content[1:], Array()
    for _ in range(count):
        item, content = _value(kind, content)
        items.append(item)
    return items


def sections(message: bytes) -> dict[int, Any]:
    """A message's sections by their code; data sections are joined."""
    found: dict[int, Any] = {}
    while message:
        section, message = decode(message)
        known = found.get(section.code)
        found[section.code] = known + section.value if section.code == 0x75 and known else section.value
    return found
