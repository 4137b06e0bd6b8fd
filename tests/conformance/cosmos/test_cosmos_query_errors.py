"""Queries that the service does not take, and how it says so: 400, with the place and a number where one is known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.cosmos import exceptions

COMPOSED = "Compositions of aggregates and other expressions are not allowed."
NESTED = "Cannot perform an aggregate function on an expression containing an aggregate or a subquery."
PLAIN = "is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY"

REFUSED = [
    ("SELECT * FROM c WHERE COUNT(1) > 1", "", "COUNT(1", "not allowed in the WHERE clause"),
    ("SELECT VALUE COUNT(1) FROM c WHERE MAX(c.n) > 1 AND c.n > 1", "", "MAX(c.n", "not allowed in the WHERE clause"),
    ("SELECT VALUE c.n FROM c ORDER BY SUM(c.n)", "", "SUM(c.n", "not allowed in the ORDER BY clause"),
    ("SELECT VALUE 1 FROM c GROUP BY AVG(c.n)", "", "AVG(c.n", "not allowed in the GROUP BY clause"),
    ("SELECT c.kind, COUNT(1) AS many FROM c", "", "c.kind", f"Property reference 'c.kind' {PLAIN}"),
    ("SELECT c.kind, c.inner['x'][0], COUNT(1) FROM c GROUP BY c.kind", "", "c.inner['x'][0", "'c.inner['x'][0]'"),
    ("SELECT COUNT(1), c.n + 1 AS more FROM c GROUP BY c.kind", "", "c.n", f"Property reference 'c.n' {PLAIN}"),
    ("SELECT t, COUNT(1) FROM c JOIN t IN c.tags GROUP BY c.kind", "", "t", "Property reference 't'"),
    ("SELECT * FROM c GROUP BY c.kind", "", "c.kind", "'SELECT *' is not allowed with GROUP BY"),
    ("SELECT c.kind FROM c GROUP BY c.kind ORDER BY c.kind", "", "c.kind", "ORDER BY clause is not supported together"),
    ("SELECT VALUE COUNT(1) + 5 FROM c", "", "COUNT(1", COMPOSED),
    ("SELECT VALUE {'many': COUNT(1)} FROM c", "", "COUNT(1", COMPOSED),
    ("SELECT AVG(SUM(c.n)) FROM c", "", "AVG(SUM(c.n", NESTED),
    ("SELECT SUM(ARRAY_LENGTH(ARRAY(SELECT VALUE t FROM t IN c.tags))) FROM c", "", None, NESTED),
    ("SELECT VALUE x.n FROM c", "SC2001", "x", "Identifier 'x' could not be resolved."),
    ("SELECT VALUE c.n FROM c JOIN t IN x.tags", "SC2001", "x.tags", "Identifier 'x' could not be resolved."),
    ("SELECT VALUE c.n FROM c WHERE EXISTS(SELECT VALUE 1 FROM t IN d.tags)", "SC2001", None, "Identifier 'd'"),
    ("SELECT VALUE NOSUCH(c.n) FROM c", "SC2005", "NOSUCH(c.n", "'NOSUCH' is not a recognized built-in function name"),
    ("SELECT * FORM c", "SC1001", "FORM", "Syntax error, incorrect syntax near 'FORM' (line 1, column 10)."),
    ("SELECT * FROM c\nWHERE", "SC1001", None, "Syntax error, incorrect syntax near '' (line 2, column 6)."),
    ("SELECT * FROM c JOIN t IN c.tags", "", None, "'SELECT *' is only valid with a single input set."),
]


@pytest.mark.parametrize(("query", "code", "place", "message"), REFUSED)
def test_a_query_that_the_service_does_not_take(
    things: Any, query: str, code: str, place: str | None, message: str
) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        list(things.query_items(query, enable_cross_partition_query=True))
    assert caught.value.status_code == 400
    document = json.loads(caught.value.http_error_message)
    assert document["code"] == "BadRequest"
    (error,) = json.loads(document["message"].removeprefix("Message: "))["errors"]
    assert error["severity"] == "Error"
    assert error.get("code", "") == code
    assert message in error["message"]
    if place is not None:
        assert query[error["location"]["start"] : error["location"]["end"]] == place


async def test_the_same_by_the_asynchronous_client(athings: Any) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError, match=r"'c\.kind' is invalid in the select list") as caught:
        _ = [item async for item in athings.query_items("SELECT c.kind, COUNT(1) AS many FROM c")]
    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT COUNT(1) AS many, 'x' AS fixed FROM c GROUP BY c.kind", [{"many": n, "fixed": "x"} for n in (2, 1)]),
        ("SELECT VALUE c.inner FROM c GROUP BY c.inner", [{"x": 1}, {"x": 2}]),
        ("SELECT COUNT(1) AS many, MAX(c.n + 1) AS top FROM c", [{"many": 3, "top": 4}]),
        ("SELECT VALUE (SELECT VALUE COUNT(1) FROM t IN c.tags) FROM c WHERE c.n = 1", [2]),
        ("SELECT VALUE c.n FROM c WHERE (SELECT VALUE COUNT(1) FROM t IN c.tags) > 1", [1]),
        ("SELECT VALUE COUNT(1)", [1]),
        ("SELECT * FROM c.inner", [{"x": 1}, {"x": 2}, {"x": 2}]),
        ("SELECT * FROM t IN c.tags WHERE t > 'a'", ["b", "c"]),
    ],
)
def test_what_stays_allowed(things: Any, query: str, expected: list[Any]) -> None:
    things.create_item({"id": "1", "kind": "a", "n": 1, "tags": ["a", "b"], "inner": {"x": 1}})
    things.create_item({"id": "2", "kind": "a", "n": 2, "tags": ["c"], "inner": {"x": 2}})
    things.create_item({"id": "3", "kind": "b", "n": 3, "tags": [], "inner": {"x": 2}})
    assert list(things.query_items(query, enable_cross_partition_query=True)) == expected
