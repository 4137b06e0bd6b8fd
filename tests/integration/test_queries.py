"""The queries of `infra/queries`: each gives the right rows over what the app tells, and each alert its own alone.

What is told is made of the app's own records and envelopes; the evaluator is the laptop's.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from localazure import insights
from localazure.insights.wire import DEFAULT_KEY
from localazure.testing import serving
from shared.telemetry.envelopes import Envelope, envelope_of, metric_of
from shared.telemetry.metric import Metric
from shared.telemetry.record import LogRecord, MetricRecord, SpanRecord, Value

QUERIES = Path(__file__).parents[2] / "infra" / "queries"
ALERTS = sorted(file.stem for file in (QUERIES / "alerts").glob("*.kql"))
MINUTE, HOUR = 60.0, 3600.0
PLACE = "POST /v1/orders"
Row = dict[str, Any]


class Component:
    """An Application Insights component, and an app that tells it what happened some seconds ago."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._told: list[Envelope] = []
        self._numbers = itertools.count(1)

    def request(
        self, name: str, ago: float, *, role: str = "orders", ms: float = 20, status: str = "", failed: bool = False,
        share: float = 1, trace: str = "", **properties: Value,
    ) -> None:  # fmt: skip
        """Work that began `ago` seconds ago and took `ms`; `share` of its like was sent."""
        result = status or ("500" if failed else "200")
        self._span("request", name, ago, role, ms, not failed, result, share, trace, properties)

    def call(
        self, name: str, ago: float, *, role: str = "orders", type_: str = "Azure DocumentDB", target: str = "orders",
        data: str = "orders", ms: float = 5, failed: bool = False, share: float = 1, **properties: Value,
    ) -> None:  # fmt: skip
        also = {"type": type_, "target": target, "data": data}
        self._span("dependency", name, ago, role, ms, not failed, "200", share, "", properties, **also)

    def log(self, message: str, ago: float, *, role: str = "orders", trace: str = "", **properties: Value) -> None:
        number = next(self._numbers)
        record = LogRecord(role, message, 1, trace or f"{number:032x}", f"{number:016x}", self._at(ago), {**properties})
        self._told.append(envelope_of(record, DEFAULT_KEY, 1))

    def measured(self, name: Metric, ago: float, *values: float, role: str = "orders", **of: str) -> None:
        figures = (len(values), sum(values), min(values), max(values))
        self._told.append(metric_of(MetricRecord(role, name, self._at(ago), *figures, {**of}), DEFAULT_KEY))

    def ask(self, name: str, change: Callable[[str], str] = str) -> list[Row]:
        """The rows of a query, over all that has been told so far."""
        if self._told:
            answer = requests.post(f"{self._url}/v2.1/track", json=self._told, timeout=30)
            assert answer.status_code == 200, answer.text
            self._told.clear()
        query = change((QUERIES / f"{name}.kql").read_text())
        answer = requests.post(f"{self._url}/v1/apps/{DEFAULT_KEY}/query", json={"query": query}, timeout=60)
        assert answer.status_code == 200, (name, answer.text)
        table = answer.json()["tables"][0]
        columns = [column["name"] for column in table["columns"]]
        return [dict(zip(columns, row, strict=True)) for row in table["rows"]]

    @property
    def firing(self) -> set[str]:
        """The alerts whose condition holds."""
        return {name for name in ALERTS if self.ask(f"alerts/{name}")}

    def _span(
        self, kind: Any, name: str, ago: float, role: str, ms: float, success: bool, result: str, share: float,
        trace: str, properties: dict[str, Value], **also: str,
    ) -> None:  # fmt: skip
        number, began = next(self._numbers), self._at(ago)
        record = SpanRecord(
            kind=kind, role=role, name=name, trace_id=trace or f"{number:032x}", span_id=f"{number:016x}",
            parent_id="", started=began, ended=began + ms / 1000, success=success, result=result,
            properties=properties, **also,
        )  # fmt: skip
        self._told.append(envelope_of(record, DEFAULT_KEY, share))

    @staticmethod
    def _at(ago: float) -> float:
        return time.time() - ago


@pytest.fixture
def component() -> Iterator[Component]:
    with serving(insights.PART) as server:
        yield Component(server.url)


