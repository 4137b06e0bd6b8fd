"""How long `python -m localazure up` takes until every part is ready, with nothing in its state directory."""

from __future__ import annotations

import statistics

from scripts.bench.options import Options
from scripts.bench.system import running

STARTS = 3


async def startup(_: Options) -> float:
    """The median of a few starts, in milliseconds from the command to the file of addresses."""
    times = []
    for _start in range(STARTS):
        async with running() as system:
            times.append(system.startup_ms)
    return round(statistics.median(times), 1)
