"""What runs, where, and whether it answers; then its orders by their status, and what waits or is dead in its queues.

This is `make status`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, get_args

import aiohttp
from azure.core.exceptions import AzureError
from azure.cosmos.aio import CosmosClient

from blueprints.orders.domain import Status
from localazure.__main__ import main as localazure
from localazure.cosmos import EMULATOR_KEY
from scripts.shop import STATE, ApiError, Shop, addresses

PATIENCE = 10.0
"""Seconds that orders, and queues, may take to be counted: who asks wants to see what is wrong, not to wait for it."""
COUNT = "SELECT VALUE COUNT(1) FROM c WHERE c.kind = 'order' AND c.status = @status"


async def look(state: Path = STATE) -> AsyncIterator[str]:
    """A line for the orders and lines for the queues; what cannot be counted says why."""
    for name, counted in (("orders", _orders), ("queues", _queues)):
        try:
            async with asyncio.timeout(PATIENCE):
                lines = await counted(state)
        except (AzureError, aiohttp.ClientError, OSError, ApiError, LookupError) as exc:
            lines = [f"cannot be counted: {_first_line(exc)}"]
        yield f"{name}  {lines[0]}"
        for line in lines[1:]:
            yield f"  {line}"


async def _orders(state: Path) -> list[str]:
    async with CosmosClient(addresses(state)["cosmos"], EMULATOR_KEY, retry_total=0) as client:
        container = client.get_database_client("orders").get_container_client("orders")

        async def count(status: str) -> int:
            found: Any = container.query_items(COUNT, parameters=[{"name": "@status", "value": status}])
            return sum([number async for number in found])

        counts = {status: await count(status) for status in get_args(Status)}
    return [", ".join(f"{number} {status}" for status, number in counts.items() if number) or "none yet"]


async def _queues(state: Path) -> list[str]:
    async with Shop("staff", state) as staff:
        queues = (await staff.call("GET", "/operations/queues"))["items"]
    lines = [f"{_sum(queues, 'waiting')} waiting, {_sum(queues, 'dead_lettered')} dead"]
    for queue in queues:
        if queue["waiting"] or queue["dead_lettered"]:
            oldest = max(queue["oldest_waiting_seconds"] or 0, queue["oldest_dead_letter_seconds"] or 0)
            counts = f"{queue['waiting']} waiting, {queue['dead_lettered']} dead"
            lines.append(f"{queue['topic']}/{queue['service']}: {counts}, the oldest for {oldest:.0f} s")
    return lines


def _sum(queues: list[Mapping[str, Any]], name: str) -> int:
    return sum(queue[name] for queue in queues)


def _first_line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]


async def _show() -> None:
    async for line in look():
        print(line)


def main() -> int:
    """The exit code: 1 where nothing runs."""
    if status := localazure(["status", "--state", str(STATE)]):
        return status
    print()
    asyncio.run(_show())
    return 0


if __name__ == "__main__":
    sys.exit(main())