@pytest.fixture
def quiet(component: Component) -> Component:
    """An hour in which an order a minute was placed and confirmed, one was declined, and little went wrong."""
    for minute in range(60):
        ago, trace = (minute + 0.5) * MINUTE, f"{minute + 1:032x}"
        component.request(PLACE, ago, status="202", trace=trace)
        component.log("order.placed", ago, trace=trace, order_id=f"ord_{minute}")
        component.request("orders_feed", ago, trace=trace, feed_ms=300, order_id=f"ord_{minute}")
        component.request("order_saga", ago, trace=trace, ms=800)
        component.log("order.confirmed", ago, trace=trace, seconds=0.9)
        component.call("batch orders", ago, charge="12.5")
        component.measured("waiting_seconds", ago, 0.4, 1.2, status="placed")
        component.measured("queue_seconds", ago, 0.1, topic="payments")
    component.log("order.cancelled", HOUR / 2, reason="payment_declined", seconds=1.5)
    component.request(PLACE, 0.75 * HOUR, failed=True)
    component.measured("overdue_seconds", MINUTE, 3.0, role="inventory", status="reserved")
    component.measured("cold_start_seconds", HOUR / 2, 2.5)
    return component


def test_a_quiet_hour_raises_no_alert(quiet: Component) -> None:
    assert quiet.firing == set()


def test_a_dead_letter_raises_its_alert_alone(quiet: Component) -> None:
    quiet.measured("dead_letter_seconds", 10, 40.0, 90.0, role="payments", topic="orders")
    quiet.measured("dead_letter_seconds", 70, 30.0, role="payments", topic="orders")
    (row,) = quiet.ask("alerts/dead-letters")
    assert (row["service"], row["topic"], row["dead_letters"], row["oldest_seconds"]) == ("payments", "orders", 2, 90)
    assert quiet.firing == {"dead-letters"}


def test_a_dead_letter_of_long_ago_raises_nothing(quiet: Component) -> None:
    quiet.measured("dead_letter_seconds", 6 * MINUTE, 40.0, role="payments", topic="orders")
    assert quiet.firing == set()


def test_an_order_that_is_overdue_raises_its_alert_alone(quiet: Component) -> None:
    quiet.measured("overdue_seconds", 30, 4.0, 61.0, status="placed")
    (row,) = quiet.ask("alerts/stuck-sagas")
    assert (row["status"], row["orders"], row["longest_seconds"]) == ("placed", 2, 61)
    assert quiet.firing == {"stuck-sagas"}


@pytest.mark.parametrize(
    ("failures", "fires"),
    [
        pytest.param([(8, 30)], False, id="too few to say"),
        pytest.param([(12, 30)], True, id="many at once"),
        pytest.param([(12, 2 * HOUR)], False, id="many, and over"),
        pytest.param([(12, 20 * MINUTE)], True, id="fewer for longer"),
    ],
)
def test_errors_are_told_by_how_fast_they_spend_the_budget(
    quiet: Component, failures: list[tuple[int, float]], fires: bool
) -> None:
    for number, ago in failures:
        for _ in range(number):
            quiet.request(PLACE, ago, failed=True)
    assert quiet.firing == ({"errors"} if fires else set())


def test_errors_are_weighed_by_what_was_sampled(quiet: Component) -> None:
    for _ in range(200):
        quiet.request(PLACE, 30, share=0.01)
    for _ in range(12):
        quiet.request(PLACE, 30, failed=True)
    assert quiet.firing == set(), "twelve of twenty thousand are within the budget"


def test_slow_orders_raise_their_alert_alone(quiet: Component) -> None:
    for _ in range(3):
        quiet.request("order_saga", MINUTE, ms=6_100)
    (row,) = quiet.ask("alerts/latency")
    assert (row["service"], row["operation"], row["slow"], row["longest_ms"]) == ("orders", "order_saga", 3, 6100)
    assert quiet.firing == {"latency"}


def test_two_slow_requests_are_no_trend_and_three_are(quiet: Component) -> None:
    for number in range(3):
        assert quiet.firing == set(), number
        quiet.request("GET /v1/products", MINUTE, role="catalog", ms=2_500)
    assert quiet.firing == {"latency"}


def test_an_event_that_is_relayed_late_raises_its_alert_alone(quiet: Component) -> None:
    quiet.request("inventory_feed", 30, role="inventory", feed_ms=75_000)
    (row,) = quiet.ask("alerts/outbox-lag")
    assert (row["service"], row["what"], row["events"], row["longest_ms"]) == ("inventory", "late", 1, 75_000)
    assert quiet.firing == {"outbox-lag"}


def test_orders_that_the_feed_has_not_seen_raise_the_same(quiet: Component) -> None:
    for _ in range(3):
        quiet.log("order.placed", 4 * MINUTE)
    (row,) = quiet.ask("alerts/outbox-lag")
    assert (row["what"], row["events"]) == ("not relayed", 3)
    assert row["longest_ms"] >= 240_000
    assert quiet.firing == {"outbox-lag"}


