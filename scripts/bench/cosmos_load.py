"""Cosmos DB operations per second by the asynchronous official client; the same code for any server that speaks it."""

from __future__ import annotations

import itertools
from typing import Any

from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient

from localazure.cosmos import EMULATOR_KEY
from scripts.bench.lanes import per_second
from scripts.bench.system import running

LANES = 16
ITEMS = 1_000
ITEMS_A_PARTITION = 20
FOUND = 10
"""Items that each query finds, of the twenty in its partition."""


async def cosmos(seconds: float) -> dict[str, float]:
    """The local server alone, its file on disk."""
    async with running(["cosmos"]) as system:
        return await operations(system.addresses["cosmos"], EMULATOR_KEY, seconds)


async def operations(url: str, key: str, seconds: float, **client_options: Any) -> dict[str, float]:
    """Point reads, upserts and queries per second. Every answer is checked; raises AssertionError for a wrong one."""
    async with CosmosClient(url, key, **client_options) as client:
        database = await client.create_database("bench")
        items = await database.create_container("items", PartitionKey("/partition"))
        for number in range(ITEMS):
            await items.upsert_item(item(number))
        return {
            "point_reads_per_second": await per_second(lambda n: _read(items, n % ITEMS), LANES, seconds),
            "upserts_per_second": await per_second(lambda n: items.upsert_item(item(n % ITEMS, n)), LANES, seconds),
            "queries_per_second": await per_second(lambda n: _query(items, n), LANES, seconds),
        }


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
    wanted = item(number)
    found = await items.read_item(wanted["id"], wanted["partition"])
    assert found["place"] == wanted["place"], found


async def _query(items: ContainerProxy, number: int) -> None:
    partition = f"partition-{number % (ITEMS // ITEMS_A_PARTITION)}"
    found = items.query_items(
        "SELECT c.id, c.place FROM c WHERE c.partition = @partition AND c.place >= @place",
        parameters=[
            {"name": "@partition", "value": partition},
            {"name": "@place", "value": ITEMS_A_PARTITION - FOUND},
        ],
        partition_key=partition,
    )
    places = [document["place"] async for document in found]
    assert sorted(places) == list(itertools.islice(itertools.count(ITEMS_A_PARTITION - FOUND), FOUND)), places
