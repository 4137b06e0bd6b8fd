"""What every engine in `.venv-bench` is measured with. Imports nothing of ours but the saga's steps.

    python -m scripts.bench.peers.<engine> SECONDS AT_ONCE FOLDER

prints one JSON object. So many sagas are under way at a time, each waited for by a thread of its own, and every one
that was started is checked for all its rows at the end.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from scripts.bench import steps

WARM_UP = 0.5

RunSaga = Callable[[str], list[str]]
"""Runs the saga of one order to its end; answers the steps that were done."""


def main(engine: Callable[[Path, int], AbstractContextManager[RunSaga]]) -> None:
    """Measure the engine as the command line says. Exits with what is wrong where a saga is not what it should be."""
    seconds, at_once, folder = float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    rows = folder / "rows.db"
    os.environ[steps.ROWS] = str(rows)
    steps.prepare(str(rows))
    with engine(folder, at_once) as run:
        load = _Load(run, seconds)
        before = time.process_time()
        load.drive(at_once)
        cores = (time.process_time() - before) / (seconds + WARM_UP)
    if load.errors:
        sys.exit(f"{len(load.errors)} sagas failed; the first: {load.errors[0]!r}")
    if (complete := steps.complete(str(rows))) != load.started:
        sys.exit(f"{load.started} sagas, of which {complete} have all their rows")
    print(json.dumps({"sagas_per_second": round(load.ended / seconds, 1), "busy_cores": round(cores, 2)}))


class _Load:
    def __init__(self, run: RunSaga, seconds: float) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._start = time.perf_counter() + WARM_UP
        self._end = self._start + seconds
        self.started = self.ended = 0
        self.errors: list[Exception] = []

    def drive(self, at_once: int) -> None:
        threads = [threading.Thread(target=self._lane) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _lane(self) -> None:
        while time.perf_counter() < self._end and not self.errors:
            with self._lock:
                order_id, self.started = f"order-{self.started}", self.started + 1
            try:
                done = self._run(order_id)
                if done != list(steps.STEPS):
                    raise ValueError(f"the saga of {order_id} answered {done}")
            except Exception as exc:
                self.errors.append(exc)
                return
            with self._lock:
                self.ended += self._start <= time.perf_counter() < self._end
