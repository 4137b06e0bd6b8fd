"""What Azure would bill of a row: the text of its columns, without those that are free or not stored."""

from __future__ import annotations

from typing import Any

from localazure.insights.schema import TABLES
from scripts.bench.ingestion import ADDED, FREE, billed, dropped, report
from scripts.bench.per_order import drawn_evenly

ROW: dict[str, Any] = {
    "name": "read",
    "duration": 1.5,
    "customDimensions": '{"charge":"1"}',
    "customMeasurements": None,
    "itemId": "free",
    "itemType": "free",
    "_ResourceId": "free",
    "iKey": "0" * 36,
    "cloud_RoleInstance": "vm",
}


def test_a_row_is_the_text_of_its_columns() -> None:
    assert billed(ROW, frozenset()) == len("read") + len("1.5") + len('{"charge":"1"}') + 36 + 16
    assert billed(ROW, frozenset({"IKey"})) == billed(ROW, frozenset()) - 36
    assert billed({"name": "é"}, frozenset()) == 2


def test_each_column_that_the_workspace_drops_or_nobody_pays_for_is_one_of_the_tables() -> None:
    assert set(ADDED.values()) == dropped()
    for columns in TABLES.values():
        assert set(ADDED) | FREE <= set(columns) | {"customMeasurements"}


def test_an_orders_share_is_told_with_and_without_the_workspaces_rule() -> None:
    found = report({"requests": [ROW, ROW], "traces": []}, 2)
    assert found["items"] == {"requests": 1.0, "traces": 0.0}
    assert found["bytes"] == found["bytes_by_table"]["requests"] == found["bytes_without_rule"] - 36


def test_trace_ids_are_spread_so_that_a_share_draws_it_exactly() -> None:
    parts = [int(drawn_evenly(place, 20)[-8:], 16) / 2**32 for place in range(20)]
    assert [sum(part < share for part in parts) for share in (0.1, 0.2, 0.5)] == [2, 4, 10]
