"""Reading a file of the data set's format, row by row, whoever wrote it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")
DATES = (
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%m/%d/%y %H:%M",
)


class NotTheFormat(ValueError):
    """The file is not of the format at all; the message says what is missing."""


@dataclass(frozen=True)
class Row:
    """One row that can be read. `number` is its line's number; `price` is in pounds."""

    number: int
    invoice: str
    code: str
    name: str
    quantity: int
    price: Decimal
    customer: str


@dataclass(frozen=True)
class Malformed:
    """One row that cannot be read, and why."""

    number: int
    why: str


def tag(path: Path) -> str:
    """Six hex digits that stand for the file's content: what a replay makes is named by them."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:6]


def read(path: Path) -> Iterator[Row | Malformed]:
    """Every row of the file. Raises NotTheFormat for one without the columns, OSError for one that is not there."""
    text = _decoded(path.read_bytes())
    lines = csv.DictReader(text.splitlines(keepends=True), strict=False)
    names = [(name or "").strip() for name in lines.fieldnames or ()]
    if missing := [name for name in COLUMNS if name not in names]:
        raise NotTheFormat(f"{path} lacks the column {', '.join(missing)}; the format is described in data/README.md")
    lines.fieldnames = names
    number = 1
    while True:
        number += 1
        try:
            found = next(lines)
        except StopIteration:
            return
        except csv.Error as exc:
            yield Malformed(number, f"not CSV: {exc}")
            continue
        yield _row(number, found)


def _decoded(content: bytes) -> str:
    for encoding in ENCODINGS[:-1]:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode(ENCODINGS[-1])


def _row(number: int, found: dict[str, str | None]) -> Row | Malformed:
    values = {name: (found.get(name) or "").strip() for name in COLUMNS}
    if None in found.values() or None in found:
        return Malformed(number, "another number of fields than columns")
    if not values["InvoiceNo"] or not values["StockCode"]:
        return Malformed(number, "no invoice or no stock code")
    try:
        quantity = int(Decimal(values["Quantity"]))
        if quantity != Decimal(values["Quantity"]):
            return Malformed(number, f"{values['Quantity']!r} is not a whole number of pieces")
        price = Decimal(values["UnitPrice"])
    except (InvalidOperation, ValueError, OverflowError):
        return Malformed(number, f"{values['Quantity']!r} at {values['UnitPrice']!r} is not a quantity and a price")
    if not price.is_finite():
        return Malformed(number, f"{values['UnitPrice']!r} is not a price")
    if not _is_date(values["InvoiceDate"]):
        return Malformed(number, f"{values['InvoiceDate']!r} is not a date and time")
    return Row(
        number, values["InvoiceNo"], values["StockCode"], values["Description"], quantity, price, values["CustomerID"]
    )


def _is_date(text: str) -> bool:
    for form in DATES:
        try:
            datetime.strptime(text, form)
            return True
        except ValueError:
            continue
    return False
