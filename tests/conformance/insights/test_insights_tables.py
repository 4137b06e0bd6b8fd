"""Which columns a table has, and which of them what is sent becomes."""

from __future__ import annotations

import pytest

from localazure.insights.schema import TABLES
from localazure.insights.wire import DEFAULT_KEY

from .conftest import DATA, NOW, Insights, envelope

STAMP = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("table", TABLES)
async def test_a_table_has_the_services_columns_and_types(insights: Insights, table: str) -> None:
    found = await insights.rows(f"{table} | getschema")
    assert {row["ColumnName"]: row["ColumnType"] for row in found} == dict(TABLES[table])
    _, answer = await insights.ask(f"{table} | take 0")
    assert answer["tables"][0]["name"] == "PrimaryResult"
    assert {column["name"]: column["type"] for column in answer["tables"][0]["columns"]} == dict(TABLES[table])


async def test_a_request(insights: Insights) -> None:
    await insights.send(
        envelope(
            _sampleRate=25,
            success=False,
            responseCode="503",
            duration="1.02:03:04.5000000",
            url="http://localhost/things",
            properties={"order_id": "ord_a", "lines": 3},
            measurements={"charge": 2.5},
        )
    )
    (row,) = await insights.rows("requests")
    expected = {
        "timestamp": STAMP,
        "id": "a1",
        "name": "GET /things",
        "url": "http://localhost/things",
        "success": "False",
        "resultCode": "503",
        "duration": ((26 * 60 + 3) * 60 + 4.5) * 1000,
        "performanceBucket": ">=5min",
        "itemType": "request",
        "customDimensions": '{"order_id":"ord_a","lines":"3"}',
        "customMeasurements": '{"charge":2.5}',
        "operation_Id": "op",
        "operation_ParentId": "p",
        "cloud_RoleName": "orders",
        "client_IP": "0.0.0.0",
        "appId": DEFAULT_KEY,
        "iKey": DEFAULT_KEY,
        "itemCount": 4,
    }
    assert {name: row[name] for name in expected} == expected
    assert len(row["itemId"]) == 36


async def test_a_dependency(insights: Insights) -> None:
    await insights.send(envelope("RemoteDependencyData", target="cosmos", data="orders/1", resultCode="429"))
    (row,) = await insights.rows("dependencies")
    expected = {"type": "Azure DocumentDB", "target": "cosmos", "data": "orders/1", "resultCode": "429"}
    expected |= {"name": "read", "success": "True", "performanceBucket": "<250ms", "itemType": "dependency"}
    assert {name: row[name] for name in expected} == expected
    assert row["duration"] == pytest.approx(10.5)


async def test_a_trace_with_its_level_by_name_or_number(insights: Insights) -> None:
    await insights.send(envelope("MessageData", severityLevel="Warning"), envelope("MessageData", severityLevel=3))
    found = await insights.rows("traces | project message, severityLevel, itemType | order by severityLevel asc")
    assert [tuple(row.values()) for row in found] == [("hello", 2, "trace"), ("hello", 3, "trace")]


async def test_an_exception_with_its_cause(insights: Insights) -> None:
    cause = {"typeName": "OSError", "message": "no disk", "parsedStack": [{"method": "write", "assembly": "store"}]}
    await insights.send(envelope("ExceptionData", exceptions=[*DATA["ExceptionData"]["exceptions"], cause]))
    (row,) = await insights.rows("exceptions")
    expected = {"type": "KeyError", "outerMessage": "lost", "innermostType": "OSError", "innermostMethod": "write"}
    expected |= {"innermostAssembly": "store", "problemId": "KeyError at find", "itemType": "exception"}
    assert {name: row[name] for name in expected} == expected


async def test_each_point_of_a_metric(insights: Insights) -> None:
    points = [{"name": "a", "value": 10, "count": 4, "min": 1, "max": 5, "stdDev": 0.5}, {"name": "b", "value": 2}]
    await insights.send(envelope("MetricData", metrics=points))
    found = await insights.rows(
        "customMetrics | project name, valueSum, valueCount, valueMin, valueMax, valueStdDev | order by name asc"
    )
    assert [tuple(row.values()) for row in found] == [("a", 10.0, 4, 1.0, 5.0, 0.5), ("b", 2.0, 1, 2.0, 2.0, 0.0)]


async def test_an_event(insights: Insights) -> None:
    await insights.send(envelope("EventData"))
    (row,) = await insights.rows("customEvents | project name, size = todouble(customMeasurements['size'])")
    assert row == {"name": "opened", "size": 2.5}
