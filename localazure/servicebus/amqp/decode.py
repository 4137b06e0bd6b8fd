"""Bytes → values.

Two tables: `decode` is for frames, where whole numbers without a sign are plain `int`; `exact` keeps their types, for
values that are written again. Every size that the bytes name is checked against what holds it, nesting is limited.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from typing import Any

from localazure.servicebus.amqp.types import (
    Array,
    Byte,
    Char,
    Decimal,
    DecodeError,
    Described,
    Float32,
    Int32,
    Short,
    Symbol,
    Timestamp,
    Ubyte,
    Uint,
    Ulong,
    Ushort,
)

Decoder = Callable[[bytes, int, int], tuple[Any, int]]
_MAX_DEPTH = 32
_MAX_ELEMENTS = 65_536
"""Elements of one list, map or array."""
_MAX_EMPTY_ELEMENTS = 256
"""The same of an array whose values take no bytes: the bytes do not limit their number."""
_BROKEN = (IndexError, struct.error, UnicodeDecodeError, ValueError, TypeError)
_U16, _U32, _U64 = (struct.Struct(f">{letter}") for letter in "HIQ")
_NULL = 0x40
_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}


def decode(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The value that begins at a place, and the place behind it. Raises DecodeError."""
    return _checked(_FAST, data, at)


def exact(data: bytes, at: int = 0) -> tuple[Any, int]:
    """As `decode`, with every number in its own type."""
    return _checked(_EXACT, data, at)


def _checked(table: list[Decoder], data: bytes, at: int) -> tuple[Any, int]:
    try:
        value, end = table[data[at]](data, at + 1, 0)
    except DecodeError:
        raise
    except _BROKEN as exc:
        raise DecodeError(f"no AMQP value: {exc}") from exc
    if end > len(data):
        raise DecodeError("an AMQP value is longer than what holds it")
    return value, end


def skip(data: bytes, at: int) -> int:
    """The place behind the value that begins at a place; what is in it is not looked at. Raises DecodeError."""
    try:
        code = data[at]
        at += 1
        if code == 0:
            return skip(data, skip(data, at))
        width = _WIDTHS.get(code >> 4)
        if width is not None:
            end = at + width
        elif code >> 4 in (0xA, 0xC, 0xE):
            end = at + 1 + data[at]
        elif code >> 4 in (0xB, 0xD, 0xF):
            end = at + 4 + int(_U32.unpack_from(data, at)[0])
        else:
            raise DecodeError(f"there is no AMQP type {code:#x}")
    except (IndexError, struct.error, RecursionError) as exc:
        raise DecodeError("an AMQP value is longer than what holds it") from exc
    if end > len(data):
        raise DecodeError("an AMQP value is longer than what holds it")
    return end


def elements(data: bytes, at: int = 0) -> list[bytes]:
    """The elements of the list or map at a place, encoded as they are; a map's are key, value, key, value.

    Raises DecodeError.
    """
    code = data[at] if at < len(data) else -1
    if code == 0x45:
        return []
    if code not in (0xC0, 0xC1, 0xD0, 0xD1):
        raise DecodeError(f"neither a list nor a map, but {code:#x}")
    end, width = skip(data, at), 1 if code < 0xD0 else 4
    count = int.from_bytes(data[at + 1 + width : at + 1 + 2 * width], "big")
    place, found = at + 1 + 2 * width, []
    for _ in range(count):
        following = skip(data, place)
        found.append(data[place:following])
        place = following
    if place != end:
        raise DecodeError("a list or a map has another length than it says")
    return found


def _constant(value: Any) -> Decoder:
    return lambda data, at, depth: (value, at)


def _fixed(layout: str, kind: Callable[[Any], Any] | None = None) -> Decoder:
    form = struct.Struct(f">{layout}")
    unpack, size = form.unpack_from, form.size
    if kind is None:
        return lambda data, at, depth: (unpack(data, at)[0], at + size)
    return lambda data, at, depth: (kind(unpack(data, at)[0]), at + size)


def _small(kind: Callable[[Any], Any] | None = None) -> Decoder:
    if kind is None:
        return lambda data, at, depth: (data[at], at + 1)
    return lambda data, at, depth: (kind(data[at]), at + 1)


def _decimal(code: int, size: int) -> Decoder:
    return lambda data, at, depth: (Decimal(code, data[at : at + size]), at + size)


