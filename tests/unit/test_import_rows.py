"""The rows of an import file: whatever a file holds, each row is one row, and a bad one is told by its line."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.catalog import rows
from blueprints.catalog.imports import ProductRow
from blueprints.catalog.rows import MAX_ROW_BYTES, OPTIONAL, REQUIRED, Cutter, Format, RefusedRow
from shared.errors import InvalidRequest
from shared.money import Money

COLUMNS = (*REQUIRED, *OPTIONAL)
HEADER = ",".join(REQUIRED).encode() + b"\n"
GOOD = b"A1,Lamp,home,250,GBP\n"


def cut(content: bytes, format_: Format, size: int) -> list[rows.Record]:
    """The records of a file that comes in pieces of this size."""
    start = rows.begin(content, format_)
    cutter, found = Cutter(format_, start.offset, start.line), list[rows.Record]()
    for at in range(start.offset, len(content), size):
        found += cutter.feed(content[at : at + size])
    return [*found, *cutter.feed(b"", last=True)]


def outcomes(content: bytes, format_: Format = "csv", size: int = 1 << 20) -> list[tuple[int, Any]]:
    """By line: the row, or the code of what is wrong with it."""
    columns, found = rows.begin(content, format_).columns, list[tuple[int, Any]]()
    for record in cut(content, format_, size):
        try:
            row = rows.read(record, columns, ProductRow)
        except RefusedRow as refused:
            found.append((record.line, refused.code))
        else:
            found += [] if row is None else [(record.line, row)]
    return found


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
FIELDS = st.text(st.sampled_from('ab",;\n\r\té€'), max_size=12)


@given(
    st.lists(st.lists(FIELDS, min_size=5, max_size=5), max_size=8), st.integers(1, 40), st.sampled_from(["\n", "\r\n"])
)
def test_what_a_csv_writer_writes_is_read_as_it_was_in_pieces_of_any_size(
    table: list[list[str]], size: int, end: str
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    content = HEADER + text.getvalue().encode()
    records = cut(content, "csv", size)
    assert [rows._fields(record.content or b"") for record in records] == table
    line = 2
    for record, row in zip(records, table, strict=True):
        assert record.line == line
        line += 1 + sum(field.count("\n") for field in row)
    assert [record.next_offset for record in records[-1:]] == [len(content)] * bool(table)


@given(st.binary(max_size=300) | st.text(st.sampled_from('a1",\n\r{}:'), max_size=80).map(str.encode), st.data())
def test_whatever_a_file_holds_its_records_are_the_whole_of_it_however_it_comes(
    tail: bytes, data: st.DataObject
) -> None:
    format_: Format = data.draw(st.sampled_from(["csv", "ndjson"]))
    content = (HEADER if format_ == "csv" else b"{}\n") + tail
    start = rows.begin(content, format_)
    records = cut(content, format_, 1 << 20)
    assert cut(content, format_, data.draw(st.integers(1, 20))) == records
    places = [(start.offset, start.line), *((record.next_offset, record.next_line) for record in records)]
    assert places == sorted(places) and places[-1][0] == len(content)
    for (offset, line), record in zip(places, records, strict=False):
        assert record.line == line
        again = next(Cutter(format_, offset, line).feed(content[offset:], last=True))
        assert again == record, "a record is the same for who begins there"
        try:
            rows.read(record, start.columns, ProductRow)
        except RefusedRow as refused:
            assert refused.code in ("malformed-row", "invalid-row") and refused.detail


@given(
    st.lists(
        st.tuples(TEXT.filter(str.strip), st.integers(1, 99_999_999), st.none() | TEXT, st.booleans()), max_size=6
    ),
    st.booleans(),
)
def test_both_formats_say_the_same(products: list[tuple[str, int, str | None, bool]], bom: bool) -> None:
    text, lines = io.StringIO(), list[str]()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for number, (name, amount, description, listed) in enumerate(products):
        sku, price = f"S{number}", {"amount": amount, "currency": "GBP"}
        writer.writerow([sku, name, "home", amount, "GBP", description or "", str(listed).lower(), ""])
        said = {"sku": sku, "name": name, "category": "home", "price": price, "listed": listed}
        lines.append(json.dumps(said | ({"description": description} if description else {})))
    mark = b"\xef\xbb\xbf" if bom else b""
    as_csv = [row for _, row in outcomes(mark + text.getvalue().encode())]
    as_json = [row for _, row in outcomes(mark + "\n".join(lines).encode(), "ndjson")]
    assert as_csv == as_json
    assert [row.price for row in as_csv] == [Money(amount, "GBP") for _, amount, _, _ in products]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"A2,Lamp,home,250,GBP,more\n", "malformed-row"),
        (b"A2,Lamp,home,250\n", "malformed-row"),
        (b"A2,La\xffmp,home,250,GBP\n", "malformed-row"),
        (b'A2,5" lamp,home,250,GBP\n', "malformed-row"),
        (b'A2,"Lamp"x,home,250,GBP\n', "malformed-row"),
        (b'A2,"two\nlines"x,home,250,GBP\n', "malformed-row"),
        (b'A2,"' + GOOD * 5_000 + b'",home,250,GBP\n', "malformed-row"),
        (b"A2," + b"x" * MAX_ROW_BYTES + b",home,250,GBP\n", "malformed-row"),
        (b"A2,Lamp,home,2.50,GBP\n", "invalid-row"),
        (b"A2,Lamp,home,-1,GBP\n", "invalid-row"),
        (b"A2,Lamp,home,,GBP\n", "invalid-row"),
        (b"A2,Lamp,home,999999999,GBP\n", "invalid-row"),
        (b"A2,Lamp,home,250,gbp\n", "invalid-row"),
        (b"A2,Lamp,Home!,250,GBP\n", "invalid-row"),
        (b"A2, ,home,250,GBP\n", "invalid-row"),
        (b"../A2,Lamp,home,250,GBP\n", "invalid-row"),
        (b"A2," + b"x" * 201 + b",home,250,GBP\n", "invalid-row"),
    ],
)
@pytest.mark.parametrize("size", [1 << 20, 700])
def test_a_bad_row_is_one_row_and_its_neighbours_are_whole(bad: bytes, code: str, size: int) -> None:
    found = outcomes(HEADER + GOOD + bad + b"\n" + GOOD, size=size)
    assert [(line, what if isinstance(what, str) else what.sku) for line, what in found] == [
        (2, "A1"),
        (3, code),
        (4 + bad.count(b"\n"), "A1"),
    ]


def test_quotes_that_are_never_closed_end_the_file_and_nothing_in_them_is_a_row() -> None:
    found = outcomes(HEADER + GOOD + b'A2,"Lamp,home,250,GBP\n' + GOOD * 5_000, size=4_096)
    assert [(line, what if isinstance(what, str) else what.sku) for line, what in found] == [
        (2, "A1"),
        (3, "malformed-row"),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        b"nonsense",
        b'{"sku": "A"',
        b"[]",
        b"5",
        b'{"sku": "A"} {}',
        b"[" * 60_000,
        b'{"sku": "\xff"}',
        b'{"sku": "' + b"x" * MAX_ROW_BYTES + b'"}',
        b'{"sku": "A2", "name": "Lamp", "category": "home", "price": {"amount": 1, "currency": "GBP"}, "stock": 5}',
        b'{"name": "Lamp", "category": "home", "price": {"amount": 1, "currency": "GBP"}}',
    ],
)
def test_a_bad_line_of_json_is_one_row(bad: bytes) -> None:
    good = b'{"sku": "A1", "name": "Lamp", "category": "home", "price": {"amount": 1, "currency": "GBP"}}\r\n'
    found = outcomes(good + b"\n" + bad + b"\n" + good, "ndjson", 4_096)
    assert [line for line, _ in found] == [1, 3, 4]
    assert isinstance(found[1][1], str) and [found[0][1].sku, found[2][1].sku] == ["A1", "A1"]


@pytest.mark.parametrize(
    "header",
    [
        b"sku,name,category,price.amount\n",
        b"sku,name,category,price.amount,price.currency,stock\n",
        b"sku,sku,name,category,price.amount,price.currency\n",
        b'"sku,name,category,price.amount,price.currency\n',
        b"sku,name,category,price.amount,price.currency\xff\n",
        b"\n" + HEADER,
        b"A1,Lamp,home,250,GBP\n",
        b"x" * (MAX_ROW_BYTES + 5),
        "sku,name,category,price.amount,price.currency\n".encode("utf-16"),
    ],
)
def test_a_file_whose_columns_are_not_clear_is_refused_as_a_whole(header: bytes) -> None:
    with pytest.raises(InvalidRequest):
        rows.begin(header + GOOD, "csv")


def test_nothing_of_a_row_is_said_again() -> None:
    mark = "4242424242424242"
    for content in (f"{mark}!,x,home,1,GBP", f'A,"{mark}"{mark},home,1,GBP', f"A,x,home,{mark}.5,GBP"):
        (record,) = cut(HEADER + content.encode(), "csv", 100)
        with pytest.raises(RefusedRow) as refused:
            rows.read(record, REQUIRED, ProductRow)
        assert mark not in refused.value.detail
