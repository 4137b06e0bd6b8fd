"""The recorded schedules and what Microsoft's host made of them: the next five times, or why there are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localazure.functions.errors import HostError, InvalidFunction
from localazure.functions.settings import resolve
from localazure.functions.timer import Schedule

RECORDINGS = Path(__file__).parent / "recordings"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DIFFERENT = {
    "schedule-17": "Azure says of an empty schedule that a type is null; here it is a schedule that is not recognised",
    "schedule-20": "the setting that is missing is named here as for every other trigger",
}
"""Recordings with another reason here → why."""


def _recorded() -> list[dict[str, Any]]:
    lines = (RECORDINGS / "timers.jsonl").read_text(encoding="utf-8").splitlines()
    return [recording for line in lines if "next" in (recording := json.loads(line))]


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _text(moment: float) -> str:
    return f"{_EPOCH + timedelta(seconds=moment):%Y-%m-%dT%H:%M:%SZ}"


def _next(recording: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    for name, value in recording["settings"].items():
        monkeypatch.setenv(name, value)
    schedule = Schedule(recording["function"], resolve(recording["schedule"]))
    due, moment = [], _moment(recording["now"])
    for _ in range(5):
        moment = schedule.after(moment)
        due.append(_text(moment))
    return str(schedule), due


@pytest.mark.parametrize("recording", _recorded(), ids=lambda recording: recording["id"])
def test_a_schedule_is_due_when_it_was_on_microsofts_host(
    recording: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "error" not in recording:
        assert _next(recording, monkeypatch) == (recording["parsed"], recording["next"])
        assert recording["id"] not in DIFFERENT
        return
    with pytest.raises(HostError) as refused:
        _next(recording, monkeypatch)
    same = isinstance(refused.value, InvalidFunction) and refused.value.reason.lower() in recording["error"].lower()
    assert same is (recording["id"] not in DIFFERENT)
