"""Cosmos DB operations per second by the official client; the same code for any server that speaks its protocol."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from scripts.bench import cosmos_client
from scripts.bench.busy import Busy
from scripts.bench.children import output
from scripts.bench.figures import ratio
from scripts.bench.system import running

CLIENTS = 3
"""Processes, with eight operations under way in each."""
SERVER = "server"
START_AFTER = 2.0
"""Seconds that they are given to import the SDK and to connect."""


async def cosmos(seconds: float) -> dict[str, Any]:
    """The local server alone, its file on disk."""
    async with running(["cosmos"]) as system:
        return await operations(system.addresses["cosmos"], system.processes["cosmos"], seconds)


async def operations(url: str, process: int, seconds: float) -> dict[str, Any]:
    """Point reads, upserts and queries per second; how many cores of the server each kept busy, and for how long one.

    `server_ms` is the server's processor time for one operation: it tells servers apart even where it is the clients
    that are at their limit, which `server_cores` well below 1 shows.
    Raises MeasurementFailed where any answer is wrong.
    """
    await cosmos_client.fill(url)
    found: dict[str, Any] = {}
    cores: dict[str, float | None] = {}
    for kind in cosmos_client.KINDS:
        found[f"{kind}_per_second"], cores[kind] = await _rate(url, process, kind, seconds)
    spent = {kind: ratio(1000 * (busy or 0), found[f"{kind}_per_second"]) for kind, busy in cores.items()}
    return {**found, "server_cores": cores, "server_ms": spent}


async def _rate(url: str, process: int, kind: str, seconds: float) -> tuple[float, float | None]:
    start = time.time() + START_AFTER
    words = [sys.executable, "-m", "scripts.bench.cosmos_client", url, kind, str(seconds), str(start)]
    measured = asyncio.create_task(_cores(process, start, seconds))
    rates = await asyncio.gather(*(output(words) for _ in range(CLIENTS)))
    return round(sum(map(float, rates)), 1), await measured


async def _cores(process: int, start: float, seconds: float) -> float | None:
    await asyncio.sleep(start - time.time())
    busy = Busy({SERVER: process})
    await asyncio.sleep(seconds)
    return busy.cores().get(SERVER)
