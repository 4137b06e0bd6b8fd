"""The export, driven over every order of answers, parts, repeats and silence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.accounts.chasing import ROUNDS
from blueprints.accounts.export import ASK, FINISH, LOOK_UP, export
from shared.clock import parse_timestamp
from shared.orchestration import MAX_TIMER
from tests.unit.driving import Drive

BEGAN = parse_timestamp("2026-03-01T12:00:00.000Z")
SERVICES = ("carts", "orders", "payments")
PAUSE = timedelta(hours=6)
ABOUT = {
    "export_id": "exp_a",
    "account_id": "someone",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


class Case:
    """What the store says of an export; each service has so many parts to tell."""

    def __init__(self, parts: dict[str, int], chase: timedelta = PAUSE) -> None:
        self.missing = {name: set(range(number)) for name, number in parts.items()}
        self.status = "gathering"
        self.rounds: list[int] = []
        self.finished = 0
        self.run = Drive(
            export,
            {**ABOUT, "chase_seconds": chase.total_seconds()},
            BEGAN,
            {ASK: self.ask, LOOK_UP: self.look_up, FINISH: self.finish},
        )

    def look_up(self, about: Any) -> dict[str, list[str]]:
        assert {name: about[name] for name in ABOUT} == ABOUT
        return {"silent": self.silent if self.status == "gathering" else []}

    def ask(self, about: Any) -> dict[str, list[str]]:
        self.rounds.append(about["round"])
        return self.look_up(about)

    def finish(self, about: Any) -> str:
        self.finished += 1
        if self.status == "gathering":
            self.status = "incomplete" if self.silent else "ready"
        return self.status

    @property
    def silent(self) -> list[str]:
        return sorted(name for name, parts in self.missing.items() if parts)

    def tell(self, name: str, part: int, *, heard: bool = True) -> None:
        self.missing[name].discard(part)
        if heard:
            self.run.hear("answered", "answered")


Happening = tuple[str, str, int, bool]
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("part"), st.sampled_from(SERVICES), st.integers(0, 2), st.booleans()),
        st.tuples(st.sampled_from(["time", "noise", "withdrawn", "gone"]), st.just(""), st.just(0), st.booleans()),
    ),
    max_size=40,
)


@given(st.fixed_dictionaries(dict.fromkeys(SERVICES, st.integers(1, 3))), HAPPENINGS)
def test_whatever_happens_it_ends_once_with_what_is_in_the_store(
    parts: dict[str, int], happenings: list[Happening]
) -> None:
    case = Case(parts)
    run = case.run
    for what, name, part, heard in happenings:
        if run.ended:
            break
        if what == "part":
            case.tell(name, part, heard=heard)
        elif what == "time":
            run.wait()
        elif what == "noise":
            run.hear("answered", "?" if heard else None)
        elif case.status == "gathering":
            case.status = what
    given_up = case.status in ("withdrawn", "gone")
    while not run.ended:
        run.wait()
    assert case.finished == 1 and run.output == case.status
    assert case.rounds == list(range(1, len(case.rounds) + 1)) and len(case.rounds) <= ROUNDS
    if given_up:
        assert case.status in ("withdrawn", "gone")
    elif case.silent:
        assert (case.status, len(case.rounds)) == ("incomplete", ROUNDS)
        assert run.now == BEGAN + ROUNDS * PAUSE
    else:
        assert case.status == "ready"


@given(st.permutations([(name, part) for name in SERVICES for part in range(2)]))
def test_it_is_ready_with_the_last_part_whatever_their_order(order: list[tuple[str, int]]) -> None:
    case = Case(dict.fromkeys(SERVICES, 2))
    for name, part in order:
        assert not case.run.ended
        case.tell(name, part)
        case.tell(name, part)
    assert (case.run.output, case.run.now, case.rounds) == ("ready", BEGAN, [1])


def test_answers_that_were_there_before_it_looked_are_enough() -> None:
    case = Case(dict.fromkeys(SERVICES, 0))
    assert (case.run.output, case.rounds) == ("ready", [1])


@pytest.mark.parametrize("round_", [1, ROUNDS - 1])
def test_an_answer_whose_event_was_lost_is_found_in_the_next_round(round_: int) -> None:
    case = Case({"orders": 1})
    for _ in range(round_ - 1):
        case.run.wait()
    case.tell("orders", 0, heard=False)
    assert not case.run.ended
    case.run.wait()
    assert (case.run.output, case.rounds[-1]) == ("ready", round_ + 1)


def test_no_timer_is_longer_than_the_extension_takes_in_one() -> None:
    case = Case({"orders": 1}, chase=timedelta(days=9))
    before = case.run.now
    while not case.run.ended:
        case.run.wait()
        assert case.run.now - before <= MAX_TIMER
        before = case.run.now
    assert case.rounds == list(range(1, ROUNDS + 1))
