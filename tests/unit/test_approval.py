"""Orders that wait for a person: the table of rules, and the half of the saga that waits, driven without a host."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.orders import approval, approval_saga, domain
from blueprints.orders.approval import HOLD_LIFE, MAX_METHODS, decided_until, marked_by, read_rules, with_method
from blueprints.orders.domain import GOOD
from blueprints.orders.saga import ASK, LOOK_UP, SETTLE, order_saga
from shared.clock import parse_timestamp, timestamp
from shared.money import Money
from shared.orchestration import MAX_TIMER
from shared.recovery import LATE_START_SECONDS
from shared.settings import SettingError
from tests.unit.driving import Drive
from tests.unit.test_order_saga import EVENT, GARBAGE, GIVEN, PLACED, encoded
from tests.unit.test_orders_domain import placed

LARGE: dict[str, Any] = {"name": "large", "when": "total_above", "total": {"amount": 500_00, "currency": "GBP"}}
CARDS: dict[str, Any] = {"name": "cards", "when": "new_payment_methods", "more_than": 2, "hours": 24}
ABROAD: dict[str, Any] = {"name": "abroad", "when": "country_outside", "currency": "GBP", "countries": ["GB", "IM"]}
HOUR = 3600.0


def marks(table: list[dict[str, Any]], order: domain.Order, methods: dict[str, float] | None = None) -> tuple[str, ...]:
    return marked_by(read_rules(json.dumps(table)), order, methods or {}, 100 * HOUR)


def to(country: str, amount: int = 255) -> domain.Order:
    order = placed(amount)
    return replace(order, shipping_address=replace(order.shipping_address, country=country))


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (to("GB", 500_00), ()),
        (to("GB", 500_01), ("large",)),
        (to("IM"), ()),
        (to("FR"), ("abroad",)),
        (to("FR", 500_01), ("large", "abroad")),
        (replace(to("FR"), total=Money(900_00, "EUR")), ()),
    ],
)
def test_an_order_is_marked_by_each_rule_that_it_meets_in_its_own_currency(
    order: domain.Order, names: tuple[str, ...]
) -> None:
    assert marks([LARGE, CARDS, ABROAD], order) == names


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 10 * HOUR)), max_size=60))
def test_a_method_is_new_once_and_the_latest_are_remembered(uses: list[tuple[int, float]]) -> None:
    now, methods, first = 0.0, dict[str, float](), dict[int, float]()
    recent: list[int] = []
    for method, pause in uses:
        now += pause
        if method not in recent[-MAX_METHODS:]:
            first[method] = now
        recent = [*(known for known in recent if known != method), method]
        methods = with_method(methods, f"pm_{method}", now)
    assert sorted(methods.values()) == sorted(first[method] for method in recent[-MAX_METHODS:])
    assert not any("pm_" in name for name in methods)


def test_more_new_methods_than_the_rule_allows_mark_the_order_and_old_ones_count_for_nothing() -> None:
    now = 100 * HOUR
    new = dict.fromkeys("ab", now - HOUR)
    assert marks([CARDS], placed(), new) == ()
    assert marks([CARDS], placed(), {**new, "c": now}) == ("cards",)
    assert marks([CARDS], placed(), {**new, "c": now - 24 * HOUR}) == ()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("nonsense", "malformed"),
        ("{}", "array"),
        (json.dumps([{**LARGE, "when": "moon_full"}]), "when"),
        (json.dumps([{**LARGE, "total": 500}]), r"\$\[0\]\.total"),
        (json.dumps([{**LARGE, "total": {"amount": 1, "currency": "GBX"}}]), "GBX"),
        (json.dumps([{**LARGE, "above": 3}]), "above"),
        (json.dumps([{**CARDS, "more_than": MAX_METHODS}]), r"more_than"),
        (json.dumps([{**CARDS, "hours": 0}]), "hours"),
        (json.dumps([{**ABROAD, "countries": ["UK"]}]), "countries"),
        (json.dumps([{**ABROAD, "countries": []}]), "countries"),
        (json.dumps([LARGE, LARGE]), "two rules are called large"),
        (json.dumps([{**LARGE, "name": "Large one"}]), "name"),
        (json.dumps([{**LARGE, "name": f"r{number}"} for number in range(approval.MAX_RULES + 1)]), "50"),
    ],
)
def test_a_table_that_is_none_is_refused_with_where_it_is_wrong(table: str, says: str) -> None:
    with pytest.raises(SettingError, match=f"(?s)APPROVAL_RULES.*{says}"):
        read_rules(table)


@given(st.floats(0, 20 * 86_400), st.floats(1, 30 * 86_400))
def test_time_decides_while_the_money_is_held(passed: float, seconds: float) -> None:
    order = placed()
    now = parse_timestamp(order.placed_at) + timedelta(seconds=passed)
    until = parse_timestamp(decided_until(order, now, seconds))
    assert until <= parse_timestamp(order.placed_at) + HOLD_LIFE
    assert until <= now + timedelta(seconds=seconds)


def test_the_first_answer_of_an_order_that_was_marked_tells_nothing_of_what_came_later() -> None:
    order = domain.admitted(placed(), "2010-12-01T08:26:00.000Z", stock_asked=True, marked_by=("large",))
    assert order.approval is not None
    waiting = replace(
        domain.transition(order, "review", "2010-12-01T08:27:00.000Z"),
        approval=replace(order.approval, until="2010-12-02T08:27:00.000Z", decided_by="staff"),
    )
    assert waiting.as_placed() == order


class Run(Drive):
    """A saga of an order that a rule has marked, with the store that its activities find: `status` is the order's."""

    def __init__(self, late: float = 0.0, status: str = "placed", days: float = 1.0) -> None:
        self.status, self.replies = status, dict[str, str]()
        self.timed_out = 0
        self.until = PLACED + timedelta(days=days)
        activities = {
            LOOK_UP: lambda _: {"status": self.status, "replies": self.replies},
            ASK: lambda _: {"status": self.status, "replies": self.replies},
            SETTLE: self._settle,
            approval_saga.LOOK_UP: lambda _: {"status": self.status, "until": timestamp(self.until)},
            approval_saga.TIME_OUT: self._time_out,
        }
        super().__init__(order_saga, dict(GIVEN), PLACED + timedelta(seconds=late), activities)

    def _settle(self, asked: dict[str, Any]) -> str:
        if self.status == "placed":
            self.status = "awaiting_approval" if asked["command"] == "confirm" else "cancelled"
        return self.status

    def _time_out(self, _: Any) -> str:
        self.timed_out += 1
        if self.status == "awaiting_approval":
            self.status = "cancelled"
        return self.status

    def both_good(self) -> None:
        for name, said in GOOD.items():
            self.replies[name] = said
            self.hear(name, said)


