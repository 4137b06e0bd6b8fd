"""Effective partition keys: where a partition key lies in the range of all, and parts of that range.

The client asks for one key's changes, or for a part of a container, by such ranges. They are upper-case hexadecimal
texts that are compared as texts. In the first version of the hash the client takes whole numbers modulo 2**32, but
not the same numbers written with a fraction; here a number has one hash, so such keys cannot be asked for by it.
Sources: the source of azure-cosmos 4.17 (`partition_key.py`); MurmurHash3 is in the
public domain, by Austin Appleby.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MULTI_HASH = 3
"""The version of the hash of hierarchical partition keys, as it is called here: version 2, value by value."""

SPACE = 2**126
"""How many cuts a physical range can begin at: as many as the second version of the hash has values."""

_MASK32, _MASK64 = 2**32 - 1, 2**64 - 1
_MAX_LENGTH_V1 = 100
"""Characters of a text that the first version hashes, and bytes of it that it spells out."""


@dataclass(frozen=True)
class Span:
    """From `least` up to, but without, `most`."""

    least: str
    most: str

    def holds(self, key: str, version: int) -> bool:
        """Whether items of the partition key (in its canonical form) lie here."""
        return self.least <= effective(key, version) < self.most

    def overlaps(self, other: Span) -> bool:
        return self.least < other.most and other.least < self.most

    def covers(self, other: Span) -> bool:
        return self.least <= other.least and other.most <= self.most

    def within(self, other: Span) -> Span:
        """What both have in common; an empty span if that is nothing."""
        return Span(max(self.least, other.least), min(self.most, other.most))


def cut(place: int, version: int) -> str:
    """The effective partition key at which a physical range begins, of `SPACE` places."""
    if place in (0, SPACE):
        return "FF" if place else ""
    if version == 1:
        return _spelled(float(place * 2**32 // SPACE)).hex().upper()
    return f"{place - 1:032X}"


def prefix(values: str) -> Span:
    """Where the items lie whose hierarchical partition key begins with these values (in their canonical form)."""
    least = effective(values, MULTI_HASH)
    return Span(least, f"{least}FF")


@lru_cache(maxsize=65_536)
def effective(key: str, version: int) -> str:
    """The effective partition key of a key in its canonical form, by the version of the container's hash."""
    values = json.loads(key)
    if version == MULTI_HASH:
        return "".join(_second_version([value]) for value in values)
    if version == 2:
        return _second_version(values)
    values = [value[:_MAX_LENGTH_V1] if isinstance(value, str) else value for value in values]
    hashed = float(_murmur32(b"".join(_hashed(value, b"\x00") for value in values)))
    return b"".join(_spelled(value) for value in (hashed, *values)).hex().upper()


def _second_version(values: list[Any]) -> str:
    low, high = _murmur128(b"".join(_hashed(value, b"\xff") for value in values))
    found = bytearray(high.to_bytes(8, "big") + low.to_bytes(8, "big"))
    found[0] &= 0x3F
    return found.hex().upper()


def _hashed(value: Any, end: bytes) -> bytes:
    """What is hashed of a value; `{}` stands for one that is not there."""
    if isinstance(value, bool):
        return b"\x03" if value else b"\x02"
    if value is None:
        return b"\x01"
    if isinstance(value, int | float):
        return b"\x05" + struct.pack("<d", value)
    return b"\x08" + value.encode() + end if isinstance(value, str) else b"\x00"


def _spelled(value: Any) -> bytes:
    """A value such that the order of the bytes is that of the values; after the hash, in the first version."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return b"\x05" + _spelled_number(value)
    if isinstance(value, str):
        encoded = value.encode()
        whole = len(encoded) <= _MAX_LENGTH_V1
        return b"\x08" + bytes(byte + 1 for byte in encoded[: _MAX_LENGTH_V1 + 1]) + (b"\x00" if whole else b"")
    return _hashed(value, b"")


def _spelled_number(value: float) -> bytes:
    """Eight bits, and then seven bits a byte: the last bit says whether more follow."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    payload = bits ^ 2**63 if bits < 2**63 else (~bits + 1) & _MASK64
    found = [payload >> 56]
    payload = (payload << 8) & _MASK64
    while payload:
        found.append(payload >> 56 | 1)
        payload = (payload << 7) & _MASK64
    if len(found) == 1:
        found.append(0)
    return bytes([*found[:-1], found[-1] & 0xFE])


def _rotated64(value: int, by: int) -> int:
    return (value << by | value >> (64 - by)) & _MASK64


def _mixed64(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & _MASK64
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & _MASK64
    return value ^ value >> 33


def _murmur128(data: bytes) -> tuple[int, int]:
    """MurmurHash3_x64_128 with seed 0."""
    first, second = 0x87C37B91114253D5, 0x4CF5AD432745937F
    h1 = h2 = 0
    blocks = len(data) // 16
    for place in range(0, blocks * 16, 16):
        k1, k2 = struct.unpack_from("<QQ", data, place)
        h1 ^= _rotated64(k1 * first & _MASK64, 31) * second & _MASK64
        h1 = ((_rotated64(h1, 27) + h2) * 5 + 0x52DCE729) & _MASK64
        h2 ^= _rotated64(k2 * second & _MASK64, 33) * first & _MASK64
        h2 = ((_rotated64(h2, 31) + h1) * 5 + 0x38495AB5) & _MASK64
    k1, k2 = struct.unpack("<QQ", data[blocks * 16 :].ljust(16, b"\0"))
    h2 ^= _rotated64(k2 * second & _MASK64, 33) * first & _MASK64
    h1 ^= _rotated64(k1 * first & _MASK64, 31) * second & _MASK64
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = (h1 + h2) & _MASK64
    h2 = (h2 + h1) & _MASK64
    h1, h2 = _mixed64(h1), _mixed64(h2)
    h1 = (h1 + h2) & _MASK64
    return h1, (h2 + h1) & _MASK64


def _rotated32(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & _MASK32


def _murmur32(data: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0."""
    found = 0
    blocks = len(data) // 4
    for place in range(0, blocks * 4, 4):
        (block,) = struct.unpack_from("<I", data, place)
        found ^= _rotated32(block * 0xCC9E2D51 & _MASK32, 15) * 0x1B873593 & _MASK32
        found = (_rotated32(found, 13) * 5 + 0xE6546B64) & _MASK32
    rest = int.from_bytes(data[blocks * 4 :], "little")
    found ^= _rotated32(rest * 0xCC9E2D51 & _MASK32, 15) * 0x1B873593 & _MASK32
    found ^= len(data)
    found = (found ^ found >> 16) * 0x85EBCA6B & _MASK32
    found = (found ^ found >> 13) * 0xC2B2AE35 & _MASK32
    return found ^ found >> 16
