"""Target-based scaling, with the clock turned by hand."""

from __future__ import annotations

import pytest

from localazure.scaling import QUIET, Bounds, Source, State, decide, desired, wanted

BOUNDS = Bounds(least=1, most=10)


@pytest.mark.parametrize(
    ("length", "target", "most", "count"),
    [(0, 16, None, 0), (1, 16, None, 1), (16, 16, None, 1), (17, 16, None, 2), (1000, 100, 4, 4), (300, 100, 4, 3)],
)
def test_a_source_wants_its_length_by_its_target(length: int, target: int, most: int | None, count: int) -> None:
    assert wanted([Source("app", length, target, most)]) == {"app": count}


def test_a_group_has_enough_for_the_source_of_its_own_that_needs_the_most() -> None:
    sources = [Source("http", 5, 1), Source("orders", 40, 16), Source("orders", 1, 16), Source("durable", 0, 10)]
    assert wanted(sources) == {"http": 5, "orders": 3, "durable": 0}


@pytest.mark.parametrize(
    ("lengths", "instances", "count"),
    [((32, 32), 1, 3), ((32, 0), 1, 2), ((48, 16), 2, 3), ((16, 0), 3, 1), ((0, 0), 3, 0), ((), 2, 0)],
)
def test_what_functions_want_more_is_added_up_and_goes_before_what_others_want_less(
    lengths: tuple[int, ...], instances: int, count: int
) -> None:
    assert desired([Source(str(place), length, 16) for place, length in enumerate(lengths)], instances) == count


def test_out_goes_at_once_and_by_four_at_most() -> None:
    state = State(1)
    counts = []
    for _ in range(4):
        state = decide(state, 50, BOUNDS, 0.0)
        counts.append(state.instances)
    assert counts == [5, 9, 10, 10]


def test_in_goes_by_one_and_only_after_it_has_been_quiet() -> None:
    state = decide(State(5), 2, BOUNDS, 1000.0)
    assert state.instances == 5
    state = decide(state, 2, BOUNDS, 1000.0 + QUIET - 1)
    assert state.instances == 5
    state = decide(state, 2, BOUNDS, 1000.0 + QUIET)
    assert state.instances == 4
    assert decide(state, 2, BOUNDS, 1001.0 + QUIET).instances == 4
    assert decide(state, 2, BOUNDS, 1000.0 + 2 * QUIET).instances == 3


def test_a_peak_in_between_starts_the_wait_anew() -> None:
    state = decide(State(3), 1, BOUNDS, 0.0)
    state = decide(state, 3, BOUNDS, QUIET / 2)
    state = decide(state, 1, BOUNDS, QUIET)
    assert state.instances == 3
    assert decide(state, 1, BOUNDS, 2 * QUIET - 1).instances == 3
    assert decide(state, 1, BOUNDS, 2 * QUIET).instances == 2


@pytest.mark.parametrize(("want", "count"), [(0, 1), (99, 4)])
def test_there_are_never_fewer_nor_more_than_the_bounds_say(want: int, count: int) -> None:
    bounds = Bounds(least=1, most=4)
    state = State(2)
    for minute in range(10):
        state = decide(state, want, bounds, minute * QUIET)
    assert state.instances == count
