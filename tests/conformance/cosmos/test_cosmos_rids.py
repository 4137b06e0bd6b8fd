"""Resource ids: their bytes, addresses by them, signatures over them, and what they tell of a container made anew."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos import CosmosClient, PartitionKey
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.cosmos import EMULATOR_KEY, rids
from localazure.cosmos.wire import CosmosServer
from tests.conformance.cosmos.raw import Wire, key_header, wire

THINGS = "/dbs/shop/colls/things"


@pytest.fixture
async def wired(server: CosmosServer) -> AsyncIterator[Wire]:
    async with wire(server.url) as made:
        yield made


def decoded(rid: str) -> bytes:
    return base64.b64decode(rid.replace("-", "/"))


async def test_resource_ids_have_the_bytes_of_the_services(wired: Wire) -> None:
    item = await wired.call("POST", f"{THINGS}/docs", {"id": "1", "kind": "a"}, key_header("a"))
    base = (await wired.call("GET", "/dbs/shop")).json
    container = (await wired.call("GET", THINGS)).json
    ranges = (await wired.call("GET", f"{THINGS}/pkranges")).json
    assert (base["_rid"], container["_rid"]) == ("AAAAAQ==", "AAAAAYAAAAE=")
    assert item.json["_rid"] == "AAAAAYAAAAEBAAAAAAAAAA=="
    assert ranges["_rid"] == container["_rid"]
    assert ranges["PartitionKeyRanges"][0]["_rid"] == "AAAAAYAAAAECAAAAAAAAUA=="
    assert base["_self"] == "dbs/AAAAAQ==/"
    assert container["_self"] == "dbs/AAAAAQ==/colls/AAAAAYAAAAE=/"
    assert item.json["_self"] == "dbs/AAAAAQ==/colls/AAAAAYAAAAE=/docs/AAAAAYAAAAEBAAAAAAAAAA==/"


async def test_a_later_item_has_a_higher_number_and_a_new_version_keeps_it(wired: Wire) -> None:
    found = []
    for name in ("1", "2", "1"):
        headers = {**key_header("a"), "x-ms-documentdb-is-upsert": "True"}
        reply = await wired.call("POST", f"{THINGS}/docs", {"id": name, "kind": "a"}, headers)
        found.append(int.from_bytes(decoded(reply.json["_rid"])[8:], "little"))
    assert found[0] < found[1]
    assert found[2] == found[0]


async def test_databases_and_containers_have_a_time_and_an_etag(wired: Wire) -> None:
    for path in ("/dbs/shop", THINGS):
        reply = await wired.call("GET", path)
        assert reply.json["_ts"] > 0
        assert reply.headers["etag"] == reply.json["_etag"]
    before = (await wired.call("GET", THINGS)).json
    after = (await wired.call("PUT", THINGS, {**before, "defaultTtl": 70})).json
    assert after["_etag"] != before["_etag"]
    stale = await wired.call("PUT", THINGS, {**before, "defaultTtl": 80}, {"If-Match": before["_etag"]})
    assert stale.status == 412


@pytest.mark.parametrize(
    ("path", "kind", "last", "headers"),
    [
        ("/dbs/AAAAAQ==", "dbs", "AAAAAQ==", {}),
        ("/dbs/AAAAAQ==/colls", "colls", "AAAAAQ==", {}),
        ("/dbs/AAAAAQ==/colls/AAAAAYAAAAE=", "colls", "AAAAAYAAAAE=", {}),
        ("/dbs/AAAAAQ==/colls/AAAAAYAAAAE=/pkranges", "pkranges", "AAAAAYAAAAE=", {}),
        ("/dbs/AAAAAQ==/colls/AAAAAYAAAAE=/docs", "docs", "AAAAAYAAAAE=", {}),
        (
            "/dbs/AAAAAQ==/colls/AAAAAYAAAAE=/docs/AAAAAYAAAAEBAAAAAAAAAA==",
            "docs",
            "AAAAAYAAAAEBAAAAAAAAAA==",
            key_header("a"),
        ),
    ],
)
async def test_what_is_addressed_by_resource_ids_is_signed_by_the_last_in_lower_case(
    wired: Wire, path: str, kind: str, last: str, headers: dict[str, str]
) -> None:
    await wired.call("POST", f"{THINGS}/docs", {"id": "1", "kind": "a"}, key_header("a"))
    reply = await wired.call("GET", path, None, headers, signed=(kind, last.lower()))
    assert reply.status == 200
    refused = await wired.call("GET", path, None, headers, signed=(kind, "aaaaaw=="))
    assert refused.status == 401


def test_the_client_reads_what_self_links_name(address: str) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client:
        database = client.get_database_client("shop")
        things: Any = database.get_container_client("things")
        made = things.create_item({"id": "1", "kind": "a"})
        assert client.get_database_client(database.read()).read()["id"] == "shop"
        assert things.read_item(made, "a")["id"] == "1"
        things.delete_item(made, "a")
        assert list(things.read_all_items()) == []


async def test_an_unknown_resource_id_is_not_found(wired: Wire) -> None:
    document = "AAAAAYAAAAEJAAAAAAAAAA=="
    path = f"/dbs/AAAAAQ==/colls/AAAAAYAAAAE=/docs/{document}"
    assert (await wired.call("GET", path, None, key_header("a"), signed=("docs", document.lower()))).status == 404
    assert (await wired.call("GET", "/dbs/AAAACQ==", signed=("dbs", "aaaacq=="))).status == 404


async def test_a_container_made_anew_is_another(wired: Wire) -> None:
    old = (await wired.call("GET", THINGS)).json
    await wired.call("DELETE", THINGS)
    definition = {"id": "things", "partitionKey": {"paths": ["/other"], "kind": "Hash", "version": 2}}
    new = (await wired.call("POST", "/dbs/shop/colls", definition)).json
    assert new["_rid"] != old["_rid"]
    gone = await wired.call("GET", f"/{old['_self']}", signed=("colls", old["_rid"].lower()))
    assert gone.status == 404
    intended = {"x-ms-cosmos-intended-collection-rid": old["_rid"], **key_header("a")}
    refused = await wired.call("POST", f"{THINGS}/docs", {"id": "1", "other": "a"}, intended)
    assert (refused.status, refused.substatus) == (400, "1024")
    right = {**intended, "x-ms-cosmos-intended-collection-rid": new["_rid"]}
    assert (await wired.call("POST", f"{THINGS}/docs", {"id": "1", "other": "a"}, right)).status == 201


def test_the_client_goes_on_with_a_container_made_anew_under_another_key(address: str) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client, CosmosClient(address, EMULATOR_KEY) as other:
        container: Any = client.get_database_client("shop").get_container_client("things")
        container.create_item({"id": "1", "kind": "a"})
        elsewhere = other.get_database_client("shop")
        elsewhere.delete_container("things")
        elsewhere.create_container("things", PartitionKey("/code"))
        assert container.create_item({"id": "2", "code": "x"})["id"] == "2"
        assert container.read_item("2", "x")["code"] == "x"


async def test_a_name_that_looks_like_a_resource_id_is_a_name_first(wired: Wire) -> None:
    await wired.call("POST", "/dbs", {"id": "AAAAAQ=="})
    reply = await wired.call("GET", "/dbs/AAAAAQ==", signed=("dbs", "dbs/AAAAAQ=="))
    assert reply.json["id"] == "AAAAAQ=="


@settings(deadline=None)
@given(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1), st.integers(1, 2**59))
def test_a_resource_id_says_what_it_names(database: int, container: int, number: int) -> None:
    base = rids.container_bytes(database, container)
    assert rids.parse(rids.database(database)) == rids.ResourceId("dbs", database)
    assert rids.parse(rids.container(database, container)) == rids.ResourceId("colls", database, container)
    assert rids.parse(rids.document(base, number)) == rids.ResourceId("docs", database, container, number)
    found = rids.parse(rids.physical_range(base, number % 1000))
    assert found == rids.ResourceId("pkranges", database, container, number % 1000)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_resource_id_or_not(text: str) -> None:
    found = rids.parse(text)
    assert found is None or found.kind in ("dbs", "colls", "docs", "pkranges", "offers")
