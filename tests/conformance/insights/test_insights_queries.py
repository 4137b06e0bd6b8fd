"""Kusto over what came in: the answer's shape, what is refused by name, and what no query reaches."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import LogsQueryClient, LogsQueryResult

from localazure.insights.wire import DEFAULT_KEY

from .conftest import NOW, Insights, envelope, running

RESOURCE = f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/components/{DEFAULT_KEY}"


@pytest.fixture
async def filled(insights: Insights) -> Insights:
    """An hour: a request a minute, every tenth of which failed and was slow, each with a dependency and a trace."""
    batch = []
    for minute in range(60):
        failed = minute % 10 == 0
        tags = {"ai.operation.id": f"op{minute}", "ai.cloud.role": "orders" if minute % 2 else "payments"}
        call: dict[str, Any] = {"ago": minute * 60, "_tags": tags}
        duration = "00:00:02" if failed else f"00:00:00.{minute:03d}"
        batch += [
            envelope(id=f"r{minute}", success=not failed, duration=duration, **call),
            envelope("RemoteDependencyData", id=f"d{minute}", properties={"order_id": f"ord_{minute}"}, **call),
            envelope("MessageData", message=f"minute {minute}", **call),
        ]
    assert (await insights.send(*batch))[0] == 200
    return insights


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("requests | where success == false | count", [(6,)]),
        ("requests | where success == 'False' | count", [(6,)]),
        ("requests | where timestamp > ago(10m) | count", [(10,)]),
        ("requests | summarize n = sum(itemCount) by cloud_RoleName | order by n, cloud_RoleName asc", None),
        ("requests | summarize percentile(duration, 95)", [(2000.0,)]),
        ("requests | summarize n = count() by bin(timestamp, 30m) | order by timestamp asc | project n", None),
        (
            "requests | extend ok = iff(success == 'True', 'yes', 'no') | summarize count() by ok | order by ok asc",
            None,
        ),
        ("dependencies | where customDimensions['order_id'] == 'ord_7' | project id", [("d7",)]),
        ("dependencies | where tostring(customDimensions.order_id) == 'ord_7' | project id", [("d7",)]),
        ("traces | where message has '42' | project operation_Id", [("op42",)]),
        (
            "requests | join kind=inner (dependencies) on operation_Id | where id == 'r5' | project id, id1",
            [("r5", "d5")],
        ),
        (
            "union requests, dependencies, traces | where operation_Id == 'op3' | project itemType "
            "| order by itemType asc",
            [("dependency",), ("request",), ("trace",)],
        ),
        ("let slow = 1000; requests | where duration > slow | count", [(6,)]),
        ("requests | top 1 by timestamp desc | project id", [("r0",)]),
        ("requests | summarize arg_max(timestamp, id) | project id", [("r0",)]),
        ("requests | summarize dcount(cloud_RoleName)", [(2,)]),
        ("traces | parse message with 'minute ' minute:int | where minute > 57 | summarize max(minute)", [(59,)]),
        ("requests | project duration = duration * 1ms | summarize max(duration)", [("00:00:02",)]),
        ("print now()", [("2026-05-28T20:26:40Z",)]),
        ("print dynamic({'a': [1]})", [('{"a":[1]}',)]),
    ],
)
async def test_queries_over_recorded_telemetry(filled: Insights, query: str, expected: Any) -> None:
    found = [tuple(row.values()) for row in await filled.rows(query)]
    assert found
    if expected is not None:
        assert found == expected


async def test_a_query_may_be_in_the_address(filled: Insights) -> None:
    url = f"{filled.url}/v1/apps/{DEFAULT_KEY}/query"
    async with filled.session.get(url, params={"query": "requests | count", "timespan": "PT30M"}) as answer:
        assert answer.status == 200
        assert (await answer.json())["tables"] == [
            {"name": "PrimaryResult", "columns": [{"name": "Count", "type": "long"}], "rows": [[31]]}
        ]


@pytest.mark.parametrize(
    ("timespan", "expected"),
    [
        (None, 60),
        ("PT10M", 11),
        ("P1D", 60),
        (f"{(NOW - timedelta(minutes=20)):%Y-%m-%dT%H:%M:%SZ}/{(NOW - timedelta(minutes=10)):%Y-%m-%dT%H:%M:%SZ}", 10),
        (f"{(NOW - timedelta(minutes=20)):%Y-%m-%dT%H:%M:%SZ}/PT5M", 5),
        (f"PT5M/{(NOW - timedelta(minutes=20)):%Y-%m-%dT%H:%M:%SZ}", 5),
    ],
)
async def test_a_timespan_bounds_every_table(filled: Insights, timespan: str | None, expected: int) -> None:
    assert await filled.rows("requests | count", timespan) == [{"Count": expected}]
    assert await filled.rows("union requests, traces | count", timespan) == [{"Count": 2 * expected}]


@pytest.mark.parametrize("timespan", ["yesterday", "P", "PT", "2026-01-01/later", "PT1H/PT1H", "P999999D"])
async def test_a_timespan_that_cannot_be_read_is_refused(insights: Insights, timespan: str) -> None:
    status, answer = await insights.ask("requests", timespan)
    assert (status, answer["error"]["code"]) == (400, "BadArgumentError")
    assert timespan in answer["error"]["innererror"]["message"]


class Credential:
    """Any token: the part asks for none."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("anything", 2**31)


