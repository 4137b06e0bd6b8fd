"""Reading and planning a replay: whatever the file holds, each row ends in exactly one place."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.dataset import FILE
from scripts.replay.books import close
from scripts.replay.plan import MAX_LINES, Plan, make_plan
from scripts.replay.rows import COLUMNS, Malformed, NotTheFormat, read, tag
from scripts.replay.shopping import Outcome
from shared.money import MAX_AMOUNT


def written(path: Path, rows: list[dict[str, str]], encoding: str = "utf-8") -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def row(**changes: str) -> dict[str, str]:
    usual = {
        "InvoiceNo": "536365",
        "StockCode": "85123A",
        "Description": "HEART",
        "Quantity": "6",
        "InvoiceDate": "12/1/2010 8:26",
        "UnitPrice": "2.55",
        "CustomerID": "17850",
        "Country": "United Kingdom",
    }
    return {**usual, **changes}


def places(plan: Plan) -> Counter[int]:
    """How often each row's number is somewhere in the plan."""
    found: Counter[int] = Counter(plan.rejected)
    for number in plan.rejected:
        found[number] = 1
    ordered = [line for order in plan.orders for line in order.lines]
    for line in (*ordered, *plan.returns, *plan.write_offs, *plan.gifts, *plan.finds):
        found[line.row] += 1
    return found


_texts = {
    "InvoiceNo": st.sampled_from(["1", "2", "C3", "c4", "A5", "", " 6 "]),
    "StockCode": st.sampled_from(["85123A", "POST", "M", "gift_0001_80", "Ünicode", "x" * 30, "", "C2"]),
    "Description": st.text(max_size=20),
    "Quantity": st.one_of(
        st.integers(-120_000, 120_000).map(str), st.sampled_from(["", "ten", "1.5", "1e3", "NaN", "Infinity"])
    ),
    "InvoiceDate": st.sampled_from(["12/1/2010 8:26", "2010-12-01 08:26:00", "31/12/2010 08:26", "yesterday", ""]),
    "UnitPrice": st.one_of(
        st.decimals(-5, 2_000_000, places=2).map(str), st.sampled_from(["0", "0.001", "", "-1", "Infinity", "£2"])
    ),
    "CustomerID": st.sampled_from(["", "17850", "12345"]),
    "Country": st.just("United Kingdom"),
}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.fixed_dictionaries(_texts), max_size=12))
def test_every_row_is_in_one_place(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]) -> None:
    path = written(tmp_path_factory.mktemp("rows") / "f.csv", rows)
    found = list(read(path))
    plan = make_plan(found, "abcdef")
    assert plan.rows == len(found)
    assert set(places(plan).values()) <= {1}
    assert sum(places(plan).values()) == plan.rows
    for order in plan.orders:
        assert 0 < len(order.lines) <= MAX_LINES and 0 < order.pence <= MAX_AMOUNT
        assert order.key.isascii() and " " not in order.key
    assert len({order.key for order in plan.orders}) == len(plan.orders)
    assert all(pieces >= 0 for pieces in plan.start.values())
    assert all(plan.start[sku] + change >= 0 for sku, change in plan.change.items() if change < 0)
    assert all(len(sku) <= 40 for sku in plan.start)
    books = close(plan, Outcome(), {})
    assert len(books["differences"]) >= len(plan.orders), "what was not settled is told"


def test_the_repositorys_file() -> None:
    plan = make_plan(read(FILE), tag(FILE))
    assert (plan.rows, len(plan.orders)) == (5217, 268)
    assert sum(places(plan).values()) == 5217
    assert set(plan.rejected.values()) == {"book-keeping: nothing is sold"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    (found,) = read(written(tmp_path / "f.csv", [row(Description="Café £5")], encoding))
    assert not isinstance(found, Malformed) and found.name == "Café £5"


def test_rows_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = written(tmp_path / "f.csv", [row(), row(Quantity="x"), row(InvoiceDate="x"), row(InvoiceNo="")])
    with path.open("a") as file:
        file.write("1,2,3\n1,2,3,4,5,6,7,8,9,10\n")
    found = list(read(path))
    assert [item.number for item in found if isinstance(item, Malformed)] == [3, 4, 5, 6, 7]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(NotTheFormat, match="lacks the column InvoiceNo, StockCode"):
        list(read(path))


def test_what_rows_become(tmp_path: Path) -> None:
    rows = [
        row(),
        row(UnitPrice="2.10"),
        row(InvoiceNo="C1", Quantity="-2"),
        row(InvoiceNo="7", Quantity="-3", UnitPrice="0", CustomerID=""),
        row(InvoiceNo="8", UnitPrice="0"),
        row(InvoiceNo="9", UnitPrice="0", CustomerID=""),
        row(StockCode="M"),
        row(Quantity="0"),
        row(InvoiceNo="C2"),
        row(UnitPrice="2.555"),
    ]
    plan = make_plan(read(written(tmp_path / "f.csv", rows)), "abcdef")
    (order,) = plan.orders
    assert [(line.sku, line.pieces) for line in order.lines] == [("85123A.255.abcdef", 6), ("85123A.210.abcdef", 6)]
    assert order.pence == 6 * 255 + 6 * 210
    assert [len(lines) for lines in (plan.returns, plan.write_offs, plan.gifts, plan.finds)] == [1, 1, 1, 1]
    assert plan.start == {"85123A.255.abcdef": 6, "85123A.210.abcdef": 6, "85123A.0.abcdef": 3 + 6}
    assert plan.change == {"85123A.255.abcdef": 2, "85123A.0.abcdef": -3 - 6 + 6}
    assert sorted(plan.rejected) == [8, 9, 10, 11]


def test_an_invoice_too_large_for_one_order_becomes_several(tmp_path: Path) -> None:
    rows = [row(StockCode=f"S{number}") for number in range(2_500)]
    plan = make_plan(read(written(tmp_path / "f.csv", rows)), "abcdef")
    assert [len(order.lines) for order in plan.orders] == [1_000, 1_000, 500]
    dear = [row(StockCode=f"S{number}", Quantity="90", UnitPrice="10000") for number in range(2)]
    plan = make_plan(read(written(tmp_path / "g.csv", dear)), "abcdef")
    assert [order.pence for order in plan.orders] == [90_000_000, 90_000_000]
