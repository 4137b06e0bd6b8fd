"""The values of AMQP 1.0 as Python has them, and the error for bytes that cannot be read.

Types that Python has one of, and AMQP several, are subclasses, so that what was read is written in its own type again:
an `int` is a long, a `str` a string, a `float` a double.
Source: AMQP 1.0 (OASIS), part 1, section 1.6.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class DecodeError(ValueError):
    """Bytes that cannot be read as AMQP."""


class Ubyte(int):
    pass


class Ushort(int):
    pass


class Uint(int):
    pass


class Ulong(int):
    pass


class Byte(int):
    pass


class Short(int):
    pass


class Int32(int):
    pass


class Float32(float):
    pass


class Timestamp(int):
    """Milliseconds since the epoch."""


class Char(str):
    pass


class Symbol(str):
    pass


class Array(list[Any]):
    """Values of one type. `constructor` and `described` say which, so that an empty one is written as it was read."""

    constructor: int = 0x40


class Decimal(NamedTuple):
    """A decimal32, decimal64 or decimal128, kept as its bytes: `constructor` tells which."""

    constructor: int
    raw: bytes


class Described(NamedTuple):
    """A value with a descriptor: a number for what the standard describes, a symbol for what others do."""

    descriptor: Any
    value: Any


class Encoded(bytes):
    """A value that is encoded already."""
