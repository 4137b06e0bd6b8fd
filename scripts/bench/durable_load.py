"""Orchestrations of five activities per second, on the functions host with its task hub, started over HTTP."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from localazure.functions.settings import WORKER_PROCESSES
from scripts.bench import steps
from scripts.bench.busy import Busy
from scripts.bench.figures import rate
from scripts.bench.lanes import WARM_UP
from scripts.bench.options import MeasurementFailed
from scripts.bench.shoppers import open_session
from scripts.bench.system import running

APP = Path(__file__).parent / "saga_app"
MAX_CONCURRENCY = 50
"""Orchestrations under way: enough that the engine is never without work."""
LOOK, LOOK_AT_FEW, FEW = 0.02, 0.005, 4
"""Seconds between two looks at which are still under way; one request tells for all. With only a `FEW` of them the
time between an end and the look that sees it would be most of what is measured, so then it is shorter."""
PATIENCE = 60.0
HUB = "/runtime/webhooks/durabletask"
UNDER_WAY = "Pending,Running"


async def durable(seconds: float, at_once: int = MAX_CONCURRENCY, workers: int | None = None) -> dict[str, Any]:
    """The host alone with an app that has nothing else, its files on disk; `workers` processes run the app, or as many
    as the sample settings say."""
    with tempfile.TemporaryDirectory(prefix="commerce-bench-") as folder:
        rows = Path(folder) / "rows.db"
        options = {"functions.app": str(APP)}
        steps.prepare(str(rows))
        environment = {steps.ROWS: str(rows)} | ({} if workers is None else {WORKER_PROCESSES: str(workers)})
        async with running(["functions"], options, environment) as system, open_session() as session:
            load = _Load(session, f"{system.addresses['functions']}{HUB}")
            busy = Busy(system.processes)
            sagas = await load.run(seconds, at_once)
            cores = busy.cores()
            await load.check(rows)
            return {"sagas_per_second": sagas, "busy_cores": cores}


class _Load:
    def __init__(self, session: aiohttp.ClientSession, hub: str) -> None:
        self._session, self._hub = session, hub
        self._started = 0

    async def run(self, seconds: float, at_once: int) -> float:
        """Keep so many under way; sagas that ended per second, the warm-up left out."""
        start = time.perf_counter() + WARM_UP
        first: tuple[float, int] | None = None
        look = LOOK_AT_FEW if at_once <= FEW else LOOK
        while True:
            under_way = len(await self._instances(UNDER_WAY))
            now, ended = time.perf_counter(), self._started - under_way
            if first is None and now >= start:
                first = now, ended
            if first is not None and now >= start + seconds:
                return rate(ended - first[1], now - first[0])
            await asyncio.gather(*(self._start() for _ in range(at_once - under_way)))
            await asyncio.sleep(look)

    async def check(self, rows: Path) -> None:
        """Raises MeasurementFailed unless every saga that was started ended well, with all its rows."""
        deadline = time.monotonic() + PATIENCE
        while await self._instances(UNDER_WAY):
            if time.monotonic() > deadline:
                raise MeasurementFailed(f"sagas are still under way after {PATIENCE:g} s")
            await asyncio.sleep(LOOK)
        failed, complete = await self._instances("Failed"), steps.complete(str(rows))
        if failed or complete != self._started:
            raise MeasurementFailed(f"{self._started} sagas, of which {complete} complete; the first bad: {failed[:1]}")

    async def _start(self) -> None:
        order_id = f"order-{self._started}"
        self._started += 1
        url = f"{self._hub}/orchestrators/saga/{order_id}"
        async with self._session.post(url, json=json.dumps(order_id)) as answer:  # twice, as the package decodes it
            if answer.status != 202:
                raise MeasurementFailed(f"{url}: {answer.status} {await answer.text()}")

    async def _instances(self, statuses: str) -> list[Any]:
        query = {"runtimeStatus": statuses, "showInput": "false"}
        async with self._session.get(f"{self._hub}/instances", params=query) as answer:
            answer.raise_for_status()
            return list(await answer.json())