async def test_the_official_client_reads_the_component_as_a_resource(filled: Insights) -> None:
    def ask(query: str) -> Any:
        with LogsQueryClient(Credential(), endpoint=filled.url) as client:
            return client.query_resource(RESOURCE, query, timespan=timedelta(minutes=10), enforce_https=False)

    result = await asyncio.to_thread(ask, "requests | project timestamp, id, duration | top 1 by timestamp desc")
    assert isinstance(result, LogsQueryResult)
    (row,) = result.tables[0].rows
    assert (row["timestamp"], row["id"], row["duration"]) == (NOW, "r0", 2000.0)
    with pytest.raises(HttpResponseError, match="make-series"):
        await asyncio.to_thread(ask, "requests | make-series count() on timestamp step 1m")


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("requests |", "SyntaxError", "extraneous input"),
        ("requests | where", "SyntaxError", ""),
        ("requests | where nope == 1", "SemanticError", "'nope'"),
        ("Requests", "SemanticError", "'Requests'"),
        ("AppRequests", "SemanticError", "'AppRequests'"),
        ("requests | make-series count() on timestamp step 1h", "UnsupportedFeature", "make-series"),
        ("requests | evaluate bag_unpack(customDimensions)", "UnsupportedFeature", "evaluate"),
        ("requests | mv-apply x = customDimensions on (take 1)", "UnsupportedFeature", "mv-apply"),
        ("requests | extend x = bag_keys(customDimensions)", "UnsupportedFeature", "bag_keys"),
        ("requests; dependencies", "UnsupportedFeature", "multi-statement"),
        ("app('other').requests", "", ""),
        ("workspace('w').AppRequests", "", ""),
        ("database('x').requests", "UnsupportedFeature", "another database"),
        ("cluster('c').database('x').requests", "UnsupportedFeature", "cluster"),
        (".show tables", "UnsupportedFeature", "control commands"),
        (".drop table requests", "UnsupportedFeature", "control commands"),
        ("// nothing\n.show tables", "UnsupportedFeature", "another database"),
        ("// nothing\n.set-or-replace requests <| traces", "", ""),
        ("externaldata(a:string)['file:///etc/passwd']", "UnsupportedFeature", "ExternalData"),
        ("declare query_parameters(x:long); print x", "UnsupportedFeature", "query_parameters"),
    ],
)
async def test_what_cannot_be_answered_is_refused_by_name(insights: Insights, query: str, code: str, said: str) -> None:
    status, answer = await insights.ask(query)
    error = answer["error"]
    assert (status, error["code"]) == (400, "BadArgumentError")
    assert error["message"] == "The request had some invalid properties"
    assert error["correlationId"]
    if code:
        assert error["innererror"]["code"] == code
    assert said in error["innererror"]["message"]


@pytest.mark.parametrize(
    "query",
    [
        "['/etc/passwd']",
        "['data.csv']",
        "['duckdb_settings']",
        "['sqlite_master']",
        "['information_schema.tables']",
        "database('information_schema').tables",
        "database('kept').requests",
        "read_csv('/etc/passwd')",
        "requests | extend x = read_text('/etc/passwd')",
        "requests | extend x = getenv('HOME')",
        "print x = query('select 1')",
        "requests | join kind=inner (['/etc/passwd']) on operation_Id",
        "let requests = ['/etc/passwd']; requests",
        "union requests, ['/etc/passwd']",
        "print ['\"); DROP TABLE kept.requests; --']",
        "requests | where id in (['/etc/passwd'])",
        "requests | project x = toscalar(['/etc/passwd'] | count)",
    ],
)
async def test_no_query_reaches_what_is_not_telemetry(filled: Insights, query: str) -> None:
    status, answer = await filled.ask(query)
    assert status == 400, answer
    assert await filled.rows("requests | count") == [{"Count": 60}]


async def test_applications_are_apart() -> None:
    keys = ("11111111-0000-0000-0000-000000000000", "22222222-0000-0000-0000-000000000000")
    async with running({"keys": ",".join(keys)}) as insights:
        await insights.send(envelope(id="one", _iKey=keys[0]), envelope(id="two", _iKey=keys[1]))
        for key, expected in zip(keys, ("one", "two"), strict=True):
            url = f"{insights.url}/v1/apps/{key}/query"
            async with insights.session.post(url, json={"query": "requests | project id"}) as answer:
                assert (await answer.json())["tables"][0]["rows"] == [[expected]]
        for path in (f"apps/{DEFAULT_KEY}", "apps/x' OR '1'='1", "subscriptions/s/providers/Microsoft.Web/sites/x"):
            async with insights.session.post(f"{insights.url}/v1/{path}/query", json={"query": "requests"}) as answer:
                assert (answer.status, (await answer.json())["error"]["code"]) == (404, "PathNotFoundError")


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"query": 7}', '{"query": " "}', "[" * 100_000], ids=repr)
async def test_a_body_without_a_query_is_refused(insights: Insights, body: str) -> None:
    async with insights.session.post(f"{insights.url}/v1/apps/{DEFAULT_KEY}/query", data=body) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "BadArgumentError")
