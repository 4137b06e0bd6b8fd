"""The account: who may ask, databases and containers, what a container can be told, and what is not here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from azure.cosmos import CosmosClient, PartitionKey, exceptions
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient
from hypothesis import given
from hypothesis import strategies as st

from localazure.clock import ManualClock
from localazure.cosmos import EMULATOR_KEY, PART
from localazure.cosmos.charges import IndexingPolicy
from localazure.cosmos.wire import CosmosServer
from localazure.part import Config
from tests.conformance.cosmos.raw import wire


def test_databases_and_containers_come_and_go(address: str) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client:
        database = client.create_database("temporary")
        with pytest.raises(exceptions.CosmosResourceExistsError):
            client.create_database("temporary")
        container = database.create_container("c", PartitionKey("/pk"), default_ttl=10)
        assert container.read()["defaultTtl"] == 10
        assert [item["id"] for item in database.list_containers()] == ["c"]
        container.create_item({"id": "1", "pk": "a"})
        database.delete_container("c")
        client.delete_database("temporary")
        assert "temporary" not in [item["id"] for item in client.list_databases()]


@pytest.mark.parametrize("name", ["operations", "colls", "dbs", "docs"])
def test_a_database_and_a_container_may_be_called_like_a_part_of_an_address(address: str, name: str) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client:
        container = client.create_database(name).create_container(name, PartitionKey("/pk"))
        container.create_item({"id": "1", "pk": "a"})
        assert [item["id"] for item in client.get_database_client(name).list_containers()] == [name]
        assert [item["id"] for item in container.query_items("SELECT * FROM c", partition_key="a")] == ["1"]
        assert [item["id"] for item in container.read_all_items()] == ["1"]


ENGINE = (
    '{"allowNewKeywords":true,"maxJoinsPerSqlQuery":10,"maxQueryRequestTimeoutFraction":0.9,'
    '"maxSqlQueryInputLength":524288,"maxUdfRefPerSqlQuery":10,"queryMaxInMemorySortDocumentCount":-1000,'
    '"spatialMaxGeometryPointCount":256,"sqlAllowNonFiniteNumbers":false,"sqlDisableOptimizationFlags":0,'
    '"sqlQueryILDisableOptimizationFlags":0,"clientDisableOptimisticDirectExecution":false,'
    '"queryEnableFullText":true,"queryEnableFullTextPreviewFeatures":false,"queryMaxFullTextScoreSearchTerms":5,'
    '"queryMaxRrfArgumentCount":100,"enableSpatialIndexing":true,"maxInExpressionItemsCount":2147483647,'
    '"maxLogicalAndPerSqlQuery":2147483647,"maxLogicalOrPerSqlQuery":2147483647,"maxSpatialQueryCells":2147483647,'
    '"sqlAllowAggregateFunctions":true,"sqlAllowGroupByClause":true,"sqlAllowLike":true,"sqlAllowSubQuery":true,'
    '"sqlAllowScalarSubQuery":true,"sqlAllowTop":true}'
)
"""As a hosted account says it."""


async def test_the_account_says_how_queries_are_run_here(server: CosmosServer) -> None:
    async with wire(server.url) as wired:
        # a text, with members: a .NET client ends its own process over an empty one
        told = (await wired.call("GET", "/", signed=("", ""))).json["queryEngineConfiguration"]
    assert json.loads(told) == json.loads(ENGINE)


def test_a_wrong_key_is_refused(address: str) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught, CosmosClient(address, "d3Jvbmc=") as client:
        client.get_database_client("shop").get_container_client("things").read()
    assert caught.value.status_code == 401


async def test_a_file_that_an_earlier_version_wrote_is_read(tmp_path: Path, declared: Path) -> None:
    state = tmp_path / "old"
    state.mkdir()
    with sqlite3.connect(state / "cosmos.db") as file:
        file.executescript(
            """
            CREATE TABLE databases (id TEXT PRIMARY KEY) WITHOUT ROWID;
            CREATE TABLE containers (
                number INTEGER PRIMARY KEY AUTOINCREMENT, database TEXT NOT NULL, id TEXT NOT NULL, spec TEXT NOT NULL,
                lsn INTEGER NOT NULL DEFAULT 0, UNIQUE (database, id)
            );
            CREATE TABLE items (
                container INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, lsn INTEGER NOT NULL,
                etag TEXT NOT NULL, ts INTEGER NOT NULL, expires REAL, text TEXT NOT NULL,
                PRIMARY KEY (container, key, id)
            ) WITHOUT ROWID;
            INSERT INTO databases VALUES ('shop');
            INSERT INTO containers VALUES
                (1, 'shop', 'things',
                '{"id":"things","partitionKey":{"paths":["/kind"],"kind":"Hash","version":2},"defaultTtl":-1}', 2);
            INSERT INTO items VALUES
                (1, '["a"]', 'short', 1, '"e1"', 1700000000, 1700000060, '{"id":"short","kind":"a","ttl":60}'),
                (1, '["a"]', 'kept', 2, '"e2"', 1700000000, NULL, '{"id":"kept","kind":"a"}');
            """
        )
    file.close()
    clock = ManualClock(1_700_000_059)
    server = await PART.start(Config(state=state, options={"containers": str(declared)}, clock=clock))
    try:
        async with AsyncCosmosClient(server.url, EMULATOR_KEY) as client:
            container = client.get_database_client("shop").get_container_client("things")
            await container.create_item({"id": "new", "kind": "a"})
            assert [item["id"] async for item in container.read_all_items()] == ["short", "kept", "new"]
            await clock.advance(1)
            assert [item["id"] async for item in container.read_all_items()] == ["kept", "new"]
    finally:
        await server.stop()


async def test_what_is_there_is_not_made_again(client: AsyncCosmosClient) -> None:
    for _ in range(2):
        database = await client.create_database_if_not_exists("again")
        container = await database.create_container_if_not_exists("c", PartitionKey("/pk"), offer_throughput=400)
    assert [found["id"] async for found in database.list_containers()] == ["c"]
    assert (await container.read())["partitionKey"] == {"paths": ["/pk"], "kind": "Hash", "version": 2}
    containers = database.query_containers("SELECT * FROM c WHERE c.id = 'c'")
    assert [found["id"] async for found in containers] == ["c"]
    databases = client.query_databases("SELECT * FROM d WHERE d.id IN ('again', 'nothing')")
    assert [found["id"] async for found in databases] == ["again"]


KIND = {"paths": ["/kind"], "kind": "Hash", "version": 2}
UNIQUE = {"uniqueKeys": [{"paths": ["/code"]}]}


def test_a_container_keeps_what_cannot_be_changed(address: str) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client:
        database = client.get_database_client("shop")
        unique = database.get_container_client("unique")
        unique.create_item({"id": "1", "kind": "a", "code": "x"})
        with pytest.raises(exceptions.CosmosHttpResponseError, match="unique index cannot be modified") as caught:
            database.replace_container(unique, PartitionKey("/kind"), default_ttl=500)
        assert caught.value.status_code == 403
        definition = {"id": "unique", "partitionKey": KIND, "uniqueKeyPolicy": UNIQUE, "defaultTtl": 500}
        client.client_connection.ReplaceContainer("dbs/shop/colls/unique", definition)
        assert unique.read()["defaultTtl"] == 500
        with pytest.raises(exceptions.CosmosResourceExistsError):
            unique.create_item({"id": "2", "kind": "a", "code": "x"})
        with pytest.raises(exceptions.CosmosHttpResponseError, match="partition key cannot be changed"):
            database.replace_container(unique, PartitionKey("/other"))


ETAG = {"path": '/"_etag"/?'}


def test_the_indexing_policy_decides_what_a_write_costs(address: str) -> None:
    document = {"id": "1", "pk": "a", "plain": [1, 2, 3], "text": {"long": "x", "short": "y"}}
    charges: dict[str, float] = {}
    with CosmosClient(address, EMULATOR_KEY) as client:
        database = client.get_database_client("shop")
        policies: dict[str, dict[str, Any]] = {
            "all": {"includedPaths": [{"path": "/*"}], "excludedPaths": []},
            "some": {"includedPaths": [{"path": "/text/short/?"}], "excludedPaths": [{"path": "/*"}]},
            "none": {"indexingMode": "none", "automatic": False},
        }
        for name, policy in policies.items():
            container = database.create_container(name, PartitionKey("/pk"), indexing_policy=policy)
            kept = container.read()["indexingPolicy"]
            given = {"indexingMode": "consistent", "automatic": True, **policy}
            assert kept == (given if name == "none" else {**given, "excludedPaths": [*policy["excludedPaths"], ETAG]})
            container.create_item(document)
            charges[name] = float(container.client_connection.last_response_headers["x-ms-request-charge"])
    assert charges["all"] - charges["some"] == pytest.approx(6 * 0.3)
    assert charges["some"] - charges["none"] == pytest.approx(0.3)


def _paths(value: Any, path: str) -> Iterator[str]:
    """The path of each value, as an indexing policy writes it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not name.startswith("_"):
                yield from _paths(inner, f"{path}/{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, f"{path}/[]")
    else:
        yield path


def _precision(patterns: list[str], path: str) -> int:
    """How long the longest pattern is that fits; an exact one counts for more than a wildcard."""
    fits = [
        2 * pattern.count("/") + pattern.endswith("/?")
        for pattern in patterns
        if (path == pattern[:-2] if pattern.endswith("/?") else f"{path}/".startswith(pattern[:-1]))
    ]
    return max(fits, default=0)


NAMES = st.sampled_from(["a", "b", "_c"])
PATTERNS = st.lists(
    st.builds(
        lambda steps, end: "".join(f"/{step}" for step in steps) + end,
        st.lists(st.sampled_from(["a", "b", "_c", "[]"]), max_size=3),
        st.sampled_from(["/?", "/*"]),
    ).filter(lambda pattern: pattern != "/?"),
    max_size=4,
)
TREES = st.recursive(
    st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(NAMES, TREES, max_size=3), PATTERNS, PATTERNS)
def test_the_longest_path_of_an_indexing_policy_decides(
    document: dict[str, Any], included: list[str], excluded: list[str]
) -> None:
    policy = {"includedPaths": [{"path": path} for path in included]}
    policy["excludedPaths"] = [{"path": path} for path in excluded]
    expected = [path for path in _paths(document, "") if _precision(included, path) > _precision(excluded, path)]
    assert IndexingPolicy(policy).count(document) == len(expected)


@pytest.mark.parametrize(
    ("policy", "value"),
    [
        ("computed_properties", [{"name": "c", "query": "SELECT VALUE LOWER(c.name) FROM c"}]),
        ("vector_embedding_policy", {"vectorEmbeddings": []}),
        ("full_text_policy", {"defaultLanguage": "en-US"}),
        ("analytical_storage_ttl", -1),
    ],
)
def test_a_policy_that_is_not_here_is_refused_by_name(address: str, policy: str, value: Any) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client:
        database = client.get_database_client("shop")
        with pytest.raises(exceptions.CosmosHttpResponseError, match="is not supported by the local server") as caught:
            database.create_container("x", PartitionKey("/pk"), **{policy: value})
        assert caught.value.status_code == 400
        assert policy.replace("_", "") in caught.value.http_error_message.lower()


@pytest.mark.parametrize("level", ["Session", "ConsistentPrefix", "Eventual"])
def test_a_weaker_consistency_may_be_asked_for(address: str, level: str) -> None:
    with CosmosClient(address, EMULATOR_KEY, consistency_level=level) as client:
        things = client.get_database_client("shop").get_container_client("things")
        things.create_item({"id": "1", "kind": "a"})
        assert things.read_item("1", "a")["id"] == "1"


@pytest.mark.parametrize("level", ["Strong", "BoundedStaleness"])
def test_a_stronger_consistency_than_the_accounts_is_refused(address: str, level: str) -> None:
    with CosmosClient(address, EMULATOR_KEY, consistency_level=level) as client:
        things = client.get_database_client("shop").get_container_client("things")
        with pytest.raises(exceptions.CosmosHttpResponseError, match="Session") as caught:
            things.read_item("1", "a")
        assert caught.value.status_code == 400


def test_every_answer_has_a_session_token_and_an_activity(things: Any) -> None:
    things.create_item({"id": "1", "kind": "a"})
    first = dict(things.client_connection.last_response_headers)
    things.upsert_item({"id": "1", "kind": "a"})
    second = dict(things.client_connection.last_response_headers)
    assert (first["x-ms-session-token"], second["x-ms-session-token"]) == ("0:-1#1", "0:-1#2")
    assert first["x-ms-activity-id"] != second["x-ms-activity-id"]
    (whole,) = list(things.read_feed_ranges())
    seen = [(whole, first["x-ms-session-token"]), (whole, second["x-ms-session-token"])]
    assert things.get_latest_session_token(seen, whole) == "0:-1#2"


def test_the_conflict_feed_is_empty(things: Any) -> None:
    query = "SELECT * FROM c"
    assert list(things.list_conflicts()) == []
    assert list(things.query_conflicts(query, partition_key="a")) == []
    assert list(things.query_conflicts(query, enable_cross_partition_query=True)) == []
    with pytest.raises(exceptions.CosmosHttpResponseError, match="Cross partition query is required"):
        list(things.query_conflicts(query))
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        things.get_conflict("x", "a")


BODY = {"id": "x", "body": "function () {}", "triggerType": "Pre", "triggerOperation": "All"}


@pytest.mark.parametrize(
    ("feature", "call"),
    [
        ("stored procedures", lambda d, c: c.scripts.create_stored_procedure(BODY)),
        ("stored procedures", lambda d, c: c.scripts.execute_stored_procedure("x", partition_key="a")),
        ("triggers", lambda d, c: c.scripts.create_trigger(BODY)),
        ("user-defined functions", lambda d, c: c.scripts.create_user_defined_function(BODY)),
        ("triggers", lambda d, c: c.create_item({"id": "1", "kind": "a"}, pre_trigger_include="x")),
        ("users", lambda d, c: d.create_user({"id": "x"})),
        ("users", lambda d, c: list(d.list_users())),
    ],
)
def test_what_is_not_here_is_refused_by_name(address: str, feature: str, call: Any) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client:
        database = client.get_database_client("shop")
        with pytest.raises(exceptions.CosmosHttpResponseError, match=feature) as caught:
            call(database, database.get_container_client("things"))
        assert caught.value.status_code == 400


def signed(method: str, kind: str, link: str, key: str = EMULATOR_KEY) -> dict[str, str]:
    date = formatdate(usegmt=True)
    text = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n".encode()
    signature = base64.b64encode(hmac.new(base64.b64decode(key), text, hashlib.sha256).digest()).decode()
    return {"authorization": quote(f"type=master&ver=1.0&sig={signature}", safe=""), "x-ms-date": date}


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({}, "missing"),
        ({"authorization": quote("type=aad&ver=1.0&sig=e30.e30.e30")}, "Microsoft Entra tokens"),
        ({"authorization": quote("type=resource&ver=1&sig=abc")}, "neither a master-key signature nor an Entra token"),
        (signed("GET", "docs", "dbs/shop/colls/things/docs/1"), "not the same"),
    ],
)
async def test_who_is_not_known_is_refused(server: CosmosServer, headers: dict[str, str], named: str) -> None:
    url = f"{server.url}/dbs/shop/colls/things/docs/2"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 401
        assert named in (await answer.json())["message"]


async def test_an_unknown_address_is_not_found(server: CosmosServer) -> None:
    headers = signed("GET", "nothing", "dbs/shop")
    url = f"{server.url}/dbs/shop/nothing"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 404
        assert "/dbs/shop/nothing is not supported" in (await answer.json())["message"]


def test_a_query_of_all_partitions_has_to_say_so(things: Any) -> None:
    things.create_item({"id": "1", "kind": "a"})
    things.create_item({"id": "2", "kind": "b"})
    for query in ("SELECT * FROM c", "SELECT * FROM c WHERE c.kind IN ('a', 'b')"):
        with pytest.raises(exceptions.CosmosHttpResponseError, match="Cross partition query is required") as caught:
            list(things.query_items(query))
        assert caught.value.status_code == 400
        assert len(list(things.query_items(query, enable_cross_partition_query=True))) == 2
    assert len(list(things.query_items("SELECT * FROM c WHERE c.kind = 'a'"))) == 1
    assert len(list(things.query_items("SELECT * FROM c", partition_key="b"))) == 1
    assert list(things.query_items("SELECT VALUE 1")) == [1]
