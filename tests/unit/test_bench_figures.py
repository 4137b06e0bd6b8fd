"""The arithmetic of `make bench`: what is measured is measured elsewhere, here no clock runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.bench.figures import difference, each, percentile, percentiles, rate, ratio, summed

numbers = st.floats(0, 1e9, allow_nan=False)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, share) for share in (0, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]


def test_the_percentiles_of_one_value_are_that_value() -> None:
    assert percentiles([7.04]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0}


def test_nothing_has_no_percentiles() -> None:
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


@pytest.mark.parametrize("share", [-1, 101])
def test_a_share_is_a_percentage(share: float) -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        percentile([1.0], share)


@given(st.lists(numbers, min_size=1), st.floats(0, 100))
def test_at_least_the_share_does_not_exceed_the_percentile(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * share / 100 - 1e-9


@given(st.lists(numbers, min_size=1))
def test_percentiles_do_not_depend_on_the_order(values: list[float]) -> None:
    assert percentiles(values) == percentiles(values[::-1])


def test_a_difference_names_what_moved() -> None:
    assert difference({"read": 5, "batch": 2, "new": 1}, {"read": 3, "batch": 2}) == {"read": 2, "new": 1}


@pytest.mark.parametrize("after", [{"read": 2}, {}])
def test_counters_that_were_reset_meanwhile_are_refused(after: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="read"):
        difference(after, {"read": 3})


def test_an_orders_share() -> None:
    assert each({"read": 96, "batch": 5}, 20) == {"batch": 0.25, "read": 4.8}


def test_values_are_added_up_by_name() -> None:
    assert summed([("sent", 2), ("delivered", 1), ("sent", 0.5)]) == {"sent": 2.5, "delivered": 1}


def test_a_rate_needs_a_time() -> None:
    assert rate(7, 2) == 3.5
    with pytest.raises(ValueError, match="time"):
        rate(7, 0)


@pytest.mark.parametrize(("one", "other"), [(1.0, None), (None, 1.0), (1.0, 0.0), (None, None)])
def test_there_is_no_ratio_to_nothing(one: float | None, other: float | None) -> None:
    assert ratio(one, other) is None


def test_a_ratio() -> None:
    assert ratio(1, 3) == 0.333
