"""Cosmos DB operations per second by the official client; the same code for any server that speaks its protocol."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from scripts.bench import cosmos_client
from scripts.bench.busy import Busy
from scripts.bench.children import output
from scripts.bench.system import running

CLIENTS = 3
"""Processes, with eight operations under way in each."""
START_AFTER = 2.0
"""Seconds that they are given to import the SDK and to connect."""


async def cosmos(seconds: float) -> dict[str, Any]:
    """The local server alone, its file on disk."""
    async with running(["cosmos"]) as system:
        busy = Busy(system.processes)
        rates = await operations(system.addresses["cosmos"], seconds)
        return {**rates, "busy_cores": busy.cores()}


async def operations(url: str, seconds: float) -> dict[str, float]:
    """Point reads, upserts and queries per second. Raises MeasurementFailed where any answer is wrong."""
    await cosmos_client.fill(url)
    return {f"{kind}_per_second": await _rate(url, kind, seconds) for kind in cosmos_client.KINDS}


async def _rate(url: str, kind: str, seconds: float) -> float:
    words = [sys.executable, "-m", "scripts.bench.cosmos_client", url, kind, str(seconds)]
    words.append(str(time.time() + START_AFTER))
    return round(sum(map(float, await asyncio.gather(*(output(words) for _ in range(CLIENTS))))), 1)
