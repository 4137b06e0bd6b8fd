"""The rows of an import file: where each ends, and what it says. Pure.

CSV is RFC 4180: a header names the columns, a quote within a quoted field stands twice. NDJSON has one JSON object on
each line. A row that cannot be read is one row, wherever it ends: what lies inside its quotes is never taken for rows.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from shared.errors import InvalidRequest
from shared.web.body import without_values

Format = Literal["csv", "ndjson"]
MAX_ROW_BYTES = 65_536
"""A name and a description as long as may be, each character at its longest and each quote doubled, take half of it."""
REQUIRED = ("sku", "name", "category", "price.amount", "price.currency")
OPTIONAL = ("description", "listed", "free")
_FIELD = re.compile(rb'(?:"((?:[^"]|"")*)"|([^",]*))(,|\Z)')
_DELIMITER = re.compile(rb"[,\n]")
_DIGITS = re.compile(r"-?[0-9]{1,18}")
_TRUTHS = {"true": True, "false": False}


class RefusedRow(Exception):
    """A row that is not imported. `code` is stable; `detail` holds nothing of the row's values."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Record:
    """A row as it lies in the file: the line that it begins in, from 1, and where the next one begins.

    `content` is without the line's end; `None` where the row is longer than may be, or its quotes are never closed.
    """

    line: int
    content: bytes | None
    next_offset: int
    next_line: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """Where the rows of a file begin, and what its columns are (of CSV)."""

    offset: int
    line: int
    columns: tuple[str, ...] = ()


class Cutter:
    """Cuts a file into records. It is given piece by piece, from `offset` on, where `line` begins."""

    def __init__(self, format_: Format, offset: int, line: int) -> None:
        self._quotes = format_ == "csv"
        self._offset, self._line = offset, line
        self._lines = 0
        """Line feeds in the part of the record that is dropped already."""
        self._dropped = 0
        self._buffer = b""
        self._at = 0
        self._state = "start"

    def feed(self, piece: bytes, last: bool = False) -> Iterator[Record]:
        """The records that end in this piece; with the last piece the rest, whatever it is."""
        self._buffer += piece
        begin = 0
        while (end := self._end(begin)) >= 0:
            yield self._record(self._buffer[begin:end], end - begin, "")
            begin = end
        self._buffer, self._at = self._buffer[begin:], self._at - begin
        if last:
            if self._buffer or self._dropped:
                problem = "the quotes that open in this row are never closed" if self._state == "quoted" else ""
                yield self._record(self._buffer, len(self._buffer), problem)
            self._buffer, self._at, self._state = b"", 0, "start"
        elif len(self._buffer) > MAX_ROW_BYTES:
            self._lines += self._buffer.count(b"\n", 0, self._at)
            self._dropped += self._at
            self._buffer, self._at = self._buffer[self._at :], 0

    def _record(self, content: bytes, length: int, problem: str) -> Record:
        size = self._dropped + length
        line = self._line
        self._offset += size
        self._line += self._lines + content.count(b"\n")
        self._dropped = self._lines = 0
        if not problem and size > MAX_ROW_BYTES:
            problem = f"the row is longer than {MAX_ROW_BYTES} bytes"
        content = content.removesuffix(b"\n").removesuffix(b"\r")
        return Record(line, None if problem else content, self._offset, self._line, problem)

    def _end(self, begin: int) -> int:
        """Where the record that begins there ends, behind its line feed; -1 where that is not in the buffer."""
        buffer = self._buffer
        if self._state == "start" and self._at == begin and not self._dropped:
            end = buffer.find(b"\n", begin)
            if end >= 0 and not (self._quotes and buffer.find(b'"', begin, end) >= 0):
                self._at = end + 1
                return end + 1
        while self._at < len(buffer):
            if self._state == "quoted":
                found = buffer.find(b'"', self._at)
                self._at = len(buffer) if found < 0 else found + 1
                self._state = "quoted" if found < 0 else "quote"
            elif self._opens():
                self._at, self._state = self._at + 1, "quoted"
            else:
                match = _DELIMITER.search(buffer, self._at) if self._quotes else None
                found = match.start() if match else (-1 if self._quotes else buffer.find(b"\n", self._at))
                if found < 0:
                    self._at, self._state = len(buffer), "plain"
                    return -1
                self._at, self._state = found + 1, "start"
                if buffer[found] == 0x0A:
                    return found + 1
        return -1

    def _opens(self) -> bool:
        """Whether the next byte is a quote that begins a quoted field, or goes on with it behind another one."""
        begins = self._state == "start" and self._quotes
        return (begins or self._state == "quote") and self._buffer[self._at] == ord('"')


