"""`make bench-peers`: engines are compared at their best, and what does not run says why."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from scripts.bench import steps
from scripts.bench.busy import CLIENT, Busy, cpu_seconds
from scripts.bench.children import output
from scripts.bench.options import FAILED, MeasurementFailed
from scripts.bench.peers import cosmos, sagas


async def measured(_: float, at_once: int) -> dict[str, Any]:
    if at_once == 8:
        raise MeasurementFailed("no such module")
    return {"sagas_per_second": 100.0 - at_once}


async def test_an_engine_is_compared_at_its_best() -> None:
    found = await sagas.at_best("engine", measured, (50, 1), 1.0)
    assert found == {
        "at_once_50": {"sagas_per_second": 50.0},
        "at_once_1": {"sagas_per_second": 99.0},
        "best_sagas_per_second": 99.0,
    }


async def test_what_does_not_run_says_why() -> None:
    found = await sagas.at_best("engine", measured, (1, 8), 1.0)
    assert found["at_once_8"] == {FAILED: "no such module"}
    assert found["best_sagas_per_second"] == 99.0


async def test_an_engine_that_does_not_run_at_all_has_no_best() -> None:
    assert (await sagas.at_best("engine", measured, (8,), 1.0))["best_sagas_per_second"] is None


def test_the_ratio_says_how_many_of_ours_for_each_of_theirs() -> None:
    found: dict[str, dict[str, Any]] = {
        "localazure": {"best_sagas_per_second": 90.0},
        "localazure_two_workers": {"best_sagas_per_second": 270.0},
        "twice": {"best_sagas_per_second": 180.0},
        "failing": {"best_sagas_per_second": None},
        "missing": {FAILED: "cannot be installed"},
    }
    assert sagas.ratios(found) == {
        "localazure_to_twice": 0.5,
        "localazure_to_failing": None,
        "localazure_to_missing": None,
        "localazure_two_workers_to_twice": 1.5,
        "localazure_two_workers_to_failing": None,
        "localazure_two_workers_to_missing": None,
    }


def test_the_ratios_of_operations_are_by_kind() -> None:
    ours = {"point_reads_per_second": 30.0, "queries_per_second": 9.0, "server_ms": {"queries": 0.5}}
    theirs = {"point_reads_per_second": 20.0, "queries_per_second": 18.0, "server_ms": {"queries": 0.25}}
    assert cosmos.ratios(ours, theirs) == {
        "point_reads_per_second": 1.5,
        "queries_per_second": 0.5,
        "server_ms": {"queries": 2.0},
    }
    assert cosmos.ratios(ours, {FAILED: "npm cannot be found"}) == {
        "point_reads_per_second": None,
        "queries_per_second": None,
        "server_ms": {"queries": None},
    }


async def test_a_program_that_does_not_exist_is_a_reason() -> None:
    with pytest.raises(MeasurementFailed, match=r"no-such-program cannot be run"):
        await output(["no-such-program"])


async def test_what_a_failing_process_said_is_the_reason() -> None:
    with pytest.raises(MeasurementFailed, match=r"disk full"):
        await output(["sh", "-c", "echo disk full >&2; exit 3"])


def test_a_saga_is_complete_with_all_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tmp_path / "rows.db"
    monkeypatch.setenv(steps.ROWS, str(rows))
    monkeypatch.setattr(steps, "_local", threading.local())
    steps.prepare(str(rows))
    for step in (*steps.STEPS, steps.STEPS[0]):
        assert steps.write(step, "whole") == step
    steps.write("place", "begun")
    assert steps.complete(str(rows)) == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor time is read from /proc")
def test_a_process_that_computes_is_busy_and_one_that_is_gone_is_left_out() -> None:
    before = cpu_seconds(os.getpid())
    assert before is not None
    busy = Busy({"gone": 0})
    while (now := cpu_seconds(os.getpid())) is not None and now < before + 0.1:
        time.perf_counter()
    cores = busy.cores()
    assert set(cores) == {CLIENT}
    assert cores[CLIENT] > 0
