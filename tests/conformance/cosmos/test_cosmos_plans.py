"""Queries over all partitions: what the gateway refuses, the plan that comes with it, and what clients make of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from azure.cosmos import CosmosClient, exceptions

from localazure.cosmos import EMULATOR_KEY, PART
from localazure.cosmos.ranges import effective
from localazure.cosmos.wire import CosmosServer
from localazure.part import Config
from localazure.testing import serving
from tests.conformance.cosmos.test_cosmos_account import signed

ITEMS: list[dict[str, Any]] = [
    {"id": f"i{n:02}", "kind": f"k{n % 5}", "n": n % 7, "price": n * 1.5, "tags": [n, f"t{n % 3}"], "s": "ab"[n % 2]}
    for n in range(60)
]


@pytest.fixture(params=[1, 4])
def spread(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A container of one range, and of four, with 60 items in five partitions."""
    with (
        serving(PART, Config(options={"ranges": str(request.param)})) as server,
        CosmosClient(server.url, EMULATOR_KEY) as client,
    ):
        made = client.create_database("d").create_container("c", {"paths": ["/kind"], "kind": "Hash", "version": 2})
        for item in ITEMS:
            made.create_item(item)
        yield made


def found(container: Any, query: str, size: int = 7, **more: Any) -> list[Any]:
    return list(container.query_items(query, enable_cross_partition_query=True, max_item_count=size, **more))


def sorted_items(*names: str, descending: bool = False) -> list[Any]:
    return sorted((tuple(item[name] for name in names) for item in ITEMS), reverse=descending)


@pytest.mark.parametrize("descending", [False, True])
def test_the_client_merges_what_is_sorted(spread: Any, descending: bool) -> None:
    direction = "DESC" if descending else "ASC"
    query = f"SELECT c.n, c.id FROM c ORDER BY c.n {direction}, c.id {direction}"
    assert [(row["n"], row["id"]) for row in found(spread, query)] == sorted_items("n", "id", descending=descending)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT VALUE COUNT(1) FROM c", [60]),
        ("SELECT VALUE SUM(c.n) FROM c WHERE c.n > 3", [sum(item["n"] for item in ITEMS if item["n"] > 3)]),
        ("SELECT VALUE AVG(c.price) FROM c", [29.5 * 1.5]),
        ("SELECT VALUE MIN(c.price) FROM c", [0]),
        ("SELECT VALUE MAX(c.id) FROM c", ["i59"]),
        ("SELECT VALUE MAX(c.missing) FROM c", [None]),
        ("SELECT VALUE COUNT(1) FROM c JOIN t IN c.tags WHERE IS_NUMBER(t)", [60]),
        ("SELECT DISTINCT VALUE c.s FROM c ORDER BY c.s", ["a", "b"]),
        ("SELECT TOP 3 VALUE c.price FROM c ORDER BY c.price DESC", [88.5, 87.0, 85.5]),
        ("SELECT VALUE c.price FROM c ORDER BY c.price OFFSET 2 LIMIT 3", [3.0, 4.5, 6.0]),
        ("SELECT VALUE c.id FROM c WHERE c.kind = 'k3' ORDER BY c.price OFFSET 1 LIMIT 2", ["i08", "i13"]),
    ],
)
def test_the_client_merges(spread: Any, query: str, expected: list[Any]) -> None:
    assert found(spread, query) == expected


def test_distinct_and_a_number_of_results_are_of_the_whole(spread: Any) -> None:
    assert sorted(found(spread, "SELECT DISTINCT VALUE c.n FROM c")) == list(range(7))
    assert len(found(spread, "SELECT TOP 11 * FROM c")) == 11
    assert len(found(spread, "SELECT * FROM c OFFSET 50 LIMIT 20")) == 10


@pytest.mark.parametrize(
    "query",
    ["SELECT c.s, COUNT(1) AS k FROM c GROUP BY c.s", "SELECT COUNT(1) AS k FROM c", "SELECT c.s FROM c GROUP BY c.s"],
)
def test_what_older_clients_cannot_merge_is_refused_in_words(spread: Any, query: str) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError, match="only supports 'VALUE <AggregateFunc>'") as caught:
        found(spread, query)
    assert caught.value.status_code == 400
    assert not caught.value.sub_status
    assert len(found(spread, query, partition_key="k1")) == (2 if "GROUP BY" in query else 1)


