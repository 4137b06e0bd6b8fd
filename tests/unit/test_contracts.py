"""Events: CloudEvents that read back as they were written, with schemas that are published and only grow."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import published
from shared.contracts.event import Event, data_of, make_event
from shared.contracts.orders import Line, OrderPlaced
from shared.money import Money

PLACED = st.builds(
    OrderPlaced,
    order_id=st.just("ord_a"),
    customer_id=st.text(max_size=20),
    lines=st.lists(st.builds(Line, sku=st.text(max_size=10), quantity=st.integers(1, 100_000)), max_size=5),
    total=st.builds(Money, amount=st.integers(0, 99_999_999), currency=st.just("GBP")),
    payment_method=st.text(max_size=20),
)


def event(data: OrderPlaced) -> Event:
    return make_event(
        data,
        source="orders",
        subject="ord_a",
        version=1,
        time="2010-12-01T08:26:00.000Z",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )


@given(PLACED)
def test_an_event_reads_back_as_it_was_written(data: OrderPlaced) -> None:
    written = msgspec.json.encode(event(data))
    assert data_of(msgspec.json.decode(written, type=Event)) == data


@given(PLACED)
def test_an_event_has_what_cloudevents_asks_for(data: OrderPlaced) -> None:
    document = json.loads(msgspec.json.encode(event(data)))
    assert document["specversion"] == "1.0"
    assert all(document[name] for name in ("id", "source", "type"))
    assert all(name.islower() and name.isalnum() for name in document)


def test_the_same_fact_has_the_same_id_and_another_has_another() -> None:
    data = OrderPlaced(order_id="ord_a", customer_id="c", lines=[], total=Money(1, "GBP"), payment_method="pm_a")
    later = make_event(data, source="orders", subject="ord_a", version=2, time="t", traceparent="p")
    assert event(data).id == event(data).id != later.id


def test_a_consumer_ignores_what_a_newer_publisher_adds() -> None:
    document = json.loads(
        msgspec.json.encode(
            event(
                OrderPlaced(order_id="ord_a", customer_id="c", lines=[], total=Money(1, "GBP"), payment_method="pm_a")
            )
        )
    )
    document["data"]["loyalty_points"] = 7
    read = data_of(msgspec.json.decode(json.dumps(document), type=Event))
    assert isinstance(read, OrderPlaced)


def test_no_published_event_is_taken_back() -> None:
    assert {path.name for path in published.FOLDER.glob("*.json")} == published.schemas().keys()


FOR_THE_RECORD = {
    f"commerce.return.{name}.v1" for name in ("requested", "approved", "refused", "overdue", "expired", "refunded")
}
"""They tell an order's timeline, wake the return's own saga, and are there for who wants to know."""


@pytest.mark.parametrize("file", sorted(path.name for path in published.FOLDER.glob("*.json")))
def test_every_event_of_a_schema_is_routed_to_somebody_or_told_for_the_record(file: str) -> None:
    from shared.contracts.event import declared_events

    routed: set[str] = set()
    topics: list[dict[str, Any]] = json.loads(_servicebus())["UserConfig"]["Namespaces"][0]["Topics"]
    for topic in topics:
        for subscription in topic["Subscriptions"]:
            [rule] = subscription["Rules"]
            expression = rule["Properties"]["SqlFilter"]["SqlExpression"]
            let_in, _, sent_again = expression.partition(") OR ")
            routed |= set(re.findall(r"'([^']+)'", let_in))
            assert sent_again == f"sys.To = '{subscription['Name']}'", "what is sent again reaches one subscription"
    assert file.removesuffix(".json") in routed | FOR_THE_RECORD
    assert routed == declared_events().keys() - FOR_THE_RECORD


def _servicebus() -> str:
    from pathlib import Path

    return (Path(published.__file__).parents[2] / "infra" / "servicebus.json").read_text(encoding="utf-8")
