"""All versions and deletes: every change of a container that keeps them, as long as its policy says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import CosmosClient, PartitionKey, exceptions

from localazure.clock import ManualClock
from localazure.cosmos import EMULATOR_KEY, PART
from localazure.cosmos.wire import PURGE_INTERVAL, CosmosServer
from localazure.part import Config
from tests.conformance.cosmos.raw import Reply, Wire, key_header, of_range, wire

DEFINITION = {
    "id": "kept",
    "partitionKey": {"paths": ["/kind"], "kind": "Hash", "version": 2},
    "changeFeedPolicy": {"retentionDuration": 10},
    "defaultTtl": -1,
}
DOCS = "/dbs/shop/colls/kept/docs"
ALL = {"A-IM": "Full-Fidelity Feed", "x-ms-cosmos-changefeed-wire-format-version": "2021-09-15"}


async def feed(wired: Wire, place: str, name: str = "0") -> Reply:
    return await wired.call("GET", DOCS, None, {**ALL, **of_range(name), "If-None-Match": place})


async def changed(wired: Wire) -> None:
    """A create, a replace, a delete, and one that expires."""
    await wired.call("POST", "/dbs/shop/colls", DEFINITION)
    upsert = {**key_header("a"), "x-ms-documentdb-is-upsert": "True"}
    for number in (1, 2):
        await wired.call("POST", DOCS, {"id": "1", "kind": "a", "n": number}, upsert)
    await wired.call("DELETE", f"{DOCS}/1", None, key_header("a"))
    await wired.call("POST", DOCS, {"id": "2", "kind": "a", "ttl": 5}, upsert)


async def test_every_change_is_told_with_what_was_before(server: CosmosServer, clock: ManualClock) -> None:
    async with wire(server.url) as wired:
        await changed(wired)
        await clock.advance(PURGE_INTERVAL + 1)
        reply = await feed(wired, '"0"')
        documents = reply.json["Documents"]
        assert (reply.status, reply.headers["etag"]) == (200, '"5"')
        about = [document["metadata"] for document in documents]
        assert [each["operationType"] for each in about] == ["create", "replace", "delete", "create", "delete"]
        assert [each["lsn"] for each in about] == [1, 2, 3, 4, 5]
        assert [each.get("timeToLiveExpired") for each in about] == [None, None, False, None, True]
        assert [document["current"].get("n") for document in documents[:3]] == [1, 2, None]
        assert [document.get("previous", {}).get("n") for document in documents[:3]] == [None, 1, 2]
        assert documents[2]["current"] == {}
        last = await feed(wired, reply.headers["etag"])
        assert (last.status, last.headers["x-ms-item-count"]) == (304, "0")


async def test_it_begins_now_or_goes_on_and_has_no_beginning(server: CosmosServer) -> None:
    async with wire(server.url) as wired:
        await changed(wired)
        now = await feed(wired, "*")
        assert (now.status, now.headers["etag"]) == (304, '"4"')
        begun = await wired.call("GET", DOCS, None, {**ALL, **of_range("0")})
        assert begun.status == 400


async def test_versions_are_forgotten_after_their_time(server: CosmosServer, clock: ManualClock) -> None:
    async with wire(server.url) as wired:
        await changed(wired)
        await clock.advance(500)
        await wired.call("POST", DOCS, {"id": "3", "kind": "a"}, key_header("a"))
        await clock.advance(140)
        kinds = [document["metadata"]["lsn"] for document in (await feed(wired, '"0"')).json["Documents"]]
        assert kinds == [5, 6]


async def test_they_survive_a_restart_and_a_split(server: CosmosServer, tmp_path: Path, clock: ManualClock) -> None:
    async with wire(server.url) as wired:
        await changed(wired)
        before = (await feed(wired, '"0"')).json["Documents"]
    again = await PART.start(Config(state=tmp_path / "state", clock=clock))
    try:
        async with wire(again.url) as wired:
            assert (await feed(wired, '"0"')).json["Documents"] == before
            order = {"database": "shop", "container": "kept"}
            async with wired.session.post(f"{wired.url}/_local/splits", json=order) as answer:
                names = (await answer.json())["ranges"]
            replies = [await feed(wired, '"0"', name) for name in names]
            found = [document for reply in replies if reply.status == 200 for document in reply.json["Documents"]]
            assert found == before
    finally:
        await again.stop()


def test_a_container_without_the_policy_refuses_by_name(things: Any) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError, match="change feed policy") as caught:
        list(things.query_items_change_feed(mode="AllVersionsAndDeletes"))
    assert caught.value.status_code == 400


def test_the_client_reads_all_versions(address: str) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client:
        database = client.get_database_client("shop")
        policy = {"retentionDuration": 10}
        container: Any = database.create_container("kept", PartitionKey("/kind"), change_feed_policy=policy)
        list(container.query_items_change_feed(mode="AllVersionsAndDeletes"))
        token = container.client_connection.last_response_headers["etag"]
        container.create_item({"id": "1", "kind": "a"})
        container.delete_item("1", "a")
        feed = list(container.query_items_change_feed(mode="AllVersionsAndDeletes", continuation=token))
        assert [change["metadata"]["operationType"] for change in feed] == ["create", "delete"]
