"""The return saga, driven past all its limits: silence, late decisions, lost events, money that does not come."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blueprints.orders import return_saga as module
from blueprints.orders.return_saga import (
    BEGIN,
    LOOK_UP,
    PAID_WITHIN,
    REFUSED_AFTER,
    REMIND,
    REMINDED_AFTER,
    SENT_WITHIN,
    STUCK_AFTER,
    TIME_OUT,
    return_saga,
)
from shared.clock import parse_timestamp
from shared.orchestration import MAX_TIMER
from tests.unit.driving import Drive

BEGAN = parse_timestamp("2026-03-01T12:00:00.000Z")
GIVEN = {
    "order_id": "ord_a",
    "return_id": "ret_a",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


class Case:
    """What the store says of the return; time closes it as the service would."""

    def __init__(self, status: str = "requested", *, small: bool = False) -> None:
        self.status, self._small = status, small
        self.reminded: list[str] = []

    def begin(self, about: Any) -> str:
        assert about == GIVEN
        if self._small and self.status == "requested":
            self.status = "approved"
        return self.status

    def look_up(self, about: Any) -> str:
        assert about == GIVEN
        return self.status

    def remind(self, _: Any) -> str:
        self.reminded.append(self.status)
        return self.status

    def time_out(self, _: Any) -> str:
        self.status = {"requested": "refused", "approved": "expired"}.get(self.status, self.status)
        return self.status


def driven(case: Case) -> Drive:
    return Drive(
        return_saga,
        dict(GIVEN),
        BEGAN,
        {BEGIN: case.begin, LOOK_UP: case.look_up, REMIND: case.remind, TIME_OUT: case.time_out},
    )


def change(run: Drive, case: Case, status: str, data: Any = "changed") -> None:
    case.status = status
    run.hear("changed", data)


def until(run: Drive, moment: timedelta) -> None:
    while not run.ended and run.now < BEGAN + moment:
        run.wait()


def test_a_small_return_comes_back_and_is_paid_without_anybody() -> None:
    case = Case(small=True)
    run = driven(case)
    run.hear("changed", "changed")  # of its own approval
    change(run, case, "received")
    change(run, case, "refunded")
    assert (run.output, run.now, case.reminded) == ("refunded", BEGAN, [])
    assert all(timer.cancelled for timer in run.timers)


@pytest.mark.parametrize(("decision", "output"), [("refused", "refused"), ("approved", None)])
def test_a_person_decides(decision: str, output: str | None) -> None:
    case = Case()
    run = driven(case)
    change(run, case, decision)
    assert run.output == output


def test_a_person_is_reminded_after_two_days_and_time_refuses_after_seven() -> None:
    case = Case()
    run = driven(case)
    until(run, REMINDED_AFTER)
    assert (run.now, case.reminded) == (BEGAN + REMINDED_AFTER, ["requested"])
    until(run, REFUSED_AFTER)
    assert (run.output, run.now, case.reminded) == ("refused", BEGAN + REFUSED_AFTER, ["requested"])


def test_a_decision_between_the_reminder_and_the_end_counts() -> None:
    case = Case()
    run = driven(case)
    until(run, timedelta(days=5))
    change(run, case, "approved")
    assert not run.ended
    until(run, timedelta(days=8))
    assert case.status == "approved"


def test_a_decision_that_was_written_at_the_last_moment_counts_though_its_event_was_lost() -> None:
    case = Case()
    run = driven(case)
    until(run, timedelta(days=6))
    case.status = "approved"
    until(run, timedelta(days=8))
    assert (run.ended, case.status) == (False, "approved")


@pytest.mark.parametrize("status", ["approved", "received", "refunded", "refused"])
def test_a_saga_that_starts_late_goes_on_from_what_is_written(status: str) -> None:
    case = Case(status)
    run = driven(case)
    assert run.ended is (status in ("refunded", "refused"))
    if not run.ended:
        change(run, case, "refunded")
        assert run.output == "refunded"


def test_what_was_approved_has_thirty_days_to_come_back() -> None:
    case = Case()
    run = driven(case)
    until(run, timedelta(days=4))
    change(run, case, "approved")
    approved = run.now
    while not run.ended:
        run.wait()
    assert (run.output, run.now) == ("expired", approved + SENT_WITHIN)


def test_a_decision_twice_and_events_that_say_nothing_new_change_nothing() -> None:
    case = Case()
    run = driven(case)
    for data in ("changed", "?", None):
        run.hear("changed", data)
    change(run, case, "approved")
    change(run, case, "approved")
    assert (run.ended, case.status, run.now) == (False, "approved", BEGAN)


def test_money_that_does_not_come_is_told_after_a_day_and_waited_for() -> None:
    case = Case("received")
    run = driven(case)
    until(run, PAID_WITHIN)
    assert case.reminded == ["received"]
    until(run, timedelta(days=10))
    change(run, case, "refunded")
    assert run.output == "refunded"


def test_money_that_never_comes_ends_the_saga_and_not_the_return() -> None:
    case = Case("received")
    run = driven(case)
    while not run.ended:
        run.wait()
    assert (run.output, run.now, case.reminded) == ("received", BEGAN + STUCK_AFTER, ["received"])


def test_no_timer_is_longer_than_the_extension_takes_in_one_piece_and_the_history_is_short() -> None:
    case = Case(small=True)
    run = driven(case)
    before = run.now
    while not run.ended:
        run.wait()
        assert run.now - before <= MAX_TIMER
        before = run.now
    assert run.longest < 50


def test_its_file_is_short_enough_to_be_read() -> None:
    assert len(Path(module.__file__).read_text(encoding="utf-8").splitlines()) <= 150
