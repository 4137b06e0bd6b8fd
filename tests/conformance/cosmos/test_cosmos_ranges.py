"""Several physical ranges: who holds what, what the client is told, and that a split loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.cosmos import EMULATOR_KEY, PART, physical
from localazure.cosmos.items import canonical
from localazure.cosmos.ranges import effective
from localazure.cosmos.wire import CosmosServer
from localazure.part import Config
from localazure.testing import serving
from tests.conformance.cosmos.raw import Wire, key_header, of_range, wire

THINGS = "/dbs/shop/colls/things"
FEED = {"A-IM": "Incremental Feed"}


@pytest.fixture
async def four(declared: Path, tmp_path: Path) -> AsyncIterator[CosmosServer]:
    """A server whose containers have four physical ranges."""
    options = {"containers": str(declared), "ranges": "4"}
    made = await PART.start(Config(state=tmp_path / "four", options=options))
    assert isinstance(made, CosmosServer)
    yield made
    await made.stop()


@pytest.fixture
async def wired(four: CosmosServer) -> AsyncIterator[Wire]:
    async with wire(four.url) as made:
        yield made


async def fill(wired: Wire, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        item = {"id": f"{number}", "kind": f"k{number}", "n": number}
        reply = await wired.call("POST", f"{THINGS}/docs", item, key_header(item["kind"]))
        assert reply.status == 201


async def split(wired: Wire, name: str | None = None) -> list[str]:
    order = {"database": "shop", "container": "things", **({"range": name} if name else {})}
    async with wired.session.post(f"{wired.url}/_local/splits", json=order) as answer:
        assert answer.status == 200
        return list((await answer.json())["ranges"])


async def ranges(wired: Wire) -> list[dict[str, Any]]:
    return list((await wired.call("GET", f"{THINGS}/pkranges")).json["PartitionKeyRanges"])


async def feed(wired: Wire, name: str, **headers: str) -> tuple[list[dict[str, Any]], Any]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = await wired.call("GET", f"{THINGS}/docs", None, {**FEED, **of_range(name), **given})
    return (reply.json["Documents"] if reply.status == 200 else []), reply


async def test_ranges_are_cut_evenly_and_hold_every_key(wired: Wire) -> None:
    found = await ranges(wired)
    assert [each["id"] for each in found] == ["0", "1", "2", "3"]
    assert [each["minInclusive"] for each in found] == ["", *(f"{place}" + "F" * 31 for place in "012")]
    assert [each["maxExclusive"] for each in found[:-1]] == [each["minInclusive"] for each in found[1:]]
    assert found[-1]["maxExclusive"] == "FF"
    assert sum(each["throughputFraction"] for each in found) == 1


async def test_the_list_of_ranges_is_read_until_nothing_is_new(wired: Wire) -> None:
    path = f"{THINGS}/pkranges"
    first = await wired.call("GET", path)
    assert (await wired.call("GET", path, None, {"If-None-Match": first.headers["etag"]})).status == 304
    await split(wired, "1")
    again = await wired.call("GET", path, None, {"If-None-Match": first.headers["etag"]})
    assert again.status == 200
    assert {each["id"]: each["parents"] for each in again.json["PartitionKeyRanges"]} == {
        "0": [], "4": ["1"], "5": ["1"], "2": [], "3": [],
    }  # fmt: skip
    assert (await wired.call("GET", path, None, {"If-None-Match": again.headers["etag"]})).status == 304


async def test_each_range_counts_its_own_changes(wired: Wire) -> None:
    await fill(wired, 40)
    counted = 0
    for each in await ranges(wired):
        documents, reply = await feed(wired, each["id"])
        lsns = [document["_lsn"] for document in documents]
        assert lsns == list(range(1, len(documents) + 1))
        assert reply.headers["x-ms-session-token"] == f"{each['id']}:-1#{len(documents)}"
        assert reply.headers["etag"] == f'"{len(documents)}"'
        assert reply.headers["x-ms-item-count"] == str(len(documents))
        assert reply.headers["lsn"] == str(len(documents))
        counted += len(documents)
        assert documents
    assert counted == 40


async def test_a_write_and_a_read_tell_their_range(wired: Wire) -> None:
    found = await ranges(wired)
    for kind in ("a", "b", "c", "d"):
        place = effective(canonical([kind]), 2)
        (holder,) = [each["id"] for each in found if each["minInclusive"] <= place < each["maxExclusive"]]
        made = await wired.call("POST", f"{THINGS}/docs", {"id": "1", "kind": kind}, key_header(kind))
        read = await wired.call("GET", f"{THINGS}/docs/1", None, key_header(kind))
        missing = await wired.call("GET", f"{THINGS}/docs/missing", None, key_header(kind))
        assert missing.status == 404
        for reply in (made, read, missing):
            assert reply.headers["x-ms-session-token"].startswith(f"{holder}:-1#")
            assert reply.headers["x-ms-documentdb-partitionkeyrangeid"] == holder
            assert reply.headers["x-ms-alt-content-path"] == "dbs/shop/colls/things"
            assert reply.headers["content-location"].startswith(wired.url)


async def test_a_feed_without_changes_says_where_it_is_and_how_many_it_has(wired: Wire) -> None:
    await fill(wired, 40)
    documents, reply = await feed(wired, "0")
    last = reply.headers["etag"]
    for place in (last, "*", last.strip('"')):
        again = await wired.call("GET", f"{THINGS}/docs", None, {**FEED, **of_range("0"), "If-None-Match": place})
        assert (again.status, again.headers["etag"], again.headers["x-ms-item-count"]) == (304, last, "0")
        assert again.headers["x-ms-session-token"] == f"0:-1#{len(documents)}"


async def test_a_key_without_a_version_is_hashed_as_in_version_1(wired: Wire) -> None:
    definition = {"id": "old", "partitionKey": {"paths": ["/kind"], "kind": "Hash"}}
    made = await wired.call("POST", "/dbs/shop/colls", definition)
    assert (made.status, made.json["partitionKey"].get("version", 1)) == (201, 1)
    spans = (await wired.call("GET", "/dbs/shop/colls/old/pkranges")).json["PartitionKeyRanges"]
    for number in range(20):
        item = {"id": "1", "kind": f"k{number}"}
        reply = await wired.call("POST", "/dbs/shop/colls/old/docs", item, key_header(item["kind"]))
        place = PartitionKey("/kind", version=1)._get_epk_range_for_partition_key([item["kind"]]).min
        [holder] = [each["id"] for each in spans if each["minInclusive"] <= place < each["maxExclusive"]]
        assert reply.headers["x-ms-documentdb-partitionkeyrangeid"] == holder


async def test_a_range_limits_queries_and_reads_of_all(wired: Wire) -> None:
    await fill(wired, 40)
    for read in ("query", "all"):
        found: list[int] = []
        for each in await ranges(wired):
            path, header = f"{THINGS}/docs", of_range(each["id"])
            asked = wired.query(path, "SELECT * FROM c", header) if read == "query" else wired.call(
                "GET", path, None, header
            )  # fmt: skip
            reply = await asked
            found += [document["n"] for document in reply.json["Documents"]]
            assert reply.headers["x-ms-session-token"].partition(":")[0] == each["id"]
        assert sorted(found) == list(range(40))


async def test_a_part_of_a_range_is_asked_for_by_effective_keys(wired: Wire) -> None:
    await fill(wired, 40)
    inside = {
        "x-ms-read-key-type": "EffectivePartitionKeyRange",
        "x-ms-start-epk": "0FFF" + "F" * 28,
        "x-ms-end-epk": "18",
    }
    whole, _ = await feed(wired, "1")
    reply = await wired.query(f"{THINGS}/docs", "SELECT * FROM c", {**of_range("1"), **inside})
    expected = {item["id"] for item in whole if effective(canonical([item["kind"]]), 2) < "18"}
    assert {item["id"] for item in reply.json["Documents"]} == expected
    assert 0 < len(expected) < len(whole)


@pytest.mark.parametrize("name", ["9", "x", "AAAAAYAAAAE=,7"])
async def test_an_unknown_range_is_gone(wired: Wire, name: str) -> None:
    path, header = f"{THINGS}/docs", of_range(name)
    replies = [
        await wired.query(path, "SELECT * FROM c", header),
        await wired.call("GET", path, None, header),
        await wired.call("GET", path, None, {**header, **FEED}),
        await wired.call("POST", path, [], {**header, "x-ms-cosmos-is-batch-request": "True"}),
    ]
    assert [(reply.status, reply.substatus) for reply in replies] == [(410, "1002")] * 4


async def test_a_range_may_be_named_with_its_container(wired: Wire) -> None:
    reply = await wired.call("GET", f"{THINGS}/docs", None, of_range("AAAAAYAAAAE=,0"))
    assert reply.status == 200


async def test_a_split_keeps_every_change_and_what_was_read_is_not_told_again(wired: Wire) -> None:
    await fill(wired, 60)
    before, reply = await feed(wired, "2", **{"x_ms_max_item_count": "5"})
    place = reply.headers["etag"]
    whole, _ = await feed(wired, "2")
    assert await split(wired, "2") == ["0", "1", "4", "5", "3"]
    gone = await wired.call("GET", f"{THINGS}/docs", None, {**FEED, **of_range("2")})
    assert (gone.status, gone.substatus) == (410, "1002")
    await fill(wired, 20, first=60)
    after = [item for name in ("4", "5") for item in (await feed(wired, name, If_None_Match=place))[0]]
    told = [item["id"] for item in before] + [item["id"] for item in after]
    assert len(told) == len(set(told))
    assert {item["id"] for item in whole} <= set(told)


async def test_the_counts_go_on_after_a_split_and_a_restart(
    four: CosmosServer, wired: Wire, declared: Path, tmp_path: Path
) -> None:
    await fill(wired, 40)
    _, reply = await feed(wired, "0")
    last = int(reply.headers["lsn"])
    await split(wired, "0")
    expected = {each["id"]: (await feed(wired, each["id"]))[0] for each in await ranges(wired)}
    again = await PART.start(Config(state=tmp_path / "four", options={"containers": str(declared)}))
    try:
        async with wire(again.url) as other:
            assert {each["id"]: (await feed(other, each["id"]))[0] for each in await ranges(other)} == expected
            await fill(other, 20, first=40)
            for name in ("4", "5"):
                documents, _ = await feed(other, name, If_None_Match=f'"{last}"')
                assert [item["_lsn"] for item in documents] == [last + 1 + place for place in range(len(documents))]
    finally:
        await again.stop()


async def test_a_feed_that_waits_is_told_of_a_split(wired: Wire) -> None:
    _, reply = await feed(wired, "1")
    waiting = asyncio.create_task(feed(wired, "1", **{"x-localazure-wait-ms": "20000"}))
    await asyncio.sleep(0.05)
    await split(wired, "1")
    _, reply = await waiting
    assert (reply.status, reply.substatus) == (410, "1002")


async def test_a_change_feed_of_several_ranges_at_once_is_refused(wired: Wire) -> None:
    reply = await wired.call("GET", f"{THINGS}/docs", None, FEED)
    assert reply.status == 400
    assert "one physical range" in reply.json["message"]


async def test_the_client_follows_splits_while_it_reads_and_writes(four: CosmosServer, wired: Wire) -> None:
    async with AsyncCosmosClient(four.url, EMULATOR_KEY) as client:
        things: Any = client.get_database_client("shop").get_container_client("things")
        token = None
        told: list[str] = []
        for round_ in range(4):
            for number in range(10):
                name = f"{round_}-{number}"
                await things.create_item({"id": name, "kind": name})
                assert (await things.read_item(name, name))["id"] == name
            start = {"continuation": token} if token else {"start_time": "Beginning"}
            told += [item["id"] async for item in things.query_items_change_feed(**start)]
            token = things.client_connection.last_response_headers["etag"]
            await split(wired)
        expected = sorted(f"{round_}-{number}" for round_ in range(4) for number in range(10))
        assert sorted(told) == expected
        assert sorted([item["id"] async for item in things.read_all_items()]) == expected
        assert len([each async for each in things.read_feed_ranges(force_refresh=True)]) == 8


@pytest.mark.parametrize("version", [1, 2])
def test_every_key_is_found_in_several_ranges(version: int) -> None:
    keys: list[Any] = [*(f"k{number}" for number in range(30)), *range(30), True, False, None, ""]
    with serving(PART, Config(options={"ranges": "3"})) as server, CosmosClient(server.url, EMULATOR_KEY) as client:
        database = client.create_database("d")
        container = database.create_container("c", PartitionKey("/kind", version=version))
        for number, key in enumerate(keys):
            container.create_item({"id": f"{number}", "kind": key})
        for number, key in enumerate(keys):
            assert container.read_item(f"{number}", key)["kind"] == key
        fed = [
            item["id"]
            for each in container.read_feed_ranges()
            for item in container.query_items_change_feed(start_time="Beginning", feed_range=each)
        ]
        assert sorted(fed) == sorted(map(str, range(len(keys))))


def test_throughput_makes_ranges() -> None:
    with serving(PART) as server, CosmosClient(server.url, EMULATOR_KEY) as client:
        container: Any = client.create_database("d").create_container("c", PartitionKey("/k"), offer_throughput=20_100)
        assert len(list(container.read_feed_ranges())) == 3
        for number in range(20):
            container.create_item({"id": f"{number}", "k": f"{number}"})
        container.replace_throughput(50_000)
        assert len(list(container.read_feed_ranges(force_refresh=True))) == 5
        assert len(list(container.read_all_items())) == 20
    with serving(PART) as server, CosmosClient(server.url, EMULATOR_KEY) as client:
        client.create_database("d").create_container("c", PartitionKey("/k"), offer_throughput=10_000)
        assert len(list(client.get_database_client("d").get_container_client("c").read_feed_ranges())) == 1


@pytest.mark.parametrize("text", ["0", "-1", "many", "1000"])
async def test_a_number_of_ranges_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the option ranges of cosmos must be a number from 1 to"):
        await PART.start(Config(options={"ranges": text}))


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({"database": "shop", "container": "things", "range": "17"}, 404),
        ({"database": "shop", "container": "nothing"}, 404),
        ({"database": "shop"}, 400),
        ({"database": "shop", "container": "things", "range": 1}, 400),
        ({"database": "shop", "container": "things", "range": "x"}, 400),
        ([], 400),
    ],
)
async def test_a_split_that_cannot_be_is_refused(four: CosmosServer, order: Any, status: int) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{four.url}/_local/splits", json=order) as answer:
        assert answer.status == status


KEYS = st.one_of(st.text(max_size=200), st.integers(-(2**53), 2**53), st.booleans(), st.none())


@settings(deadline=None)
@given(KEYS, st.sampled_from([1, 2]), st.integers(1, 12))
def test_one_range_holds_each_key(key: Any, version: int, count: int) -> None:
    made = physical.fresh(count, version)
    text = canonical([key])
    holders = [each for each in made if each.span.holds(text, version)]
    assert holders == [physical.holding(made, text)]