DECISIONS = {"approve": ("approved", "confirmed"), "refuse": ("cancelled", "cancelled")}
"""What is decided → the event that tells of it, and the order's status then."""
ANYTHING = st.one_of(
    EVENT,
    st.sampled_from([("approved", "approved"), ("cancelled", "cancelled")]),
    st.tuples(st.sampled_from(["approved", "cancelled"]), st.sampled_from(GARBAGE)),
)
DECIDED = st.tuples(st.sampled_from([*DECISIONS]), st.booleans())
"""A decision, and whether its event is lost."""


@given(
    st.permutations(list(GOOD.items())),
    st.lists(ANYTHING, max_size=4),
    st.lists(ANYTHING, max_size=4),
    st.one_of(st.none(), DECIDED),
    st.lists(ANYTHING, max_size=4),
)
def test_whatever_is_heard_in_whatever_order_the_stored_decision_is_the_end_and_without_one_time_is(
    answers: list[tuple[str, str]],
    before: list[tuple[str, Any]],
    between: list[tuple[str, Any]],
    decided: tuple[str, bool] | None,
    after: list[tuple[str, Any]],
) -> None:
    run = Run()
    # nothing but good answers is true: whatever else is said before was never recorded
    for name, said in [item for item in before if item[0] in ("approved", "cancelled")]:
        run.hear(name, said)
    for name, said in answers:
        run.replies[name] = said
        run.hear(name, encoded(said, twice=True))
    assert run.status == "awaiting_approval" and not run.ended
    for name, said in between:
        run.hear(name, said)
        assert not run.ended, "what nobody has written down decides nothing"
    if decided is not None:
        event, run.status = DECISIONS[decided[0]]
        if not decided[1]:
            run.hear(event, event)
            assert run.ended, "a decision ends it at once"
    for name, said in after:
        run.hear(name, said)
    if not run.ended:
        run.wait()
        assert run.now >= run.until
    assert run.output == (DECISIONS[decided[0]][1] if decided else "cancelled")
    assert run.timed_out <= 1
    assert run.timed_out == 0 or decided is None, "time decides nothing that is decided"


def test_nobody_decides_in_a_week_the_timers_are_short_and_time_refuses() -> None:
    run = Run(days=5.5)
    run.both_good()
    looks = 0
    while not run.ended:
        began = run.now
        run.wait()
        assert run.now - began <= MAX_TIMER
        looks += 1
    assert (run.output, run.timed_out, run.now, looks) == ("cancelled", 1, run.until, 3)


def test_a_saga_that_begins_anew_finds_the_order_waiting_and_waits_on() -> None:
    run = Run(late=LATE_START_SECONDS + HOUR, status="awaiting_approval")
    assert not run.ended
    run.status = "confirmed"
    run.hear("approved", "approved")
    assert run.output == "confirmed"


def test_a_saga_that_begins_anew_after_the_time_decides_at_once() -> None:
    run = Run(late=3 * 86_400.0, status="awaiting_approval")
    assert (run.output, run.timed_out) == ("cancelled", 1)