async def ask(server: CosmosServer, body: Any, **headers: str) -> tuple[int, Any, Any]:
    """A query's status, answer and headers."""
    every = signed("POST", "docs", "dbs/shop/colls/things") | {
        "content-type": "application/query+json",
        "x-ms-documentdb-isquery": "True",
        "x-ms-documentdb-query-enablecrosspartition": "True",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    url = f"{server.url}/dbs/shop/colls/things/docs"
    async with aiohttp.ClientSession() as session, session.post(url, headers=every, data=json.dumps(body)) as answer:
        return answer.status, await answer.json(), answer.headers


async def test_a_refusal_has_the_plan(server: CosmosServer) -> None:
    status, body, headers = await ask(server, {"query": "SELECT TOP 2 * FROM c ORDER BY c.n DESC"})
    assert (status, headers["x-ms-substatus"]) == (400, "1004")
    info = json.loads(body["additionalErrorInfo"])["queryInfo"]
    assert (info["top"], info["orderBy"]) == (2, ["Descending"])
    status, same, _ = await ask(
        server,
        {"query": "SELECT TOP @n * FROM c ORDER BY c.n DESC", "parameters": [{"name": "@n", "value": 2}]},
        x_ms_cosmos_is_query_plan_request="True",
    )
    assert status == 200
    assert same["queryInfo"]["top"] == 2


async def test_a_plan_has_the_form_that_the_service_gives_it(server: CosmosServer) -> None:
    query = {"query": "SELECT c.s, COUNT(1) AS k FROM c WHERE c.kind IN ('b', 'a') GROUP BY c.s"}
    status, plan, _ = await ask(server, query, x_ms_cosmos_is_query_plan_request="True")
    assert status == 200
    points = sorted(effective(json.dumps([kind]), 2) for kind in "ab")
    assert plan == {
        "partitionedQueryExecutionInfoVersion": 2,
        "queryInfo": {
            "distinctType": "None",
            "top": None,
            "offset": None,
            "limit": None,
            "orderBy": [],
            "orderByExpressions": [],
            "groupByExpressions": ["c.s"],
            "groupByAliases": ["s", "k"],
            "aggregates": [],
            "groupByAliasToAggregateType": {"s": None, "k": "Count"},
            "rewrittenQuery": 'SELECT [{"item": c.s}] AS groupByItems, {"s": c.s, "k": {"item": COUNT(1)}} AS payload\n'
            'FROM c\nWHERE (c.kind IN ("b", "a"))\nGROUP BY c.s',
            "hasSelectValue": False,
            "dCountInfo": None,
            "hasNonStreamingOrderBy": False,
        },
        "queryRanges": [
            {"min": point, "max": point, "isMinInclusive": True, "isMaxInclusive": True} for point in points
        ],
    }


async def test_a_client_that_counts_distinct_results_is_given_them(server: CosmosServer) -> None:
    query = {"query": "SELECT COUNT(1) AS k FROM (SELECT DISTINCT c.s FROM c)"}
    asked = {"x_ms_cosmos_is_query_plan_request": "True"}
    _, plan, _ = await ask(server, query, **asked, x_ms_cosmos_supported_query_features="Distinct, DCount")
    assert plan["queryInfo"]["dCountInfo"] == {"dCountAlias": "k"}
    assert plan["queryInfo"]["rewrittenQuery"] == "SELECT DISTINCT c.s\nFROM c"
    _, plan, _ = await ask(server, query, **asked, x_ms_cosmos_supported_query_features="Distinct, Aggregate")
    assert plan["queryInfo"]["dCountInfo"] is None
    assert plan["queryInfo"]["groupByAliasToAggregateType"] == {"k": "Count"}


async def rows(server: CosmosServer, query: str, **more: Any) -> tuple[list[Any], Any]:
    body = {"query": query, **more.pop("body", {})}
    status, answer, headers = await ask(server, body, x_ms_documentdb_partitionkeyrangeid="0", **more)
    assert status == 200, answer
    return answer["Documents"], headers


SORTED = 'SELECT c._rid, [{"item": c.n}] AS orderByItems, c.id AS payload FROM c WHERE (true) ORDER BY c.n'


@pytest.mark.parametrize(("direction", "reverse"), [("ASC", False), ("DESC", True)])
async def test_equal_rows_come_by_number_and_it_is_said_which_way(
    server: CosmosServer, athings: Any, direction: str, reverse: bool
) -> None:
    for number in range(6):
        await athings.create_item({"id": str(number), "kind": "a", "n": number % 2})
    found, headers = await rows(server, f"{SORTED} {direction}")
    upwards = ["0", "2", "4", "1", "3", "5"]
    assert [row["payload"] for row in found] == (upwards[::-1] if reverse else upwards)
    told = json.loads(headers["x-ms-cosmos-query-execution-info"])
    assert told == {"reverseRidEnabled": False, "reverseIndexScan": reverse}


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("exclude", [False, True])
async def test_a_sorted_query_is_resumed_at_every_row(
    server: CosmosServer, athings: Any, direction: str, exclude: bool
) -> None:
    values: list[Any] = [1, 1, None, "x", True, 1, 2, None]
    for number, value in enumerate(values):
        await athings.create_item({"id": str(number), "kind": "a", "n": value})
    await athings.create_item({"id": "8", "kind": "a"})
    whole, _ = await rows(server, f"{SORTED} {direction}")
    for place, row in enumerate(whole):
        (item,) = row["orderByItems"]
        resume = {"value": [item.get("item", [])], "rid": row["_rid"], "exclude": exclude}
        rest, _ = await rows(server, f"{SORTED} {direction}", body={"resumeFilter": resume})
        assert rest == whole[place + exclude :]
        del resume["rid"]
        rest, _ = await rows(server, f"{SORTED} {direction}", body={"resumeFilter": resume})
        same = json.dumps(row["orderByItems"])  # 1 and true are equal to Python
        equal = [other for other in whole if json.dumps(other["orderByItems"]) == same]
        first = whole.index(equal[0])
        assert rest == whole[first + (len(equal) if exclude else 0) :]


@pytest.mark.parametrize(
    ("resume", "message"),
    [
        ({"value": [1, 2]}, "has not as many values"),
        ({"value": 1}, "value, an array"),
        ({"value": [{"type": "array", "low": 1, "high": 2}]}, "with arrays or objects is not supported"),
        ({"value": [1], "rid": "nothing"}, "resource id of a document"),
        (5, "value, an array"),
    ],
)
async def test_a_resume_filter_that_makes_no_sense_is_refused(
    server: CosmosServer, athings: Any, resume: Any, message: str
) -> None:
    await athings.create_item({"id": "1", "kind": "a", "n": 1})
    body = {"query": f"{SORTED} ASC", "resumeFilter": resume}
    status, answer, _ = await ask(server, body, x_ms_documentdb_partitionkeyrangeid="0")
    assert status == 400
    assert message in answer["message"]


async def test_a_continuation_goes_on_with_a_changed_filter(server: CosmosServer, athings: Any) -> None:
    for number in range(9):
        await athings.create_item({"id": str(number), "kind": "a", "n": number // 2})
    first, headers = await rows(server, f"{SORTED} DESC", x_ms_max_item_count="4")
    changed = SORTED.replace("(true)", "(c.n <= 4 AND IS_NUMBER(c.n))")
    rest, _ = await rows(server, f"{changed} DESC", x_ms_continuation=headers["x-ms-continuation"])
    assert [row["payload"] for row in first + rest] == [str(number) for number in reversed(range(9))]
    status, _, _ = await ask(
        server,
        {"query": f"{SORTED} ASC"},
        x_ms_documentdb_partitionkeyrangeid="0",
        x_ms_continuation=headers["x-ms-continuation"],
    )
    assert status == 400


HOSTILE = {
    "two thousand negations": f"SELECT * FROM c WHERE {'NOT ' * 2000}c.a",
    "deep arrays": f"SELECT VALUE {'[' * 5000}{']' * 5000} FROM c",
    "deep parentheses": f"SELECT VALUE {'(' * 5000}1{')' * 5000} FROM c",
    "deep calls": f"SELECT VALUE {'ABS(' * 3000}1{')' * 3000} FROM c",
    "deep subqueries": f"SELECT VALUE {'(SELECT VALUE ' * 1000}1{')' * 1000} FROM c",
    "deep sources": f"SELECT VALUE 1 FROM {'(SELECT VALUE 1 FROM ' * 1000}c{')' * 1000}",
    "a long chain of choices": f"SELECT VALUE {'c.a ? 1 : ' * 3000}2 FROM c",
    "a long chain of alternatives": f"SELECT VALUE {'c.a ?? ' * 3000}2 FROM c",
    "many joins": f"SELECT VALUE 1 FROM c {' '.join(f'JOIN t{n} IN c.tags' for n in range(11))}",
    "a text too long": f"SELECT * FROM c WHERE c.a = '{'x' * 524_288}'",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_query_made_to_stop_the_server_is_refused_at_once(things: Any, name: str) -> None:
    began = time.monotonic()
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        found(things, HOSTILE[name])
    assert caught.value.status_code == 400
    assert any(code in caught.value.http_error_message for code in ("SC1030", "SC3002", "SC3020"))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT VALUE c.id FROM c WHERE {' OR '.join(f'c.n = {n}' for n in range(20_000))}",
        f"SELECT VALUE c.id FROM c WHERE {'(' * 900}c.n = 0{''.join(f' OR c.n = {n})' for n in range(900))}",
        f"SELECT VALUE c.id FROM c WHERE c.n IN ({', '.join(map(str, range(20_000)))})",
        f"SELECT VALUE c.id FROM c WHERE {' + '.join(['0'] * 5000)} = 0",
        f"SELECT VALUE c.id FROM c WHERE {'NOT ' * 100}true",
    ],
)
def test_a_query_may_be_long(things: Any, query: str) -> None:
    things.create_item({"id": "1", "kind": "a", "n": 3})
    assert found(things, query) == ["1"]


def test_no_regular_expression_stops_the_server(things: Any) -> None:
    things.create_item({"id": "1", "kind": "a", "s": "a" * 5000 + "b"})
    began = time.monotonic()
    assert found(things, "SELECT VALUE RegexMatch(c.s, '^(a+)+$') FROM c") == [False]
    assert time.monotonic() - began < 10
