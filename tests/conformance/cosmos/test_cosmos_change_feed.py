"""The change feed: of all, of one partition key, of a part of the container; from where, and where it goes on."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient
from azure.cosmos.partition_key import NonePartitionKeyValue
from hypothesis import given
from hypothesis import strategies as st

from localazure.clock import ManualClock
from localazure.cosmos import EMULATOR_KEY, PART
from localazure.cosmos.items import NONE_KEY, canonical
from localazure.cosmos.ranges import effective
from localazure.cosmos.wire import CosmosServer
from localazure.functions.connecting import Connection
from localazure.functions.cosmos_account import Account
from localazure.part import Config

KEYS: list[Any] = ["a", "", "ord_é", "x" * 150, 1, -2, 0.5, True, False, None]
OTHERWISE: list[Any] = [(-2, 1)]
"""What the client hashes in two ways, in the first version."""


def item(name: str, kind: Any = "a", **more: Any) -> dict[str, Any]:
    return {"id": name, "kind": kind, **more}


def names(feed: Any) -> list[str]:
    return [changed["id"] for changed in feed]


def last_token(container: Any) -> str:
    return str(container.client_connection.last_response_headers["etag"])


def test_the_change_feed_ends_and_goes_on_where_it_was(things: Any) -> None:
    things.create_item(item("1"))
    things.create_item(item("3", "b"))
    assert names(things.query_items_change_feed(start_time="Beginning")) == ["1", "3"]
    token = last_token(things)
    assert list(things.query_items_change_feed(continuation=token)) == []
    things.upsert_item(item("1", n=9))
    assert [(i["id"], i["n"]) for i in things.query_items_change_feed(continuation=token)] == [("1", 9)]


def test_it_has_the_last_version_of_each_item_in_the_order_of_changes(things: Any) -> None:
    for number in range(5):
        things.create_item(item(str(number)))
    things.upsert_item(item("1", n=2))
    things.delete_item("3", "a")
    pages = things.query_items_change_feed(start_time="Beginning", max_item_count=2).by_page()
    assert [names(page) for page in pages] == [["0", "2"], ["4", "1"]]


def test_a_change_feed_from_now_shows_what_comes(things: Any) -> None:
    things.create_item(item("1"))
    assert list(things.query_items_change_feed(start_time="Now")) == []
    token = last_token(things)
    things.create_item(item("2"))
    assert names(things.query_items_change_feed(continuation=token)) == ["2"]


async def test_a_change_feed_from_a_moment(athings: Any, clock: ManualClock) -> None:
    await athings.create_item(item("1"))
    await clock.advance(100)
    moment = datetime.fromtimestamp(clock.time(), UTC) - timedelta(seconds=50)
    assert [i["id"] async for i in athings.query_items_change_feed(start_time=moment)] == []
    await athings.create_item(item("3", "b"))
    await athings.create_item(item("4"))
    assert [i["id"] async for i in athings.query_items_change_feed(start_time=moment)] == ["3", "4"]
    of_key = athings.query_items_change_feed(start_time=moment, partition_key="a")
    assert [i["id"] async for i in of_key] == ["4"]


def test_the_change_feed_of_one_partition_key(things: Any) -> None:
    for number, kind in enumerate(["a", "b", "a", "b", "a"]):
        things.create_item(item(str(number), kind))
    feed = things.query_items_change_feed(start_time="Beginning", partition_key="a", max_item_count=2)
    pages = feed.by_page()
    assert names(next(pages)) == ["0", "2"]
    token = last_token(things)
    assert names(next(pages)) == ["4"]
    things.upsert_item(item("1", "b", n=1))
    things.upsert_item(item("2", "a", n=1))
    assert names(things.query_items_change_feed(continuation=token)) == ["4", "2"]
    assert names(things.query_items_change_feed(start_time="Beginning", partition_key="none")) == []


@pytest.mark.parametrize("version", [1, 2])
def test_every_partition_key_has_a_feed_of_its_own(address: str, version: int) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client:
        container = client.get_database_client("shop").create_container("k", PartitionKey("/kind", version=version))
        for number, key in enumerate(KEYS):
            container.create_item(item(str(number), key))
        container.create_item({"id": "without"})
        for number, key in enumerate(KEYS):
            if (key, version) in OTHERWISE:
                continue
            feed_range = container.feed_range_from_partition_key(key)
            feed = container.query_items_change_feed(start_time="Beginning", feed_range=feed_range)
            assert (key, names(feed)) == (key, [str(number)])
            if key:  # the client takes an empty key for none
                feed = container.query_items_change_feed(start_time="Beginning", partition_key=key)
                assert (key, names(feed)) == (key, [str(number)])
        feed = container.query_items_change_feed(start_time="Beginning", partition_key=NonePartitionKeyValue)
        assert names(feed) == ["without"]


async def test_the_place_in_a_partition_keys_feed_outlives_a_restart(
    server: CosmosServer, athings: Any, tmp_path: Path, declared: Path
) -> None:
    await athings.create_item(item("1"))
    feed = athings.query_items_change_feed(start_time="Beginning", partition_key="a").by_page()
    assert [i["id"] async for i in await anext(feed)] == ["1"]
    token = athings.client_connection.last_response_headers["etag"]
    await athings.create_item(item("2", "b"))
    await athings.create_item(item("3"))
    again = await PART.start(Config(state=tmp_path / "state", options={"containers": str(declared)}))
    try:
        async with AsyncCosmosClient(again.url, EMULATOR_KEY) as client:
            container = client.get_database_client("shop").get_container_client("things")
            assert [i["id"] async for i in container.query_items_change_feed(continuation=token)] == ["3"]
    finally:
        await again.stop()


def test_there_is_one_feed_range_and_it_holds_all(things: Any) -> None:
    for number in range(6):
        things.create_item(item(str(number), f"k{number}"))
    (whole,) = list(things.read_feed_ranges())
    assert names(things.query_items_change_feed(start_time="Beginning", feed_range=whole)) == list("012345")
    assert names(things.query_items("SELECT * FROM c", feed_range=whole)) == list("012345")
    key = things.feed_range_from_partition_key("k3")
    assert things.is_feed_range_subset(whole, key)
    assert names(things.query_items_change_feed(start_time="Beginning", feed_range=key)) == ["3"]


def part(least: str, most: str) -> dict[str, Any]:
    return {"Range": {"min": least, "max": most, "isMinInclusive": True, "isMaxInclusive": False}}


async def test_parts_of_the_range_share_the_items_among_them(athings: Any) -> None:
    for number in range(40):
        await athings.create_item(item(str(number), f"k{number}"))
    bounds = ["", "08", "10", "1FFF", "30", "FF"]
    fed: list[set[str]] = []
    for feed_range in map(part, bounds[:-1], bounds[1:]):
        feed = athings.query_items_change_feed(start_time="Beginning", feed_range=feed_range)
        fed.append({i["id"] async for i in feed})
        asked = athings.query_items("SELECT * FROM c ORDER BY c.id", feed_range=feed_range, max_item_count=3)
        assert {i["id"] async for i in asked} == fed[-1]
        counted = athings.query_items("SELECT VALUE COUNT(1) FROM c", feed_range=feed_range)
        assert [n async for n in counted] == [len(fed[-1])]
    assert all(fed)
    assert sum(map(len, fed)) == 40
    assert set.union(*fed) == {str(number) for number in range(40)}


def test_pages_of_a_query_of_a_feed_range_go_on(things: Any) -> None:
    for number in range(20):
        things.create_item(item(f"{number:02}", f"k{number}"))
    feed_range = part("", "20")
    whole = names(things.query_items("SELECT * FROM c", feed_range=feed_range))
    first = things.query_items("SELECT * FROM c", feed_range=feed_range, max_item_count=2).by_page()
    found = names(next(first))
    rest = things.query_items("SELECT * FROM c", feed_range=feed_range, max_item_count=2)
    for page in rest.by_page(first.continuation_token):
        found += names(page)
    assert found == whole


NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)  # -0.0 is 0
VALUES = st.one_of(st.text(), NUMBERS, st.booleans(), st.integers(0, 2**31))


@given(VALUES, st.sampled_from([1, 2]))
def test_effective_partition_keys_are_those_that_the_client_asks_for(value: Any, version: int) -> None:
    asked = PartitionKey("/kind", version=version)._get_epk_range_for_partition_key(value)
    assert effective(canonical([value]), version) == asked.min
    assert effective(canonical([json.loads(json.dumps(value))]), version) == asked.min


def test_the_effective_partition_key_of_items_without_one() -> None:
    for version in (1, 2):
        asked = PartitionKey("/kind", version=version)._get_epk_range_for_partition_key(NonePartitionKeyValue)
        assert effective(NONE_KEY, version) == asked.min


async def test_a_feed_that_is_asked_to_wait_answers_when_something_changes(server: Any, athings: Any) -> None:
    await athings.create_item(item("1"))
    async with aiohttp.ClientSession() as session:
        account = Account(Connection(f"AccountEndpoint={server.url}/;AccountKey={EMULATOR_KEY};"), session)
        link = "dbs/shop/colls/things"
        now = {"A-IM": "Incremental Feed", "If-None-Match": "*"}
        status, place, _ = await account.call("GET", "docs", link, f"{link}/docs", now)
        assert (status, place["x-localazure-waited"]) == (304, "true")
        headers = {**now, "If-None-Match": place["etag"], "x-localazure-wait-ms": "20000"}
        waiting = asyncio.create_task(account.call("GET", "docs", link, f"{link}/docs", headers))
        await asyncio.sleep(0)
        await athings.read_item("1", "a")
        await athings.create_item(item("2"))
        status, _, document = await waiting
    assert status == 200
    assert names(document["Documents"]) == ["2"]


async def test_who_waits_for_a_change_is_answered_when_the_server_stops(tmp_path: Path) -> None:
    server = CosmosServer(Config(port=0, state=tmp_path))
    await server.start()
    connection = f"AccountEndpoint={server.url}/;AccountKey={EMULATOR_KEY};"
    async with AsyncCosmosClient.from_connection_string(connection) as client, aiohttp.ClientSession() as session:
        shop = await client.create_database("shop")
        await shop.create_container("things", PartitionKey("/kind"))
        account, link = Account(Connection(connection), session), "dbs/shop/colls/things"
        headers = {"A-IM": "Incremental Feed", "If-None-Match": "*", "x-localazure-wait-ms": "20000"}
        waiting = asyncio.create_task(account.call("GET", "docs", link, f"{link}/docs", headers))
        async with asyncio.timeout(60):
            while not server._account._changed:
                await shop.read()
        await server.stop()
        status, _, _ = await waiting
    assert status == 304