def test_orders_of_this_moment_are_given_time(quiet: Component) -> None:
    for _ in range(9):
        quiet.log("order.placed", 30)
    assert quiet.firing == set()


def test_throttling_raises_its_alert_alone(quiet: Component) -> None:
    for _ in range(3):
        quiet.call("batch stock", 60, role="inventory", target="inventory", data="stock", throttled=7)
    (row,) = quiet.ask("alerts/throttling")
    assert (row["database"], row["container"], row["throttled"], row["calls"]) == ("inventory", "stock", 21, 3)
    assert quiet.firing == {"throttling"}


def test_operations_have_rate_errors_and_durations(quiet: Component) -> None:
    found = {row["operation"]: row for row in quiet.ask("rates")}
    assert {name: (row["requests"], row["failed"]) for name, row in found.items()} == {
        PLACE: (61, 1), "orders_feed": (60, 0), "order_saga": (60, 0),
    }  # fmt: skip
    assert found[PLACE]["failed_percent"] == pytest.approx(100 / 61, abs=0.01)
    assert (found["order_saga"]["p50_ms"], found["order_saga"]["p99_ms"]) == (pytest.approx(800), pytest.approx(800))


def test_the_map_has_each_edge_once(quiet: Component) -> None:
    quiet.call("stripe confirm", 30, role="payments", type_="HTTP", target="api.stripe.com", data="", failed=True)
    edges = [(row["service"], row["target"], row["calls"], row["failed"]) for row in quiet.ask("services")]
    assert edges == [("orders", "orders", 60, 0), ("payments", "api.stripe.com", 1, 1)]


def test_orders_are_counted_by_state_and_reason(quiet: Component) -> None:
    assert [(row["state"], row["reason"], row["orders"]) for row in quiet.ask("order-states")] == [
        ("cancelled", "payment_declined", 1), ("confirmed", "", 60), ("placed", "", 60),
    ]  # fmt: skip


def test_time_to_confirm_is_told_by_the_quarter(quiet: Component) -> None:
    found = quiet.ask("time-to-confirm")
    assert sum(row["orders"] for row in found) == 60
    assert {row["p95_seconds"] for row in found} == {0.9}


def test_what_waits_is_told_with_its_age(quiet: Component) -> None:
    found = quiet.ask("waiting")
    placed = [row for row in found if row["status"] == "placed"]
    assert len(placed) >= 12
    assert {(row["waiting"], row["oldest_seconds"], row["overdue"]) for row in placed} == {(2, 1.2, 0)}
    assert [row["overdue"] for row in found if row["service"] == "inventory"] == [1]


def test_queues_have_their_depth_and_their_dead_letters(quiet: Component) -> None:
    quiet.measured("dead_letter_seconds", 10, 1.0, role="payments", topic="orders")
    found = quiet.ask("queues")
    assert {(row["topic"], row["subscription"], row["messages"], row["dead_letters"]) for row in found} == {
        ("payments", "orders", 1, 0), ("orders", "payments", 0, 1),
    }  # fmt: skip


def test_outbox_lag_is_told_by_service(quiet: Component) -> None:
    found = quiet.ask("outbox-lag")
    assert sum(row["events"] for row in found) == 60
    assert {(row["service"], row["p95_ms"], row["longest_ms"]) for row in found} == {("orders", 300, 300)}


def test_request_units_are_summed_by_call(quiet: Component) -> None:
    quiet.call("read stock", 30, role="inventory", target="inventory", charge="1", share=0.1, throttled=2)
    found = [(row["call"], row["calls"], row["request_units"], row["throttled"]) for row in quiet.ask("request-units")]
    assert found == [("batch orders", 60, 750, 0), ("read stock", 10, 10, 20)]


def test_cold_starts_are_counted(quiet: Component) -> None:
    (row,) = quiet.ask("cold-starts")
    assert (row["starts"], row["longest_seconds"]) == (1, 2.5)


def test_one_order_is_found_by_its_id_with_all_of_its_trace(quiet: Component) -> None:
    found = quiet.ask("order", lambda query: query.replace('"ord_"', '"ord_7"'))
    assert sorted(row["what"] for row in found) == [
        PLACE, "order.confirmed", "order.placed", "order_saga", "orders_feed",
    ]  # fmt: skip


def test_every_query_is_asked_here() -> None:
    here = Path(__file__).read_text()
    names = [file.relative_to(QUERIES).with_suffix("").as_posix() for file in QUERIES.rglob("*.kql")]
    assert names
    assert [name for name in names if f'ask("{name}"' not in here and name.removeprefix("alerts/") not in here] == []
