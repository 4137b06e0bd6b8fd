"""The saga, driven step by step without a host: every order of events, unreadable ones, a late start, the deadline."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.orders.domain import GOOD, REFUSALS, REPLIES
from blueprints.orders.saga import ASK, EVENTS, LOOK_UP, SETTLE, order_saga
from shared.clock import parse_timestamp, timestamp
from shared.orchestration import MAX_TIMER, ActivityFailed, timer_towards
from shared.recovery import LATE_START_SECONDS, ORDER_DEADLINE_SECONDS
from tests.unit.driving import Context, Drive

PLACED_AT = "2026-03-01T12:00:00.000Z"
PLACED = parse_timestamp(PLACED_AT)
GIVEN = {
    "order_id": "ord_a",
    "placed_at": PLACED_AT,
    "deadline": timestamp(PLACED + timedelta(seconds=ORDER_DEADLINE_SECONDS)),
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}
GARBAGE = ("OK", '"accepted"', {"stock": "reserved"}, None, 5, "", '"\\"reserved\\""')


class Run(Drive):
    """One instance of the saga, with the facts that its activities find, and what it asked them for."""

    def __init__(
        self, facts: dict[str, Any] | None = None, late: float = 0.0, given: dict[str, Any] | None = None
    ) -> None:
        self.facts = facts or {"status": "placed", "replies": {}}
        self.settled: list[dict[str, Any]] = []
        began = PLACED + timedelta(seconds=late)
        activities = {LOOK_UP: self._find, ASK: self._find, SETTLE: self._settle}
        super().__init__(order_saga, dict(given or GIVEN), began, activities)

    def _find(self, _: Any) -> dict[str, Any]:
        return self.facts

    def _settle(self, asked: dict[str, Any]) -> str:
        self.settled.append(asked)
        return "confirmed" if asked["command"] == "confirm" else "cancelled"

    @property
    def looked_up(self) -> int:
        """How often it looked the facts up."""
        return self._times(LOOK_UP)

    @property
    def asked_for_stock(self) -> int:
        """How often it asked for the stock."""
        return self._times(ASK)

    def _times(self, activity: str) -> int:
        return [name for name, _ in self.asked].count(activity)

    @property
    def decision(self) -> tuple[str, str | None] | None:
        """What the saga asked for, once."""
        if not self.settled:
            return None
        (asked,) = self.settled
        assert (asked["order_id"], asked["traceparent"]) == ("ord_a", GIVEN["traceparent"])
        return asked["command"], asked.get("reason")


def encoded(data: str, twice: bool) -> str:
    return json.dumps(data) if twice else data


EVENT = st.sampled_from([*REPLIES.values(), ("cancelled", "cancelled")])
HEARD = st.lists(st.tuples(EVENT, st.booleans(), st.booleans()), max_size=8)


@given(HEARD)
def test_whatever_comes_in_whatever_order_and_encoding_the_first_decisive_state_decides(
    heard: list[tuple[tuple[str, str], bool, bool]],
) -> None:
    run, known = Run(), dict[str, str]()
    expected: tuple[str, str | None] | None = None
    for (name, said), twice, repeated in heard:
        for _ in range(1 + repeated):
            if not run.ended and name not in known:
                known[name] = said
                if name == "cancelled":
                    run.facts["status"] = "cancelled"
                    expected = ("", None)
                elif said in REFUSALS.values():
                    expected = ("cancel", said)
                elif {key: known[key] for key in GOOD if key in known} == GOOD:
                    expected = ("confirm", None)
            run.hear(name, encoded(said, twice))
        assert run.ended == (expected is not None)
    if expected is None:
        run.wait()
        assert (run.decision, run.looked_up) == (("cancel", "timed_out"), 1)
    else:
        assert run.decision == (None if expected[0] == "" else expected)
        assert run.looked_up == (expected[0] == "")
        assert run.timers[0].cancelled


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_both_good_answers_confirm_in_either_encoding(twice: bool) -> None:
    run = Run()
    run.hear("stock", encoded("reserved", twice))
    run.hear("payment", encoded("authorized", twice))
    assert (run.decision, run.output) == (("confirm", None), "confirmed")


MONEY_FIRST = {**GIVEN, "money_first": True}
PAID = {"status": "placed", "replies": {"payment": "authorized"}}


def test_where_the_money_comes_first_the_stock_is_asked_for_once_it_is_there() -> None:
    run = Run(given=MONEY_FIRST, facts=PAID)
    assert run.asked_for_stock == 0
    run.hear("payment", "authorized")
    assert (run.asked_for_stock, run.ended) == (1, False)
    run.hear("stock", "reserved")
    assert (run.asked_for_stock, run.looked_up, run.decision) == (1, 0, ("confirm", None))


def test_where_the_stock_was_asked_for_at_once_it_is_not_asked_for_again() -> None:
    run = Run(facts=PAID)
    run.hear("payment", "authorized")
    run.hear("stock", "reserved")
    assert (run.asked_for_stock, run.decision) == (0, ("confirm", None))


def test_no_stock_is_asked_for_where_the_money_was_refused() -> None:
    run = Run(given=MONEY_FIRST)
    run.hear("payment", "payment_declined")
    assert (run.asked_for_stock, run.decision) == (0, ("cancel", "payment_declined"))


def test_money_that_is_only_said_to_be_there_asks_for_nothing_and_the_real_answer_is_still_heard() -> None:
    run = Run(given=MONEY_FIRST)
    run.hear("payment", "authorized")  # somebody else raised it: nothing is recorded
    assert (run.asked_for_stock, run.ended) == (1, False)
    run.facts = PAID
    run.hear("payment", "authorized")
    run.hear("stock", "reserved")
    assert (run.asked_for_stock, run.decision) == (2, ("confirm", None))


def test_an_order_that_was_cancelled_before_its_stock_was_asked_for_is_over() -> None:
    run = Run(given=MONEY_FIRST, facts={"status": "cancelled", "replies": {"payment": "authorized"}})
    run.hear("payment", "authorized")
    assert (run.asked_for_stock, run.decision, run.output) == (1, None, "cancelled")


def test_a_saga_that_starts_late_and_finds_the_money_there_asks_for_the_stock() -> None:
    run = Run(given=MONEY_FIRST, facts=PAID, late=LATE_START_SECONDS + 1)
    assert (run.asked_for_stock, run.ended) == (1, False)
    run.hear("stock", "out_of_stock")
    assert run.decision == ("cancel", "out_of_stock")


@pytest.mark.parametrize("data", GARBAGE, ids=repr)
@pytest.mark.parametrize("name", EVENTS)
def test_an_answer_that_is_not_understood_is_never_a_refusal_the_facts_are_looked_up(name: str, data: Any) -> None:
    run = Run()
    run.hear(name, data)
    assert (run.ended, run.looked_up) == (False, 1)
    run.hear("stock", "reserved")
    run.hear("payment", "authorized")
    assert run.decision == ("confirm", None)


def test_a_cancellation_that_nobody_wrote_ends_nothing() -> None:
    run = Run()
    run.hear("cancelled", "cancelled")
    assert (run.ended, run.looked_up) == (False, 1)
    run.hear("stock", "out_of_stock")
    assert run.decision == ("cancel", "out_of_stock")


def test_the_facts_behind_an_answer_that_is_not_understood_decide() -> None:
    run = Run(facts={"status": "placed", "replies": {"stock": "reserved", "payment": "authorized"}})
    run.hear("payment", "something new")
    assert run.decision == ("confirm", None)


@pytest.mark.parametrize(
    ("facts", "decision", "output"),
    [
        ({"status": "placed", "replies": dict(GOOD)}, ("confirm", None), "confirmed"),
        ({"status": "placed", "replies": {"stock": "out_of_stock"}}, ("cancel", "out_of_stock"), "cancelled"),
        ({"status": "cancelled", "replies": {}}, None, "cancelled"),
        ({"status": "confirmed", "replies": dict(GOOD)}, None, "confirmed"),
    ],
)
def test_a_saga_that_starts_late_reads_the_answers_that_came_before_it(
    facts: dict[str, Any], decision: tuple[str, str | None] | None, output: str
) -> None:
    run = Run(facts=facts, late=LATE_START_SECONDS + 1)
    assert (run.looked_up, run.decision, run.output) == (1, decision, output)


def test_a_saga_that_starts_late_and_finds_half_an_answer_waits_for_the_other() -> None:
    run = Run(facts={"status": "placed", "replies": {"stock": "reserved"}}, late=LATE_START_SECONDS + 1)
    assert not run.ended
    run.hear("payment", "authorized")
    assert run.decision == ("confirm", None)


def test_a_saga_that_starts_in_time_looks_nothing_up() -> None:
    assert Run(late=LATE_START_SECONDS - 1).looked_up == 0


@pytest.mark.parametrize("name", GOOD)
def test_at_the_deadline_an_answer_that_was_recorded_and_never_heard_still_counts(name: str) -> None:
    run = Run(facts={"status": "placed", "replies": dict(GOOD)})
    run.hear(name, GOOD[name])  # type: ignore[index]  # parametrised over its keys
    run.wait()
    assert run.decision == ("confirm", None)


def test_a_deadline_of_weeks_is_waited_for_in_timers_that_the_extension_does_not_cut() -> None:
    due = PLACED + timedelta(days=7, seconds=5)
    run = Run(given={**GIVEN, "deadline": timestamp(due)})
    for _ in range(3):
        run.wait()
        assert not run.ended
    run.wait()
    assert run.decision == ("cancel", "timed_out")
    moments = [PLACED, *(datetime.fromisoformat(timer.name) for timer in run.timers)]
    assert moments[-1] == due
    assert all(later - earlier <= MAX_TIMER for earlier, later in pairwise(moments))


def test_a_moment_without_an_offset_is_no_moment() -> None:
    with pytest.raises(ValueError, match="no UTC offset"):
        timer_towards(Context(dict(GIVEN), PLACED.replace(tzinfo=None)), PLACED.replace(tzinfo=None))


@given(st.timezones())
def test_a_timer_is_set_in_utc_whatever_offset_its_moment_has(zone: tzinfo) -> None:
    context = Context(dict(GIVEN), PLACED.replace(tzinfo=None))
    moment = PLACED + timedelta(hours=1)
    timer_towards(context, moment.astimezone(zone))
    assert context.timers[0].name == moment.isoformat()


def test_an_instance_of_an_older_release_takes_the_steps_of_its_history() -> None:
    old = {name: value for name, value in GIVEN.items() if name != "placed_at"}
    run = Run(given=old, late=LATE_START_SECONDS * 10)
    run.wait()
    assert (run.looked_up, run.decision) == (0, ("cancel", "timed_out"))


def test_an_activity_that_fails_for_good_is_told_without_the_hosts_exception() -> None:
    saga = order_saga(Context(dict(GIVEN), PLACED.replace(tzinfo=None)))
    waiting = next(saga)
    stock = next(task for task in waiting.of if task.name == "stock")
    stock.result = "out_of_stock"
    saga.send(stock)
    text = 'Activity function \'orders_settle\' failed: Transient: no answer \n {"$type":"System.Exception"}'
    with pytest.raises(
        ActivityFailed, match=r"^Activity function 'orders_settle' failed: Transient: no answer$"
    ) as told:
        saga.throw(Exception(text))
    assert told.value.__suppress_context__
