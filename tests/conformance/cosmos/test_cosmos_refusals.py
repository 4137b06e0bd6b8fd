"""What the service refuses or takes where a careless server would not, and what no request may do to the server."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos import CosmosClient, PartitionKey, exceptions
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.cosmos import EMULATOR_KEY, strict_json
from localazure.cosmos.errors import BadRequest
from localazure.cosmos.wire import CosmosServer
from tests.conformance.cosmos.raw import Wire, key_header, wire

DOCS = "/dbs/shop/colls/things/docs"
PATCH = {**key_header("a"), "content-type": "application/json-patch+json"}


@pytest.fixture
async def wired(server: CosmosServer) -> AsyncIterator[Wire]:
    async with wire(server.url) as made:
        yield made


async def created(wired: Wire, body: Any, key: Any = "a") -> int:
    return (await wired.call("POST", DOCS, body, key_header(key))).status


@pytest.mark.parametrize("name", ["{a}", "{", " leading", "a b", "a.b", "ü✓", "%41", "'", '"', "a+b", "a&b=c", "~"])
def test_an_id_that_can_be_made_can_be_read(things: Any, name: str) -> None:
    things.create_item({"id": name, "kind": "a"})
    assert things.read_item(name, "a")["id"] == name
    things.patch_item(name, "a", [{"op": "set", "path": "/n", "value": 1}])
    things.delete_item(name, "a")
    assert list(things.read_all_items()) == []


@pytest.mark.parametrize("name", ["{base}", " base", "a b"])
def test_databases_and_containers_have_such_ids_too(address: str, name: str) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client:
        container: Any = client.create_database(name).create_container(name, PartitionKey("/kind"))
        container.create_item({"id": "1", "kind": "a"})
        assert client.get_database_client(name).get_container_client(name).read_item("1", "a")["kind"] == "a"


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "a?", "a#", "trailing ", "x" * 256, 1, None])
async def test_an_id_that_cannot_be_is_refused(wired: Wire, name: Any) -> None:
    assert await created(wired, {"id": name, "kind": "a"}) == 400


async def test_a_write_without_a_partition_key_is_refused(wired: Wire) -> None:
    reply = await wired.call("POST", DOCS, {"id": "1", "kind": "a"})
    assert (reply.status, reply.substatus) == (400, "1001")
    other = await wired.call("POST", DOCS, {"id": "1", "kind": "a"}, key_header("b"))
    assert (other.status, other.substatus) == (400, "1001")


@pytest.mark.parametrize("key", [{"a": 1}, [], ["a"]])
async def test_a_partition_key_is_a_scalar(wired: Wire, key: Any) -> None:
    assert await created(wired, {"id": "1", "kind": key}, key) == 400
    assert await created(wired, {"id": "1", "kind": key}, "a") == 400


@pytest.mark.parametrize(
    "text", ["", "x", "{}", '"a"', "[]", '["a","b"]', "[NaN]", '["\\ud800"]', "[" * 1000, "[1e999]"]
)
async def test_a_partition_key_header_that_is_none_is_refused(wired: Wire, text: str) -> None:
    headers = {"x-ms-documentdb-partitionkey": text}
    for method, path in (("POST", DOCS), ("GET", f"{DOCS}/1"), ("DELETE", f"{DOCS}/1")):
        body = {"id": "1", "kind": "a"} if method == "POST" else None
        assert (await wired.call(method, path, body, headers)).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"1","kind":"a","n":NaN}',
        b'{"id":"1","kind":"a","n":Infinity}',
        b'{"id":"1","kind":"a","n":-Infinity}',
        b'{"id":"1","kind":"a","n":1e999}',
        b'{"id":"1","kind":' + b"1" * 400 + b"}",
        b'{"id":"1","kind":"a","n":[' + b"9" * 5000 + b"]}",
        b'{"id":"1","kind":"\\ud800"}',
        b'{"id":"\\ud800","kind":"a"}',
        b'{"id":"1","kind":"a","n":' + b'{"a":' * 900 + b"1" + b"}" * 901,
        b'{"id":"1","kind":"a","n":' + b"[" * 100_000,
        b'{"id":"1","kind":"a"',
        b"\xff\xfe",
        b"",
    ],
    ids=lambda body: str(body[:40]),
)
async def test_a_body_that_is_no_json_of_the_service_is_refused_and_harms_nobody(wired: Wire, body: bytes) -> None:
    for headers in (key_header("a"), {"x-ms-documentdb-is-upsert": "True", **key_header(1)}):
        assert (await wired.call("POST", DOCS, body, headers)).status == 400
    assert await created(wired, {"id": "fine", "kind": "a"}) == 201
    assert [item["id"] for item in (await wired.call("GET", DOCS)).json["Documents"]] == ["fine"]


async def test_an_item_may_be_as_deep_as_the_service_allows(wired: Wire) -> None:
    value: Any = 1
    for _ in range(127):
        value = {"a": value}
    assert await created(wired, {"id": "1", "kind": "a", "n": value}) == 201
    assert await created(wired, {"id": "2", "kind": "a", "n": {"a": value}}) == 400


@pytest.mark.parametrize(
    "patch",
    [
        {"condition": 5, "operations": [{"op": "set", "path": "/n", "value": 1}]},
        {"condition": "from c where", "operations": [{"op": "set", "path": "/n", "value": 1}]},
        {"condition": ["x"], "operations": [{"op": "set", "path": "/n", "value": 1}]},
        5,
        "x",
        [5],
        [],
        {},
        [{"op": "set", "path": 5, "value": 1}],
        [{"op": 5, "path": "/n", "value": 1}],
        [{"op": "set", "path": "/n"}],
    ],
    ids=json.dumps,
)
async def test_a_patch_that_is_none_is_refused(wired: Wire, patch: Any) -> None:
    assert await created(wired, {"id": "1", "kind": "a"}) == 201
    assert (await wired.call("PATCH", f"{DOCS}/1", patch, PATCH)).status == 400


async def test_a_patch_is_an_array_or_an_object(wired: Wire) -> None:
    assert await created(wired, {"id": "1", "kind": "a", "n": 1}) == 201
    operations = [{"op": "incr", "path": "/n", "value": 1}]
    for patch in (
        operations,
        {"operations": operations},
        {"operations": operations, "condition": "from c where c.n = 3"},
    ):
        assert (await wired.call("PATCH", f"{DOCS}/1", patch, PATCH)).status == 200
    assert (await wired.call("GET", f"{DOCS}/1", None, key_header("a"))).json["n"] == 4


def test_a_time_to_live_is_not_null(things: Any) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError, match="ttl must be") as caught:
        things.create_item({"id": "1", "kind": "a", "ttl": None})
    assert caught.value.status_code == 400


async def test_two_megabytes_are_measured_as_they_are_sent(wired: Wire) -> None:
    room = 2 * 1024 * 1024 - len(b'{"id":"1","kind":"a","x":""}')
    fits = b'{"id":"1","kind":"a","x":"' + b"x" * room + b'"}'
    assert await created(wired, fits) == 201
    assert await created(wired, b" " + fits.replace(b'"1"', b'"2"', 1)) == 413
    # two bytes in the file, six as they are sent
    assert await created(wired, b'{"id":"3","kind":"a","x":"' + b"\\u00e9" * (room // 6 + 1) + b'"}') == 413


async def test_pages_have_a_thousand_items_or_all_of_four_megabytes(wired: Wire) -> None:
    for number in range(1100):
        assert await created(wired, {"id": f"{number}", "kind": "a"}) == 201
    plain = await wired.call("GET", DOCS)
    assert (plain.json["_count"], plain.headers["x-ms-item-count"]) == (1000, "1000")
    asked = await wired.query(DOCS, "SELECT VALUE c.id FROM c", {**key_header("a")})
    assert asked.json["_count"] == 1000
    every = await wired.call("GET", DOCS, None, {"x-ms-max-item-count": "-1"})
    assert every.json["_count"] == 1100
    assert "x-ms-continuation" not in every.headers


async def test_a_page_of_all_items_ends_at_four_megabytes(wired: Wire) -> None:
    for number in range(5):
        assert await created(wired, {"id": f"{number}", "kind": "a", "x": "x" * 1_000_000}) == 201
    every = await wired.call("GET", DOCS, None, {"x-ms-max-item-count": "-1"})
    assert every.json["_count"] == 4
    assert every.headers["x-ms-continuation"]


@pytest.mark.parametrize("age", [-16 * 60, 16 * 60])
async def test_a_signature_is_good_for_a_quarter_of_an_hour(wired: Wire, age: int) -> None:
    reply = await wired.call("GET", "/dbs/shop", moment=time.time() + age)
    assert reply.status == 403
    assert "not valid at the current time" in reply.json["message"]
    assert (await wired.call("GET", "/dbs/shop", moment=time.time() + age / 2)).status == 200


@pytest.mark.parametrize(
    "definition",
    [
        [],
        {"indexingPolicy": 5},
        {"indexingPolicy": {"indexingMode": "sometimes"}},
        {"indexingPolicy": {"includedPaths": 5}},
        {"indexingPolicy": {"includedPaths": [5]}},
        {"indexingPolicy": {"includedPaths": [{"path": 5}]}},
        {"uniqueKeyPolicy": {"uniqueKeys": [5]}},
        {"uniqueKeyPolicy": {"uniqueKeys": [{"paths": [5]}]}},
        {"uniqueKeyPolicy": 5},
        {"changeFeedPolicy": {"retentionDuration": "x"}},
        {"defaultTtl": "x"},
    ],
    ids=json.dumps,
)
async def test_a_container_that_cannot_be_is_refused(wired: Wire, definition: Any) -> None:
    spec = {"id": "x", "partitionKey": {"paths": ["/k"]}, **definition} if isinstance(definition, dict) else definition
    assert (await wired.call("POST", "/dbs/shop/colls", spec)).status == 400
    assert (await wired.call("GET", "/dbs/shop/colls/x")).status == 404


async def test_an_indexing_policy_is_kept_whole(wired: Wire) -> None:
    kept = (await wired.call("GET", "/dbs/shop/colls/things")).json["indexingPolicy"]
    assert kept == {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [{"path": "/*"}],
        "excludedPaths": [{"path": '/"_etag"/?'}],
    }


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(deadline=None)
@given(JSON_VALUES, st.booleans())
def test_any_json_is_read_as_it_is(value: Any, ascii_alone: bool) -> None:
    assert strict_json.parse(json.dumps(value, ensure_ascii=ascii_alone).encode()) == value


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_json_or_refused(data: bytes) -> None:
    try:
        strict_json.parse(data)
    except BadRequest as exc:
        assert exc.status == 400
