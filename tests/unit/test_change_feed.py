"""What a change feed shows has the form in which it was written, whatever the trigger made of its dates."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.orders.store import ORDERS
from shared.clock import timestamp
from shared.contracts.catalog import ProductChanged
from shared.contracts.event import data_of, make_event
from shared.money import Money
from shared.persistence.feed import as_written
from shared.persistence.outbox import event_of, outbox_document

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))


def rewritten(value: Any) -> Any:
    """As Newtonsoft.Json writes our own times again: without trailing zeros."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value):
        return re.sub(r"\.?0*Z$", "Z", value)
    if isinstance(value, dict):
        return {name: rewritten(member) for name, member in value.items()}
    if isinstance(value, list):
        return [rewritten(member) for member in value]
    return value


def document(moment: datetime, name: str = "thing") -> dict[str, Any]:
    event = make_event(
        ProductChanged(sku="S", name=name, category="tests", price=Money(1, "GBP")),
        source="catalog", subject="S", version=1, time=timestamp(moment), traceparent="",
    )  # fmt: skip
    return outbox_document(ORDERS, "S", event)


@given(MOMENTS)
def test_every_time_of_ours_survives_the_feed(moment: datetime) -> None:
    written = {"placed_at": timestamp(moment), "history": [{"at": timestamp(moment), "status": "placed"}]}
    assert as_written([rewritten(written)]) == [written]


@given(st.lists(MOMENTS, min_size=2, max_size=6))
def test_times_sort_after_the_feed_as_they_do_before_it(moments: list[datetime]) -> None:
    shown = as_written([rewritten({"at": timestamp(moment)}) for moment in moments])
    texts = [item["at"] for item in shown]
    assert sorted(texts) == [timestamp(moment) for moment in sorted(moments)]


@given(MOMENTS, MOMENTS)
def test_an_event_is_relayed_as_it_was_told_even_where_its_text_is_a_date(moment: datetime, name: datetime) -> None:
    told = document(moment, name=timestamp(name))
    (shown,) = as_written([rewritten(told)])
    event = event_of(shown)
    data = data_of(event)
    assert isinstance(data, ProductChanged)
    assert (event.time, data.name) == (timestamp(moment), timestamp(name))


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        ("2026-01-01T00:00:00.12Z", "2026-01-01T00:00:00.120Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z"),
        ("2025-12-31T22:00:00.1+00:00", "2025-12-31T22:00:00.100Z"),
        ("2026-06-01T19:00:00+02:00", "2026-06-01T17:00:00.000Z"),
        ("2026-01-01", "2026-01-01"),
        ("2026-13-01T00:00:00Z", "2026-13-01T00:00:00Z"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("at 2026-01-01T00:00:00Z", "at 2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z\n", "2026-01-01T00:00:00Z\n"),
        ("٢026-01-01T00:00:00Z", "٢026-01-01T00:00:00Z"),
    ],
)
def test_a_date_time_gets_one_form_and_other_text_is_left_alone(shown: str, written: str) -> None:
    assert as_written([{"a": shown, "b": {"c": [shown, 5, None]}}]) == [{"a": written, "b": {"c": [written, 5, None]}}]


def test_an_outbox_item_of_an_older_release_holds_its_data_as_an_object() -> None:
    new = document(datetime(2026, 1, 1, tzinfo=UTC))
    old = {**new, "event": {**new["event"], "data": json.loads(new["event"]["data"])}}
    assert data_of(event_of(old)) == data_of(event_of(new))