def _boolean(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    return data[at] == 1, at + 1


def _char(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    return Char(data[at : at + 4].decode("utf-32-be")), at + 4


def _uuid(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    return uuid.UUID(bytes=data[at : at + 16]), at + 16


def _binary8(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    end = at + 1 + data[at]
    return data[at + 1 : end], end


def _binary32(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    end = at + 4 + _U32.unpack_from(data, at)[0]
    return data[at + 4 : end], end


def _string8(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    end = at + 1 + data[at]
    return data[at + 1 : end].decode(), end


def _string32(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    end = at + 4 + _U32.unpack_from(data, at)[0]
    return data[at + 4 : end].decode(), end


def _symbol8(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    end = at + 1 + data[at]
    return Symbol(data[at + 1 : end].decode("ascii")), end


def _symbol32(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    end = at + 4 + _U32.unpack_from(data, at)[0]
    return Symbol(data[at + 4 : end].decode("ascii")), end


def _within(data: bytes, at: int, width: int, depth: int) -> tuple[int, int, int]:
    """The number of elements, where they begin, and where they have to end."""
    if depth >= _MAX_DEPTH:
        raise DecodeError(f"values are nested more than {_MAX_DEPTH} deep")
    if width == 1:
        size, count = data[at], data[at + 1]
    else:
        size, count = _U32.unpack_from(data, at)[0], _U32.unpack_from(data, at + 4)[0]
    end = at + width + size
    if end > len(data) or count > _MAX_ELEMENTS:
        raise DecodeError(f"{count} elements in {size} bytes")
    return count, at + 2 * width, end


def _list(table: list[Decoder], width: int) -> Decoder:
    def read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        count, at, end = _within(data, at, width, depth)
        depth += 1
        found: list[Any] = []
        for _ in range(count):
            code, at = data[at], at + 1
            if code == _NULL:  # most fields of most frames: not worth a call
                found.append(None)
                continue
            value, at = table[code](data, at, depth)
            found.append(value)
        if at != end:
            raise DecodeError("a list has another length than it says")
        return found, end

    return read


def _map(table: list[Decoder], width: int) -> Decoder:
    whole = _list(table, width)

    def read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        found, end = whole(data, at, depth)
        if len(found) % 2:
            raise DecodeError("a map has a key without a value")
        return dict(zip(found[::2], found[1::2], strict=True)), end

    return read


def _array(table: list[Decoder], width: int) -> Decoder:
    def read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        count, at, end = _within(data, at, width, depth)
        found = Array()
        described = data[at] == 0
        descriptor = None
        if described:
            descriptor, at = table[data[at + 1]](data, at + 2, depth + 1)
        found.constructor = data[at]
        if count > _MAX_EMPTY_ELEMENTS and data[at] >> 4 == 4:
            raise DecodeError(f"an array of {count} values that take no bytes")
        one, at = table[data[at]], at + 1
        for _ in range(count):
            value, at = one(data, at, depth + 1)
            found.append(Described(descriptor, value) if described else value)
        if at != end:
            raise DecodeError("an array has another length than it says")
        return found, end

    return read


def _described(table: list[Decoder]) -> Decoder:
    def read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        if depth >= _MAX_DEPTH:
            raise DecodeError(f"values are nested more than {_MAX_DEPTH} deep")
        descriptor, at = table[data[at]](data, at + 1, depth + 1)
        value, at = table[data[at]](data, at + 1, depth + 1)
        return Described(descriptor, value), at

    return read


def _unknown(code: int) -> Decoder:
    def read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        raise DecodeError(f"there is no AMQP type {code:#x}")

    return read


def _table(uint: Callable[[Any], Any] | None, ulong: Callable[[Any], Any] | None) -> list[Decoder]:
    table = [_unknown(code) for code in range(256)]
    known: dict[int, Decoder] = {
        0x00: _described(table), 0x40: _constant(None), 0x41: _constant(True), 0x42: _constant(False),
        0x43: _constant(uint(0) if uint else 0), 0x44: _constant(ulong(0) if ulong else 0),
        0x45: lambda data, at, depth: ([], at), 0x50: _small(Ubyte), 0x51: _fixed("b", Byte), 0x52: _small(uint),
        0x53: _small(ulong), 0x54: _fixed("b", Int32), 0x55: _fixed("b"), 0x56: _boolean, 0x60: _fixed("H", Ushort),
        0x61: _fixed("h", Short), 0x70: _fixed("I", uint), 0x71: _fixed("i", Int32), 0x72: _fixed("f", Float32),
        0x73: _char, 0x74: _decimal(0x74, 4), 0x80: _fixed("Q", ulong), 0x81: _fixed("q"), 0x82: _fixed("d"),
        0x83: _fixed("q", Timestamp), 0x84: _decimal(0x84, 8), 0x94: _decimal(0x94, 16), 0x98: _uuid,
        0xA0: _binary8, 0xB0: _binary32, 0xA1: _string8, 0xB1: _string32, 0xA3: _symbol8, 0xB3: _symbol32,
        0xC0: _list(table, 1), 0xD0: _list(table, 4), 0xC1: _map(table, 1), 0xD1: _map(table, 4),
        0xE0: _array(table, 1), 0xF0: _array(table, 4),
    }  # fmt: skip
    for code, decoder in known.items():
        table[code] = decoder
    return table


_FAST, _EXACT = _table(None, None), _table(Uint, Ulong)
