"""Values → bytes."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from localazure.servicebus.amqp.types import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Encoded,
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

_U32 = struct.Struct(">I").pack
_TWO = struct.Struct(">II").pack
NULL, TRUE, FALSE = b"\x40", b"\x41", b"\x42"


def encode(value: Any) -> bytes:
    """A value in the form of its type. Raises TypeError for what AMQP has no type for, OverflowError for a number
    that its type does not hold."""
    try:
        encoder = _ENCODERS[type(value)]
    except KeyError:
        raise TypeError(f"AMQP has no type for {type(value).__name__}") from None
    try:
        return encoder(value)
    except struct.error as exc:
        raise OverflowError(f"{value!r} does not fit into its AMQP type") from exc


def uint(value: int) -> bytes:
    if value == 0:
        return b"\x43"
    return bytes((0x52, value)) if value < 256 else b"\x70" + _U32(value)


def ulong(value: int) -> bytes:
    if value == 0:
        return b"\x44"
    return bytes((0x53, value)) if value < 256 else b"\x80" + struct.pack(">Q", value)


def boolean(value: bool) -> bytes:
    return TRUE if value else FALSE


def binary(value: bytes) -> bytes:
    return _sized(0xA0, value)


def string(value: str) -> bytes:
    return _sized(0xA1, value.encode())


def symbol(value: str) -> bytes:
    return _sized(0xA3, value.encode("ascii"))


def _sized(small: int, content: bytes) -> bytes:
    size = len(content)
    return bytes((small, size)) + content if size < 256 else bytes((small + 0x10,)) + _U32(size) + content


def sequence(parts: Sequence[bytes]) -> bytes:
    """A list of values that are encoded already."""
    return _compound(0xC0, parts)


def mapping(parts: Sequence[bytes]) -> bytes:
    """A map of keys and values in turn that are encoded already."""
    return _compound(0xC1, parts)


def _compound(small: int, parts: Sequence[bytes]) -> bytes:
    body = b"".join(parts)
    if len(body) < 255 and len(parts) < 256:
        return bytes((small, len(body) + 1, len(parts))) + body
    return bytes((small + 0x10,)) + _TWO(len(body) + 4, len(parts)) + body


def described(code: int, value: bytes) -> bytes:
    """A described value of the standard; `value` is encoded already."""
    return b"\x00" + ulong(code) + value


def array(kind: Callable[[Any], bytes], values: Iterable[Any]) -> bytes:
    """An array of strings, uuids or other values whose type has one form in `kind`."""
    return _array([kind(value) for value in values])


def _array(encoded: Sequence[bytes]) -> bytes:
    """Elements that are encoded with one constructor each, and all with the same."""
    constructor = encoded[0][:1] if encoded else NULL
    body = constructor + b"".join(part[1:] for part in encoded)
    return b"\xf0" + _TWO(len(body) + 4, len(encoded)) + body


def long(value: int) -> bytes:
    return b"\x81" + struct.pack(">q", value)


def timestamp(milliseconds: int) -> bytes:
    return b"\x83" + struct.pack(">q", milliseconds)


def wide_string(value: str) -> bytes:
    """A string in the form that holds any length, as an array's elements need one form."""
    content = value.encode()
    return b"\xb1" + _U32(len(content)) + content


def _encode_array(value: Array) -> bytes:
    if not value:
        return b"\xf0" + _TWO(5, 0) + bytes((value.constructor,))
    return _array([_wide(item) for item in value])


def _wide(value: Any) -> bytes:
    """A value in the widest form of its type."""
    if isinstance(value, Described):
        raise TypeError("arrays of described values are not written")
    found = encode(value)
    code = found[0]
    if code in (0xA0, 0xA1, 0xA3):
        return bytes((code + 0x10,)) + _U32(found[1]) + found[2:]
    if code in (0xC0, 0xC1):
        return bytes((code + 0x10,)) + _TWO(found[1] + 3, found[2]) + found[3:]
    if code in (0x41, 0x42):
        return bytes((0x56, code == 0x41))
    widened = {0x43: b"\x70" + bytes(4), 0x44: b"\x80" + bytes(8), 0x45: b"\xd0" + _TWO(4, 0)}
    if code in (0x52, 0x53):
        return (b"\x70" + bytes(3) if code == 0x52 else b"\x80" + bytes(7)) + found[1:]
    return widened.get(code, found)


def _packed(code: int, layout: str) -> Callable[[Any], bytes]:
    pack = struct.Struct(f">{layout}").pack
    head = bytes((code,))
    return lambda value: head + pack(value)


def _map(value: Mapping[Any, Any]) -> bytes:
    return mapping([encode(part) for pair in value.items() for part in pair])


def _list(value: Sequence[Any]) -> bytes:
    return sequence([encode(part) for part in value]) if value else b"\x45"


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda value: NULL,
    bool: boolean,
    int: long,
    float: _packed(0x82, "d"),
    str: string,
    bytes: binary,
    uuid.UUID: lambda value: b"\x98" + value.bytes,
    list: _list,
    dict: _map,
    Ubyte: _packed(0x50, "B"),
    Ushort: _packed(0x60, "H"),
    Uint: uint,
    Ulong: ulong,
    Byte: _packed(0x51, "b"),
    Short: _packed(0x61, "h"),
    Int32: _packed(0x71, "i"),
    Float32: _packed(0x72, "f"),
    Timestamp: timestamp,
    Char: lambda value: b"\x73" + value.encode("utf-32-be"),
    Symbol: symbol,
    Array: _encode_array,
    Decimal: lambda value: bytes((value.constructor,)) + value.raw,
    Described: lambda value: b"\x00" + encode(value.descriptor) + encode(value.value),
    Encoded: bytes,
}
