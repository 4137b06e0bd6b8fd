"""Queries that the service does not take, and how it says so: 400, with the place and a number where one is known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.cosmos import exceptions

COMPOSED = "Compositions of aggregates and other expressions are not allowed."
NESTED = "Cannot perform an aggregate function on an expression containing an aggregate or a subquery."
PLAIN = "is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY"
WHERE = "Aggregates are not allowed in the WHERE clause."

REFUSED = [
    ("SELECT * FROM c WHERE COUNT(1) > 1", "SC2104", "COUNT(1)", WHERE),
    ("SELECT VALUE COUNT(1) FROM c WHERE MAX(c.n) > 1 AND c.n > 1", "SC2104", "MAX(c.n)", WHERE),
    ("SELECT VALUE c.n FROM c ORDER BY SUM(c.n)", "SC2102", "c.n", PLAIN),
    ("SELECT VALUE 1 FROM c GROUP BY AVG(c.n)", "SC2111", "AVG(c.n)", "Cannot use an aggregate or a subquery"),
    ("SELECT c.kind, COUNT(1) AS many FROM c", "SC2102", "c.kind", f"Property reference 'c.kind' {PLAIN}"),
    ("SELECT c.kind, c['a b'][0], COUNT(1) FROM c GROUP BY c.kind", "SC2102", "c['a b']", "'c[\"a b\"]'"),
    ("SELECT COUNT(1), c.n + 1 AS more FROM c GROUP BY c.kind", "SC2102", "c.n", f"Property reference 'c.n' {PLAIN}"),
    ("SELECT t, COUNT(1) FROM c JOIN t IN c.tags GROUP BY c.kind", "SC2102", "t", "Property reference 't'"),
    ("SELECT c.n FROM c GROUP BY c.n ORDER BY c.kind", "SC2103", "c.kind", "is invalid in the ORDER BY clause"),
    ("SELECT * FROM c GROUP BY c.kind", "SC2041", "*", "'SELECT *' is not allowed with GROUP BY"),
    ("SELECT AVG(SUM(c.n)) FROM c", "SC2101", "AVG(SUM(c.n))", NESTED),
    ("SELECT VALUE x.n FROM c", "SC2001", "x", "Identifier 'x' could not be resolved."),
    ("SELECT VALUE c.n FROM c JOIN t IN x.tags", "SC2001", "x", "Identifier 'x' could not be resolved."),
    ("SELECT VALUE c.n FROM c WHERE EXISTS(SELECT VALUE 1 FROM t IN d.tags)", "SC2001", None, "Identifier 'd'"),
    ("SELECT VALUE NOSUCH(c.n) FROM c", "SC2005", "NOSUCH", "'NOSUCH' is not a recognized built-in function name"),
    ("SELECT * FORM c", "SC1001", "FORM", "Syntax error, incorrect syntax near 'FORM'."),
    ("SELECT * FROM c\nWHERE", "SC1002", None, "Syntax error, unexpected end-of-file."),
    ("SELECT VALUE 'abc FROM c", "SC1012", "'abc FROM c", "invalid string literal token"),
    ("SELECT VALUE 1x FROM c", "SC1011", "1x", "invalid numeric value token '1x'"),
    ("SELECT VALUE c.a # b FROM c", "SC1010", "#", "invalid token '#'"),
    ("SELECT * FROM c JOIN t IN c.tags", "SC2042", "*", "'SELECT *' is only valid with a single input set."),
    ("SELECT c.value FROM c", "SC1001", "value", "incorrect syntax near 'value'"),
    ("SELECT c.order FROM c", "SC1001", "order", "incorrect syntax near 'order'"),
    ("SELECT COUNT(*) FROM c", "SC1001", "*", "incorrect syntax near '*'"),
    ("SELECT TOP 1 * FROM c OFFSET 1 LIMIT 1", "SC2205", None, "A TOP cannot be used in the same query"),
    ("SELECT c.a AS x, c.b AS x FROM c", "SC2022", "x", "property name 'x' specified more than once"),
    ("SELECT * FROM c WHERE c.a AND c.b BETWEEN 0 AND 9", "SC1001", "BETWEEN", "incorrect syntax near 'BETWEEN'"),
    ("SELECT VALUE c[c.n] FROM c", "SC2990", "c[c.n]", "'member indexer' which is currently not supported"),
    ("SELECT VALUE (SELECT VALUE t FROM t IN c.tags) FROM c", "SC2201", None, "cardinality of a scalar subquery"),
    (
        "SELECT VALUE ARRAY(SELECT VALUE t FROM t IN c.tags ORDER BY t) FROM c",
        "SC2202",
        "ORDER BY t",
        "not supported in",
    ),
]


def error_of(things: Any, query: str) -> dict[str, Any]:
    """What is wrong with the query, as the answer says it."""
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        list(things.query_items(query, enable_cross_partition_query=True))
    assert caught.value.status_code == 400
    document = json.loads(caught.value.http_error_message)
    assert document["code"] == "BadRequest"
    errors: list[dict[str, Any]] = json.loads(document["message"].removeprefix("Message: "))["errors"]
    return errors[0]


@pytest.mark.parametrize(("query", "code", "place", "message"), REFUSED)
def test_a_query_that_the_service_does_not_take(
    things: Any, query: str, code: str, place: str | None, message: str
) -> None:
    error = error_of(things, query)
    assert error["severity"] == "Error"
    assert error.get("code", "") == code
    assert message in error["message"]
    if place is not None:
        assert query[error["location"]["start"] : error["location"]["end"]] == place


@pytest.mark.parametrize("query", ["c.a + 1", "LOWER(c.a)", "1", "c.a ?? c.b", "(c.n + 1).a"])
def test_sorting_by_what_is_not_a_path_is_refused(things: Any, query: str) -> None:
    assert error_of(things, f"SELECT * FROM c ORDER BY {query}")["code"] == 2206


@pytest.mark.parametrize("query", ["SELECT VALUE COUNT(1) + 5 FROM c", "SELECT VALUE {'many': COUNT(1)} FROM c"])
def test_compositions_of_aggregates_cannot_be_merged(things: Any, query: str) -> None:
    assert error_of(things, query)["message"] == COMPOSED
    # one partition can do it: so do the queries that a plan makes
    assert len(list(things.query_items(query, partition_key="a"))) == 1


def test_all_that_is_wrong_is_told(things: Any) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        list(things.query_items("SELECT x, ABS() FROM c WHERE z", enable_cross_partition_query=True))
    message = json.loads(caught.value.http_error_message)["message"].removeprefix("Message: ")
    assert [error["code"] for error in json.loads(message)["errors"]] == ["SC2001", "SC2001", "SC2050"]


async def test_the_same_by_the_asynchronous_client(athings: Any) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError, match=r"'c\.kind' is invalid in the select list") as caught:
        _ = [item async for item in athings.query_items("SELECT c.kind, COUNT(1) AS many FROM c")]
    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT COUNT(1) AS many, 'x' AS fixed FROM c GROUP BY c.part", [{"many": n, "fixed": "x"} for n in (2, 1)]),
        ("SELECT VALUE c.deep FROM c GROUP BY c.deep", [{"x": 1}, {"x": 2}]),
        ("SELECT COUNT(1) AS many, MAX(c.n + 1) AS most FROM c", [{"many": 3, "most": 4}]),
        (
            "SELECT c.part, COUNT(1) AS n FROM c GROUP BY c.part ORDER BY c.part DESC",
            [{"part": p, "n": n} for p, n in (("y", 1), ("x", 2))],
        ),
        ("SELECT VALUE (SELECT VALUE COUNT(1) FROM t IN c.tags) FROM c WHERE c.n = 1", [2]),
        ("SELECT VALUE c.n FROM c WHERE (SELECT VALUE COUNT(1) FROM t IN c.tags) > 1", [1]),
        ("SELECT VALUE COUNT(1)", [1]),
        ("SELECT * FROM c.deep", [{"x": 1}, {"x": 2}, {"x": 2}]),
        ("SELECT * FROM t IN c.tags WHERE t > 'a'", ["b", "c"]),
        ("SELECT VALUE SUM(ARRAY_LENGTH(ARRAY(SELECT VALUE t FROM t IN c.tags))) FROM c", [3]),
        ("SELECT c.n number, c.part 'a b' FROM c WHERE c.n = 1", [{"number": 1, "a b": "x"}]),
        ("SELECT VALUE d.p FROM (SELECT c.part AS p FROM c WHERE c.n > 1) AS d", ["x", "y"]),
        (
            "SELECT VALUE [c.n, v] FROM c JOIN (SELECT VALUE t FROM t IN c.tags WHERE t > 'a') AS v",
            [[1, "b"], [2, "c"]],
        ),
        ("SELECT VALUE v FROM c JOIN v IN (SELECT VALUE c.tags)", ["a", "b", "c"]),
        ("SELECT VALUE c.n FROM c WHERE ALL(SELECT VALUE t FROM t IN c.tags WHERE t < 'c')", [1, 3]),
        ("SELECT VALUE FIRST(SELECT VALUE t FROM t IN c.tags) FROM c", ["a", "c"]),
        ("SELECT VALUE [c.n, c.missing] FROM c WHERE c.n = 2", [[2, None]]),
        ("SELECT VALUE 0x1F + c.n FROM c WHERE c.n = 1", [32]),
        ("SELECT VALUE c.n FROM c WHERE NOT (c.n = '1')", [1, 2, 3]),
        ("SELECT VALUE COUNTIF(c.n > 1) FROM c", [2]),
        ("SELECT VALUE MAKELIST(c.n) FROM c", [[1, 2, 3]]),
        ("SELECT VALUE MAKESET(c.part) FROM c", [["x", "y"]]),
        ("SELECT VALUE c.n FROM c WHERE c.n = 1 = true", [1]),
        ("SELECT VALUE 'it\\'s' || \"'\" FROM c WHERE c.n = 1", ["it's'"]),
    ],
)
def test_what_stays_allowed(things: Any, query: str, expected: list[Any]) -> None:
    things.create_item({"id": "1", "kind": "a", "part": "x", "n": 1, "tags": ["a", "b"], "deep": {"x": 1}})
    things.create_item({"id": "2", "kind": "a", "part": "x", "n": 2, "tags": ["c"], "deep": {"x": 2}})
    things.create_item({"id": "3", "kind": "a", "part": "y", "n": 3, "tags": [], "deep": {"x": 2}})
    assert list(things.query_items(query, partition_key="a")) == expected
