"""`python -m scripts.bench` as a process: what it starts ends with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.bench.cold_start import TRACE, fresh

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


async def test_the_bare_import_is_of_the_sdks_that_the_app_imports_and_of_nothing_else() -> None:
    sdks = json.loads(await fresh(TRACE))
    assert {"azure.functions", "azure.durable_functions", "azure.servicebus", "msgspec"} <= set(sdks)
    assert not [name for name in sdks if name.partition(".")[0] in {*sys.stdlib_module_names, "shared", "blueprints"}]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_measurement_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.bench", "--only", "startup_ms"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = _processes(tmp_path, process)
    process.send_signal(number)
    out, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, ""), errors
    assert list(tmp_path.iterdir()) == []
    assert not [pid for pid in running if Path(f"/proc/{pid}").exists()]


def _processes(folder: Path, process: subprocess.Popen[str]) -> list[int]:
    """The parts of the system that the measurement has started, as soon as there are some."""
    deadline = time.monotonic() + PATIENCE
    while not (found := list(folder.glob("*/state/processes.json"))):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    pids = list(json.loads(found[0].read_text()).values())
    assert pids
    return pids
