"""What `make bench` makes of what it saw: the shape of its JSON, and who counts for which figure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from scripts.bench import baskets, options
from scripts.bench.counters import Counters, parse
from scripts.bench.options import FAILED, MeasurementFailed, Options
from scripts.bench.per_order import report
from scripts.bench.shoppers import Bought, Load
from scripts.dataset import read

CHARGES = {
    "request_units": 30.0,
    "operations": [
        {"database": "orders", "container": "orders", "operation": "batch", "operations": 2, "request_units": 20.0},
        {"database": "orders", "container": "orders", "operation": "feed", "operations": 5, "request_units": 5.0},
        {"database": "stock", "container": "stock", "operation": "batch", "operations": 1, "request_units": 5.0},
    ],
}
ENTITIES = {
    "orders": {"sent": 4},
    "orders/Subscriptions/payments": {"sent": 3, "delivered": 3, "completed": 2, "abandoned": 1},
    "orders/Subscriptions/inventory": {"sent": 2, "delivered": 2, "completed": 2},
}
HOST = {"invocations": {"orders_place": 2}, "durable": {"history_events": 30}, "failures": {}, "seconds": {}}
NOTHING = parse({"operations": []}, {}, {"invocations": {}, "durable": {}})


def rows() -> list[dict[str, Any]]:
    found = CHARGES["operations"]
    assert isinstance(found, list)
    return found


def test_counters_are_added_up_over_containers_and_subscriptions() -> None:
    counters = parse(CHARGES, ENTITIES, HOST)
    assert counters.request_units == {"batch": 25.0, "feed": 5.0}
    assert counters.operations == {"batch": 3, "feed": 5}
    assert counters.containers == {"orders/orders": 20.0, "stock/stock": 5.0}
    assert counters.sent == {"sent": 4}
    assert counters.deliveries == {"sent": 5, "delivered": 5, "completed": 4, "abandoned": 1}


def test_reading_the_feed_is_no_work_and_everything_else_is() -> None:
    before = parse(CHARGES, ENTITIES, HOST)
    idle = {"operations": [{**row, "operations": 9} if row["operation"] == "feed" else row for row in rows()]}
    assert parse(idle, ENTITIES, HOST).work == before.work
    assert parse(CHARGES, ENTITIES, {**HOST, "invocations": {"orders_place": 3}}).work != before.work
    assert parse(CHARGES, {**ENTITIES, "orders": {"sent": 5}}, HOST).work != before.work


def test_renewing_a_lease_is_no_work() -> None:
    row = {"database": "orders", "container": "leases", "operation": "replace", "operations": 4, "request_units": 40.0}
    renewed = {"operations": [*rows(), row, {**row, "operation": "query"}]}
    assert parse(renewed, ENTITIES, HOST).work == parse(CHARGES, ENTITIES, HOST).work
    assert parse(renewed, ENTITIES, HOST).operations["leases"] == 8


def test_one_orders_share_leaves_the_feed_out_of_the_total() -> None:
    found = report(parse(CHARGES, ENTITIES, HOST).since(NOTHING), 10, NOTHING, count=2)
    assert found["request_units"]["total"] == 12.5
    assert found["request_units"]["by_kind"] == {"batch": 12.5, "feed": 2.5, "leases": 0.0}
    assert found["service_bus"] == {"sent": 2.0, "delivered": 2.5, "others": {"abandoned": 0.5}}
    assert found["durable"] == {"history_events": 15.0}
    assert found["invocations"] == {"total": 1.0, "by_function": {"orders_place": 1.0}}


def test_one_orders_share_of_the_leases_is_its_checkpoints_and_no_renewal() -> None:
    used = Counters({"leases": 100.0}, {}, {}, {}, {}, {}, {})
    idle = Counters({"leases": 40.0}, {}, {}, {}, {}, {}, {})  # in 20 s
    found = report(used, 30, idle, count=2)
    assert found["request_units"]["total"] == found["request_units"]["by_kind"]["leases"] == 20.0


def test_what_an_idle_minute_costs() -> None:
    idle = Counters({"feed": 20.0}, {}, {"feed": 20}, {}, {}, {}, {})
    assert report(NOTHING, 10, idle)["idle_request_units_per_minute"] == 60.0


def load(*orders: Bought) -> dict[str, Any]:
    return Load(start=100.0, end=110.0, bought=list(orders), refused=["409 {}"]).report()


def test_latencies_are_of_the_orders_sent_in_the_window_even_if_they_end_after_it() -> None:
    found = load(
        Bought(sent=99.0, accepted=9.0, confirmed=2.0, lines=9, looks=9),
        Bought(sent=101.0, accepted=0.1, confirmed=0.5, lines=2, looks=1),
        Bought(sent=109.0, accepted=0.2, confirmed=3.0, lines=4, looks=3),
    )
    assert found["accepted_ms"] == {"p50": 100.0, "p95": 200.0, "p99": 200.0}
    assert found["confirmed_ms"] == {"p50": 500.0, "p95": 3000.0, "p99": 3000.0}
    assert (found["lines_per_order"], found["looks_per_order"]) == (3.0, 2.0)


def test_the_rate_is_of_the_orders_confirmed_in_the_window() -> None:
    found = load(
        Bought(sent=99.0, accepted=0.1, confirmed=2.0, lines=1, looks=1),
        Bought(sent=105.0, accepted=0.1, confirmed=1.0, lines=1, looks=1),
        Bought(sent=109.0, accepted=0.1, confirmed=3.0, lines=1, looks=1),
    )
    assert (found["confirmed"], found["per_second"]) == (2, 0.2)


def test_what_went_wrong_is_told() -> None:
    found = load(Bought(sent=101.0, accepted=0.1, confirmed=None, lines=1, looks=1))
    assert (found["not_confirmed"], found["refused"]) == (1, 1)
    assert found["confirmed_ms"] == {"p50": None, "p95": None, "p99": None}


def test_spread_baskets_share_nothing_and_hot_baskets_one_sku() -> None:
    data = read()
    apart, same = baskets.spread(data), baskets.hot(data)
    assert len({next(apart)[0][0] for _ in range(500)}) == 500
    assert len({next(same)[0][0] for _ in range(500)}) == 1


def test_real_baskets_come_in_the_same_order_in_every_run() -> None:
    data = read()
    one, other = baskets.real(data), baskets.real(data)
    seen = [next(one) for _ in data.baskets]
    assert seen == [next(other) for _ in data.baskets]
    assert sorted(map(tuple, seen)) == sorted(basket.lines for basket in data.baskets)


async def one(given: Options) -> Mapping[str, float]:
    return {"seconds": given.seconds}


async def broken(_: Options) -> float:
    raise ExceptionGroup("several", [MeasurementFailed("no port"), ValueError("odd")])


def test_the_result_is_one_json_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert options.run("", {"one": one, "other": one}, ["--only", "one", "--seconds", "3"]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert set(result) == {"machine", "one"}
    assert result["one"] == {"seconds": 3.0}
    assert {"cpus", "python"} <= set(result["machine"])
    assert "measuring one" in captured.err


def test_a_section_that_fails_says_why_and_leaves_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert options.run("", {"broken": broken, "one": one}, []) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["broken"] == {FAILED: "no port; ValueError('odd')"}
    assert result["one"] == {"seconds": Options.seconds}


@pytest.mark.parametrize("words", [["--only", "none"], ["--seconds", "0"], ["--shoppers", "-1"], ["--shoppers", "1.5"]])
def test_a_command_line_that_makes_no_sense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        options.read("", {"one": one}, words)
    assert refused.value.code == 2
    assert words[1] in capsys.readouterr().err
