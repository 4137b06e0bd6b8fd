"""Hierarchical partition keys: whole ones address items, their beginnings many partitions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from azure.cosmos import CosmosClient, PartitionKey, exceptions

from localazure.cosmos import EMULATOR_KEY, PART
from localazure.cosmos.items import canonical
from localazure.cosmos.ranges import MULTI_HASH, effective
from localazure.cosmos.wire import CosmosServer
from localazure.part import Config
from localazure.testing import serving
from tests.conformance.cosmos.raw import Wire, key_header, of_range, wire

DEFINITION = {"id": "h", "partitionKey": {"paths": ["/tenant", "/user"], "kind": "MultiHash", "version": 2}}
DOCS = "/dbs/shop/colls/h/docs"


@pytest.fixture(params=["1", "4"], ids=["one-range", "four-ranges"])
def visits(request: pytest.FixtureRequest) -> Iterator[Any]:
    with (
        serving(PART, Config(options={"ranges": request.param})) as server,
        CosmosClient(server.url, EMULATOR_KEY) as client,
    ):
        key = PartitionKey(["/tenant", "/user", "/session"], kind="MultiHash")
        container = client.create_database("d").create_container("visits", key)
        for tenant in ("t1", "t2", "t3"):
            for user in range(4):
                for session in range(2):
                    container.create_item(
                        {"id": "v", "tenant": tenant, "user": user, "session": session, "n": user * 2 + session}
                    )
        yield container


def test_a_whole_key_addresses_an_item(visits: Any) -> None:
    assert visits.read_item("v", ["t1", 2, 1])["n"] == 5
    visits.patch_item("v", ["t1", 2, 1], [{"op": "incr", "path": "/n", "value": 1}])
    assert visits.read_item("v", ["t1", 2, 1])["n"] == 6
    visits.delete_item("v", ["t1", 2, 1])
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        visits.read_item("v", ["t1", 2, 1])
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        visits.read_item("v", ["t1", 2])
    assert caught.value.status_code == 400


@pytest.mark.parametrize(("key", "found"), [(["t1"], 8), (["t1", 2], 2), (["t1", 2, 0], 1), (["t9"], 0)])
def test_a_beginning_of_the_key_is_queried(visits: Any, key: list[Any], found: int) -> None:
    assert len(list(visits.query_items("SELECT * FROM c", partition_key=key))) == found
    assert len(list(visits.query_items("SELECT * FROM c WHERE c.n >= 0 ORDER BY c.n", partition_key=key))) == found


def test_a_beginning_of_the_key_has_a_change_feed(visits: Any) -> None:
    feed = visits.query_items_change_feed(start_time="Beginning", partition_key=["t2"])
    assert [item["n"] for item in feed] == list(range(8))
    each = visits.feed_range_from_partition_key(["t2", 1])
    assert [item["n"] for item in visits.query_items_change_feed(start_time="Beginning", feed_range=each)] == [2, 3]


def test_a_batch_is_of_one_whole_key(visits: Any) -> None:
    item = {"id": "w", "tenant": "t1", "user": 0, "session": 0}
    (result,) = visits.execute_item_batch([("create", (item,))], ["t1", 0, 0])
    assert result["statusCode"] == 201
    other = {**item, "session": 1}
    with pytest.raises(exceptions.CosmosBatchOperationError):
        visits.execute_item_batch([("create", (other,))], ["t1", 0, 0])


def test_no_part_of_the_key_is_patched(visits: Any) -> None:
    for path in ("/tenant", "/user", "/session"):
        with pytest.raises(exceptions.CosmosHttpResponseError, match="cannot be patched"):
            visits.patch_item("v", ["t1", 0, 0], [{"op": "set", "path": path, "value": "x"}])


async def test_values_that_are_not_there_are_part_of_the_key(server: CosmosServer) -> None:
    async with wire(server.url) as wired:
        await filled(wired)
        made = await wired.call("POST", DOCS, {"id": "some", "tenant": "t1"}, key_header("t1", {}))
        assert made.status == 201
        reply = await wired.query(DOCS, "SELECT VALUE c.id FROM c WHERE NOT IS_DEFINED(c.user)", key_header("t1"))
        assert reply.json["Documents"] == ["some"]


def test_effective_keys_are_the_hashes_of_the_values_joined() -> None:
    first, second = "3D48BB14DA9D090D22112C96695028B6", "2A947C94F6E254B945CEBC3196C9897C"
    assert effective(canonical(["t1"]), MULTI_HASH) == first
    assert effective(canonical(["t1", "u1"]), MULTI_HASH) == first + second


async def filled(wired: Wire) -> None:
    await wired.call("POST", "/dbs/shop/colls", DEFINITION)
    for tenant in ("t1", "t2"):
        for user in ("u1", "u2"):
            item = {"id": "1", "tenant": tenant, "user": user}
            assert (await wired.call("POST", DOCS, item, key_header(tenant, user))).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        key_header("t1"),
        {
            **of_range("0"),
            "x-ms-read-key-type": "EffectivePartitionKeyRange",
            "x-ms-start-epk": "3D48BB14DA9D090D22112C96695028B6",
            "x-ms-end-epk": "3D48BB14DA9D090D22112C96695028B6FF",
        },
    ],
    ids=["JavaScript", ".NET"],
)
async def test_a_prefix_is_asked_for_in_two_ways(server: CosmosServer, headers: dict[str, str]) -> None:
    async with wire(server.url) as wired:
        await filled(wired)
        reply = await wired.query(DOCS, "SELECT VALUE c.user FROM c", headers)
        assert (reply.status, reply.json["Documents"]) == (200, ["u1", "u2"])


@pytest.mark.parametrize(
    "key",
    [
        {"paths": ["/a", "/b"], "kind": "Hash"},
        {"paths": ["/a", "/b", "/c", "/d"], "kind": "MultiHash", "version": 2},
        {"paths": ["/a"], "kind": "Range"},
        {"paths": ["/a"], "kind": "Hash", "version": 3},
        {"paths": ["/a", "/b"], "kind": "MultiHash", "version": 1},
        {"paths": [], "kind": "Hash"},
        {"paths": "/a"},
        {"paths": [1]},
        {"paths": ["a"]},
        {"paths": ["/"]},
        {"paths": ['/"a']},
        "/a",
        None,
    ],
    ids=json.dumps,
)
async def test_a_partition_key_that_cannot_be_is_refused(server: CosmosServer, key: Any) -> None:
    async with wire(server.url) as wired:
        assert (await wired.call("POST", "/dbs/shop/colls", {"id": "x", "partitionKey": key})).status == 400


async def test_a_path_may_have_names_that_are_not_plain(server: CosmosServer) -> None:
    async with wire(server.url) as wired:
        definition = {"id": "odd", "partitionKey": {"paths": ['/"le/vel1"/x'], "kind": "Hash", "version": 2}}
        assert (await wired.call("POST", "/dbs/shop/colls", definition)).status == 201
        item = {"id": "1", "le/vel1": {"x": "a"}}
        assert (await wired.call("POST", "/dbs/shop/colls/odd/docs", item, key_header("a"))).status == 201
        read = await wired.call("GET", "/dbs/shop/colls/odd/docs/1", None, key_header("a"))
        assert read.json["le/vel1"] == {"x": "a"}
