"""One client of a Cosmos DB server, as a process: `python -m scripts.bench.cosmos_client URL KIND SECONDS START`.

Several of them begin at the same moment (START, seconds since the epoch), because one process with the official SDK
is slower than the servers. Prints how often a second its operation ended. Every answer is checked.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient

from localazure.cosmos import EMULATOR_KEY
from scripts.bench.lanes import per_second

LANES = 8
ITEMS = 1_000
ITEMS_A_PARTITION = 20
FOUND = 10
"""Items that each query finds, of the twenty in its partition."""


def open_client(url: str) -> CosmosClient:
    """Servers are told apart by their address alone: where they say their regions are is not asked."""
    return CosmosClient(url, EMULATOR_KEY, enable_endpoint_discovery=False)


async def fill(url: str) -> None:
    """Make the container and its items."""
    async with open_client(url) as client:
        database = await client.create_database("bench")
        items = await database.create_container("items", PartitionKey("/partition"))
        for number in range(ITEMS):
            await items.upsert_item(item(number))


def item(number: int, revision: int = 0) -> dict[str, Any]:
    """A document of about half a kilobyte, in one of fifty partitions."""
    return {
        "id": f"item-{number}",
        "partition": f"partition-{number // ITEMS_A_PARTITION}",
        "place": number % ITEMS_A_PARTITION,
        "revision": revision,
        "lines": [{"sku": f"SKU{place}", "quantity": place + 1, "price": 295} for place in range(8)],
    }


async def _read(items: ContainerProxy, number: int) -> None:
    wanted = item(number % ITEMS)
    found = await items.read_item(wanted["id"], wanted["partition"])
    assert found["place"] == wanted["place"], found


async def _upsert(items: ContainerProxy, number: int) -> None:
    answer = await items.upsert_item(item(number % ITEMS, number))
    assert answer["revision"] == number, answer


async def _query(items: ContainerProxy, number: int) -> None:
    partition = f"partition-{number % (ITEMS // ITEMS_A_PARTITION)}"
    least = ITEMS_A_PARTITION - FOUND
    found = items.query_items(
        "SELECT c.id, c.place FROM c WHERE c.partition = @partition AND c.place >= @least",
        parameters=[{"name": "@partition", "value": partition}, {"name": "@least", "value": least}],
        partition_key=partition,
    )
    places = sorted([document["place"] async for document in found])
    assert places == list(range(least, ITEMS_A_PARTITION)), places


KINDS = {"point_reads": _read, "upserts": _upsert, "queries": _query}


async def main(url: str, kind: str, seconds: float, start: float) -> float:
    """The rate of one kind of operation, counted from `start` on."""
    action = KINDS[kind]
    async with open_client(url) as client:
        items = client.get_database_client("bench").get_container_client("items")
        await action(items, 0)  # connect
        await asyncio.sleep(max(0.0, start - time.time()))
        return await per_second(lambda number: action(items, number), LANES, seconds)


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))))
