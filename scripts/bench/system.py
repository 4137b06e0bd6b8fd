"""A system of its own for one measurement: temporary state, free ports, stopped at the end whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.children import ROOT
from scripts.bench.options import MeasurementFailed
from scripts.ending import end

PATIENCE = 90.0
"""Seconds that all parts may take to be ready."""


@dataclass(frozen=True)
class System:
    """What runs: addresses and process ids by part, the address of the broker's counters, and how long it all took."""

    addresses: Mapping[str, str]
    processes: Mapping[str, int]
    broker_admin: str
    startup_ms: float


@asynccontextmanager
async def running(
    only: Sequence[str] = (),
    options: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[System]:
    """`python -m localazure up`, all parts or `only` these. `options`: PART.OPTION → value.

    Raises MeasurementFailed with what it printed, where it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="commerce-bench-") as name:
        folder = Path(name)
        settings = folder / "settings.json"
        shutil.copy(ROOT / "local.settings.sample.json", settings)
        admin = free_port()
        chosen = {"functions.settings": str(settings), "servicebus.admin_port": str(admin), **(options or {})}
        command = [sys.executable, "-m", "localazure", "up", "--state", str(folder / "state"), "--port", "all=0"]
        if only:
            command += ["--only", ",".join(only)]
        for option, value in chosen.items():
            if not only or option.partition(".")[0] in only:
                command += ["--set", f"{option}={value}"]
        with (folder / "up.log").open("wb") as log:
            began = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the measurement alone, which then stops the system
            )
            try:
                addresses = await _addresses(process, folder)
                startup_ms = (time.perf_counter() - began) * 1000
                processes = json.loads((folder / "state" / "processes.json").read_text())
                yield System(addresses, processes, f"http://127.0.0.1:{admin}", startup_ms)
            finally:
                await end(process)


async def _addresses(process: Process, folder: Path) -> dict[str, str]:
    file, deadline = folder / "state" / "addresses.json", time.monotonic() + PATIENCE
    while not file.exists():
        if process.returncode is not None or time.monotonic() > deadline:
            raise MeasurementFailed(f"the system does not start: {(folder / 'up.log').read_text()}")
        await asyncio.sleep(0.005)
    return dict(json.loads(file.read_text()))


def free_port() -> int:
    """One that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
