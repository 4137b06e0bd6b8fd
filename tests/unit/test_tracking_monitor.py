"""The tracking monitor, driven past all its limits: silence, late and lost events, failures, a thousand polls."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from blueprints.shipping import monitor
from blueprints.shipping.monitor import GIVE_UP, PATIENCE, POLL, POLLS, tracking_monitor
from shared.clock import parse_timestamp, timestamp
from shared.orchestration import MAX_TIMER
from tests.unit.driving import Drive

SHIPPED = parse_timestamp("2026-03-01T12:00:00.000Z")
GIVEN = {
    "order_id": "ord_a",
    "shipment_id": "shp_a",
    "until": timestamp(SHIPPED + PATIENCE),
    "pause": 3600.0,
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


class Parcel:
    """What the store says of the parcel; giving it up counts as lost."""

    def __init__(self) -> None:
        self.status = "shipped"
        self.failing = 0

    def poll(self, about: dict[str, str]) -> str:
        assert about == {name: GIVEN[name] for name in ("order_id", "shipment_id", "traceparent")}
        if self.failing:
            self.failing -= 1
            raise RuntimeError("the database is away")
        return self.status

    def give_up(self, about: dict[str, str]) -> str:
        self.status = "failed" if self.status == "shipped" else self.status
        return self.poll(about)


def monitored(parcel: Parcel, **given: Any) -> Drive:
    return Drive(tracking_monitor, {**GIVEN, **given}, SHIPPED, {POLL: parcel.poll, GIVE_UP: parcel.give_up})


def test_it_asks_at_once_and_then_less_and_less_often_up_to_once_a_day() -> None:
    run = monitored(Parcel())
    moments = [run.now]
    for _ in range(8):
        run.wait()
        moments.append(run.now)
    hours = [(after - before) / timedelta(hours=1) for before, after in pairwise(moments)]
    assert hours == [1, 2, 4, 8, 16, 24, 24, 24]
    assert {name for name, _ in run.asked} == {POLL}
    assert len(run.asked) == 9


def test_a_parcel_that_was_delivered_before_it_began_ends_it_at_once() -> None:
    parcel = Parcel()
    parcel.status = "delivered"
    run = monitored(parcel)
    assert (run.output, len(run.asked), run.timers) == ("delivered", 1, [])


@pytest.mark.parametrize("data", ["ended", json.dumps("ended"), "?", None])
def test_an_end_that_was_heard_ends_it_without_waiting_and_without_a_timer(data: Any) -> None:
    parcel = Parcel()
    run = monitored(parcel)
    parcel.status = "delivered"
    began = run.now
    run.hear("ended", data)
    assert (run.output, run.now) == ("delivered", began)
    assert run.timers[-1].cancelled


def test_an_event_that_says_what_the_store_does_not_changes_nothing() -> None:
    run = monitored(Parcel())
    for _ in range(3):
        run.hear("ended", "ended")
    assert not run.ended
    assert len(run.asked) == 4


def test_an_end_of_which_the_event_was_lost_is_found_by_the_next_poll() -> None:
    parcel = Parcel()
    run = monitored(parcel)
    parcel.status = "failed"
    run.wait()
    assert run.output == "failed"


def test_after_45_days_of_silence_it_gives_up_and_leaves_nothing_behind() -> None:
    run = monitored(Parcel())
    while not run.ended:
        run.wait()
    assert (run.output, run.now) == ("failed", SHIPPED + PATIENCE)
    assert [name for name, _ in run.asked].count(GIVE_UP) == 1
    assert run.asked[-1][0] == GIVE_UP


def test_giving_up_is_tried_until_it_is_done() -> None:
    parcel = Parcel()
    run = monitored(parcel)
    while run.asked[-1][0] == POLL:
        parcel.failing = 1 if run.now > SHIPPED + PATIENCE - timedelta(days=1) else 0
        run.wait()
    assert not run.ended
    run.wait()
    assert (run.output, [name for name, _ in run.asked][-2:]) == ("failed", [GIVE_UP, GIVE_UP])


def test_a_parcel_that_arrives_on_the_last_day_was_delivered() -> None:
    parcel = Parcel()
    run = monitored(parcel)
    while run.now < SHIPPED + PATIENCE - timedelta(days=2):
        run.wait()
    parcel.status = "delivered"
    run.wait()
    assert run.output == "delivered"


def test_a_poll_that_fails_is_made_again_at_its_time() -> None:
    parcel = Parcel()
    parcel.failing = 3
    run = monitored(parcel)
    run.wait()
    run.wait()
    assert not run.ended
    parcel.status = "delivered"
    run.wait()
    assert run.output == "delivered"


def test_a_thousand_polls_have_short_histories_and_keep_their_pace() -> None:
    run = monitored(Parcel(), until=timestamp(SHIPPED + timedelta(days=2_000)))
    while len(run.asked) < 1_000:
        run.wait()
    assert run.generations == 1_000 // POLLS
    assert run.longest <= 2 * POLLS
    assert run.now >= SHIPPED + timedelta(days=990)


@pytest.mark.parametrize("place", range(POLLS - 1, POLLS + 2))
def test_an_end_that_comes_around_a_new_history_is_not_lost(place: int) -> None:
    parcel = Parcel()
    run = monitored(parcel)
    for _ in range(place):
        run.wait()
    parcel.status = "delivered"
    run.hear("ended", "ended")
    assert run.output == "delivered"


def test_no_timer_is_longer_than_the_extension_takes_in_one_piece() -> None:
    run = monitored(Parcel())
    began = run.now
    while not run.ended:
        run.wait()
        assert run.now - began <= min(MAX_TIMER, monitor.MAX_PAUSE)
        began = run.now


def test_its_file_is_short_enough_to_be_read() -> None:
    assert len(Path(monitor.__file__).read_text(encoding="utf-8").splitlines()) <= 150
