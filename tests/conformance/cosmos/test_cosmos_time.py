"""What the clock decides: how long items live, and what a query takes for now."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import CosmosClient, PartitionKey, exceptions

from localazure.clock import ManualClock
from localazure.cosmos import EMULATOR_KEY


async def ids(container: Any) -> list[str]:
    return [item["id"] async for item in container.read_all_items()]


async def test_a_default_ttl_set_later_reaches_the_items_that_are_there(client: Any, clock: ManualClock) -> None:
    database = client.get_database_client("shop")
    container = await database.create_container("late", PartitionKey("/kind"))
    await container.create_item({"id": "plain", "kind": "a"})
    await container.create_item({"id": "own", "kind": "a", "ttl": 500})
    await container.create_item({"id": "kept", "kind": "a", "ttl": -1})
    await clock.advance(100)
    assert await ids(container) == ["plain", "own", "kept"]
    await database.replace_container(container, PartitionKey("/kind"), default_ttl=150)
    await clock.advance(49)
    assert await ids(container) == ["plain", "own", "kept"]
    await clock.advance(2)
    assert await ids(container) == ["own", "kept"]
    await clock.advance(400)
    assert await ids(container) == ["kept"]


async def test_a_shorter_default_ttl_ends_what_is_already_older(client: Any, clock: ManualClock) -> None:
    database = client.get_database_client("shop")
    container = await database.create_container("shorter", PartitionKey("/kind"), default_ttl=1000)
    await container.create_item({"id": "old", "kind": "a"})
    await clock.advance(20)
    await container.create_item({"id": "new", "kind": "a"})
    await database.replace_container(container, PartitionKey("/kind"), default_ttl=10)
    assert await ids(container) == ["new"]
    await container.create_item({"id": "old", "kind": "a"})
    assert await ids(container) == ["new", "old"]


async def test_without_a_default_ttl_nothing_expires(client: Any, clock: ManualClock) -> None:
    database = client.get_database_client("shop")
    container = await database.create_container("forever", PartitionKey("/kind"))
    await container.create_item({"id": "a", "kind": "a", "ttl": 10})
    await clock.advance(1000)
    assert await ids(container) == ["a"]
    await database.replace_container(container, PartitionKey("/kind"), default_ttl=-1)
    assert await ids(container) == []


@pytest.mark.parametrize("ttl", [0, -2, "60"])
def test_a_ttl_that_is_none_is_refused(address: str, ttl: Any) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client:
        database = client.get_database_client("shop")
        with pytest.raises(exceptions.CosmosHttpResponseError, match="defaultTtl") as caught:
            database.create_container("bad", PartitionKey("/kind"), default_ttl=ttl)
        assert caught.value.status_code == 400
        things = database.get_container_client("things")
        with pytest.raises(exceptions.CosmosHttpResponseError, match="ttl must be"):
            things.create_item({"id": "a", "kind": "a", "ttl": ttl})
        things.create_item({"id": "a", "kind": "a"})
        with pytest.raises(exceptions.CosmosHttpResponseError, match="ttl must be"):
            things.patch_item("a", "a", [{"op": "set", "path": "/ttl", "value": ttl}])


async def test_the_time_of_a_query_is_the_clocks(athings: Any, clock: ManualClock) -> None:
    await clock.advance(1_700_000_123.25 - clock.time())
    await athings.create_item({"id": "a", "kind": "a", "until": "2023-11-14T22:15:24.0000000Z"})
    names = ("GetCurrentDateTime", "GetCurrentTimestamp", "GetCurrentTicks")
    texts = [f"{name}{ending}()" for ending in ("", "Static") for name in names]
    found = [value async for value in athings.query_items(f"SELECT VALUE [{', '.join(texts)}] FROM c")]
    assert found == [["2023-11-14T22:15:23.2500000Z", 1_700_000_123_250, 17_000_001_232_500_000] * 2]
    query = "SELECT VALUE c.id FROM c WHERE c.until > GetCurrentDateTime()"
    assert [value async for value in athings.query_items(query)] == ["a"]
    await clock.advance(1)
    assert [value async for value in athings.query_items(query)] == []


async def test_a_patch_condition_goes_by_the_clock(athings: Any, clock: ManualClock) -> None:
    await clock.advance(1_700_000_123.0 - clock.time())
    await athings.create_item({"id": "a", "kind": "a", "until": 1_700_000_124_000})
    change = [{"op": "incr", "path": "/n", "value": 1}]
    condition = "from c where c.until > GetCurrentTimestamp()"
    assert (await athings.patch_item("a", "a", change, filter_predicate=condition))["n"] == 1
    await clock.advance(1)
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        await athings.patch_item("a", "a", change, filter_predicate=condition)
