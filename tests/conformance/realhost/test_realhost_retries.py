"""The recorded attempts, run on a turned clock: how many, when, under which ids, and what each was told."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from .comparing import load
from .turned import STEP, Run, run

_EXACT = 2.5 * STEP
"""Seconds by which a note may be late: the clock goes in steps, and a call may end and begin a step late."""
_LATE = 0.35
"""Seconds by which the recorded attempts were late, beyond their delays: the real host had to run them."""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("retries"))


def _bounds(policy: dict[str, Any], retries: int) -> list[tuple[float, float]]:
    """Between which lengths each delay lies, in seconds."""
    if policy["strategy"] == "fixed_delay":
        return [(_seconds(policy["delay_interval"]),) * 2] * retries
    shortest, longest = _seconds(policy["minimum_interval"]), _seconds(policy["maximum_interval"])
    grown = [(shortest * (1 + 0.8 * 2.0**n), shortest * (1 + 1.2 * 2.0**n)) for n in range(retries - 1)]
    return [(shortest, shortest), *((min(longest, low), min(longest, high)) for low, high in grown)]


def _seconds(text: str) -> float:
    hours, minutes, seconds = map(int, text.split(":"))
    return hours * 3600.0 + minutes * 60 + seconds


def _delays(moments: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(moments)]


def _told(context: dict[str, Any]) -> tuple[Any, ...]:
    """The parts of a retry context that are compared: no stack traces, but whether there is one."""
    exception = context["rpc_exception"]
    first, _, rest = exception["message"].partition("\n")
    traced = bool(exception.get("stack_trace") or exception.get("stack_trace_lines"))
    kind = rest.partition("\n")[0]
    return context["retry_count"], context["max_retry_count"], exception["source"], first, kind, traced


@pytest.mark.parametrize("recording", load("retries.jsonl"), ids=lambda recording: recording["id"])
def test_a_function_is_tried_again_as_on_microsofts_host(recording: dict[str, Any], outcome: Run) -> None:
    recorded, given = recording["attempts"], outcome.of(recording["function"])
    assert [_told(note["retry_context"]) for note in given] == [_told(item["retry_context"]) for item in recorded]
    ids = {note["id"] for note in given}
    assert len(ids) == (len(given) if recording["invocation_ids"] == "new" else 1)
    if recording["policy"]:
        bounds = _bounds(recording["policy"], len(given) - 1)
        for (low, high), ours, theirs in zip(
            bounds,
            _delays([note["t"] for note in given]),
            _delays([item["after_s"] for item in recorded]),
            strict=True,
        ):
            assert low - _EXACT <= ours <= high + _EXACT
            assert low - 0.05 <= theirs <= high + _LATE
    if "answer" in recording:
        status, body = outcome.answers[recording["function"]]
        assert (status, body) == (recording["answer"]["status"], recording["answer"].get("body", ""))


OF_THE_APP = [recording for recording in load("timers.jsonl") if recording["app"] == "retries"]


@pytest.mark.parametrize("recording", OF_THE_APP, ids=lambda recording: recording["id"])
def test_a_timer_runs_as_on_microsofts_host(recording: dict[str, Any], outcome: Run) -> None:
    given = outcome.of(recording["function"])
    if "runs_at_start" in recording:
        assert len(given) == recording["runs_at_start"]
    elif "events" in recording:
        began = given[0]["t"]
        happened = [(note["event"], note["t"] - began) for note in given[: len(recording["events"])]]
        assert [event for event, _ in happened] == [event for _, event in recording["events"]]
        for place, ((moment, _), (_, ours)) in enumerate(zip(recording["events"], happened, strict=True)):
            assert ours == pytest.approx(moment, abs=_EXACT * (1 + place / 2))
    else:
        for name in ("past_due", "schedule_status", "schedule"):
            assert given[0][name] == recording[name]
