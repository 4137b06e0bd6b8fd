"""The binary form of batches: records of rows, as the .NET client sends and reads them.

A body is a segment's head and then records, each of a head (length and checksum of its row) and a row. A row has a
mask that says which fields it has: fixed ones first, which have their place in any case, then those of variable
length, then sparse ones, which name themselves. Numbers are little-endian. Source: the sources of
Microsoft.Azure.Cosmos and its HybridRow.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from localazure.cosmos.errors import BadRequest

FIRST = 0x81
"""The first byte of every row, and so of every body."""
_SEGMENT = bytes.fromhex("81F0D8FF7F010A000000")
_RECORD = bytes.fromhex("81F1D8FF7F")
_OPERATION = bytes.fromhex("817054E17F")
_RESULT = bytes.fromhex("817154E17F")
_RESOURCE_TYPE, _PARTITION_KEY, _EFFECTIVE_KEY, _ID, _BINARY_ID, _BODY = range(1, 7)
_FALSE, _TRUE, _TEXT = 0x02, 0x03, 0x14
_UINT32, _FLOAT64 = 0x0B, 0x10
_RETRY_AFTER, _CHARGE = 5, 6
_FIXED_SPARSE = {0x05: 1, 0x06: 2, 0x07: 4, 0x08: 8, 0x09: 1, 0x0A: 2, 0x0B: 4, 0x0C: 8, 0x0F: 4, 0x10: 8}
"""Sparse types of a fixed length."""
_DOCUMENT = 2


@dataclass
class OperationRow:
    """One operation: a number for its kind, texts for what it is about, and its sparse fields by their tokens."""

    kind: int
    partition_key: str | None = None
    effective_key: bytes | None = None
    id: str | None = None
    body: bytes | None = None
    sparse: dict[int, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultRow:
    status: int
    substatus: int
    etag: str | None
    body: bytes | None
    charge: float
    retry_after: int = 0


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def take(self, count: int) -> bytes:
        found = self._data[self._place : self._place + count]
        if count < 0 or len(found) != count:
            raise BadRequest("the batch ends inside a row")
        self._place += count
        return found

    def expect(self, begun: bytes, name: str) -> None:
        if self.take(len(begun)) != begun:
            raise BadRequest(f"the batch has no {name} where one begins")

    def uint32(self) -> int:
        return int(struct.unpack("<I", self.take(4))[0])

    def varint(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            (byte,) = self.take(1)
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
        raise BadRequest("a length in the batch is too long")

    def variable(self) -> bytes:
        return self.take(self.varint())

    def text(self) -> str:
        try:
            return self.variable().decode()
        except UnicodeDecodeError as exc:
            raise BadRequest("a text in the batch is not UTF-8") from exc

    def ends(self) -> bool:
        return self._place >= len(self._data)


def read_operations(data: bytes) -> Iterator[OperationRow]:
    """The operations of a body. Raises BadRequest for bytes of another form, a wrong checksum among them."""
    reader = _Reader(data)
    reader.expect(_SEGMENT, "segment")
    while not reader.ends():
        reader.expect(_RECORD, "record")
        length, checksum = reader.uint32(), reader.uint32()
        row = reader.take(length)
        if zlib.crc32(row) != checksum:
            raise BadRequest("the checksum of a record is wrong")
        yield _operation(_Reader(row))


def _operation(reader: _Reader) -> OperationRow:
    reader.expect(_OPERATION, "operation")
    (mask,) = reader.take(1)
    kind, resource = reader.uint32(), reader.uint32()  # there even where the mask has them not
    if not mask & 1 or (mask & 1 << _RESOURCE_TYPE and resource != _DOCUMENT):
        raise BadRequest("an operation of a batch has a kind, and is about items")
    row = OperationRow(kind)
    if mask & 1 << _PARTITION_KEY:
        row.partition_key = reader.text()
    if mask & 1 << _EFFECTIVE_KEY:
        row.effective_key = reader.variable()
    if mask & 1 << _ID:
        row.id = reader.text()
    if mask & 1 << _BINARY_ID:
        reader.variable()
    if mask & 1 << _BODY:
        row.body = reader.variable()
    while not reader.ends():
        (type_of_value,) = reader.take(1)
        token = reader.varint()
        row.sparse[token] = _sparse(reader, type_of_value)
    return row


def _sparse(reader: _Reader, kind: int) -> Any:
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE
    if kind == _TEXT:
        return reader.text()
    if kind in _FIXED_SPARSE:
        return reader.take(_FIXED_SPARSE[kind])
    raise BadRequest(f"a row of the batch has a field of the type {kind:#04x}, which the local server does not know")


def written_results(results: Iterable[ResultRow]) -> bytes:
    """The body of an answer."""
    records = [_SEGMENT]
    for result in results:
        row = _written(result)
        records += (_RECORD, struct.pack("<II", len(row), zlib.crc32(row)), row)
    return b"".join(records)


def _written(result: ResultRow) -> bytes:
    mask, variable = 1 | (2 if result.substatus else 0), b""
    fixed = struct.pack("<ii", result.status, result.substatus)  # there even where the mask has it not
    if result.etag is not None:
        mask |= 4
        variable += _sized(result.etag.encode())
    if result.body is not None:
        mask |= 8
        variable += _sized(result.body)
    sparse = b""
    if result.retry_after:
        sparse += bytes([_UINT32]) + _varint(_RETRY_AFTER) + struct.pack("<I", result.retry_after)
    if result.charge:
        sparse += bytes([_FLOAT64]) + _varint(_CHARGE) + struct.pack("<d", result.charge)
    return _RESULT + bytes([mask]) + fixed + variable + sparse


def _sized(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