def begin(content: bytes, format_: Format) -> Start:
    """Where the rows begin. Raises InvalidRequest for another encoding, and for a header that is not one."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InvalidRequest("the file must be UTF-8")
    offset = len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0
    if format_ == "ndjson":
        return Start(offset, 1)
    head = content[offset : offset + MAX_ROW_BYTES + 1]
    header = next(Cutter("csv", offset, 1).feed(head, last=True), None)
    columns = None if header is None or header.content is None else _fields(header.content)
    if columns is None or header is None:
        raise InvalidRequest("the first line must name the columns")
    unknown = [name for name in columns if name not in (*REQUIRED, *OPTIONAL)]
    missing = [name for name in REQUIRED if name not in columns]
    if unknown or missing or len(set(columns)) != len(columns):
        raise InvalidRequest(
            f"the first line must name each of the columns {', '.join(REQUIRED)} once, and may name "
            f"{', '.join(OPTIONAL)}; no others"
        )
    return Start(header.next_offset, header.next_line, tuple(columns))


def read(record: Record, columns: Sequence[str], shape: type[Any]) -> Any:
    """The row as `shape`, `None` for an empty line. `columns`: those of a CSV file. Raises RefusedRow."""
    if record.content is None:
        raise RefusedRow("malformed-row", record.problem)
    if not record.content.strip():
        return None
    try:
        if not columns:
            return msgspec.json.decode(record.content, type=shape)
        return msgspec.convert(_row(record.content, columns), shape)
    except msgspec.ValidationError as exc:
        raise RefusedRow("invalid-row", without_values(exc)) from exc
    except (msgspec.DecodeError, RecursionError, UnicodeError) as exc:
        raise RefusedRow("malformed-row", "the row is not valid JSON in UTF-8") from exc


def _row(content: bytes, columns: Sequence[str]) -> dict[str, Any]:
    """What the columns say, as JSON would have it; an empty field says nothing. Raises RefusedRow."""
    fields = _fields(content)
    if fields is None:
        raise RefusedRow(
            "malformed-row", "the row is not CSV in UTF-8; a field with quotes is quoted, and they are doubled"
        )
    if len(fields) != len(columns):
        raise RefusedRow("malformed-row", f"the row has {len(fields)} fields and the header {len(columns)}")
    row: dict[str, Any] = {}
    for name, text in zip(columns, fields, strict=True):
        value: Any = text
        if name in ("listed", "free"):
            value = _TRUTHS.get(text, text)
        elif name == "price.amount" and _DIGITS.fullmatch(text):
            value = int(text)
        place, _, part = name.partition(".")
        if text and part:
            row.setdefault(place, {})[part] = value
        elif text:
            row[place] = value
    return row


def _fields(content: bytes) -> list[str] | None:
    """The fields of a CSV record; `None` where it is not one, or not UTF-8."""
    try:
        if b'"' not in content:
            return content.decode().split(",")
        fields, at = list[str](), 0
        while (match := _FIELD.match(content, at)) is not None:
            quoted, plain, end = match.groups()
            fields.append((plain if quoted is None else quoted.replace(b'""', b'"')).decode())
            at = match.end()
            if not end:
                return fields
        return None
    except UnicodeDecodeError:
        return None
