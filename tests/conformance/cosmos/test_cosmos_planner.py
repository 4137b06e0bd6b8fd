"""The language and the plans, held against Microsoft's own query planner.

What it said of a table of queries is recorded (`planner.json`, by `planner.py`) and compared everywhere; generated
queries are compared where the environment variable COSMOS_PLANNER names the library. What differs is listed, with the
reason, in `differences.py`, and nothing else differs.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from localazure.cosmos.errors import QueryError
from localazure.cosmos.items import NONE_KEY, canonical
from localazure.cosmos.planner.plan import Layout, plan
from localazure.cosmos.ranges import MULTI_HASH, effective, prefix
from tests.conformance.cosmos import planner
from tests.conformance.cosmos.differences import DIFFERENCES, OURS_ALONE
from tests.conformance.cosmos.grammar import QUERIES

ROWS: list[dict[str, Any]] = json.loads(planner.RECORDED.read_text())["queries"]
needs_planner = pytest.mark.skipif(not planner.LIBRARY, reason="COSMOS_PLANNER names no library of Microsoft's planner")


def ours(row: dict[str, Any]) -> dict[str, Any]:
    """What the local server says of the query, in the form of the recording."""
    paths = row.get("paths", ["pk"])
    layout = Layout([(path,) for path in paths], 2 if len(paths) == 1 else MULTI_HASH)
    try:
        found = plan(row["query"], row.get("parameters", {}), layout)
    except QueryError as exc:
        return {"errors": [error.get("code") for error in exc.errors]}
    spans = sorted((each["min"], each["max"]) for each in found["queryRanges"])
    return {"plan": planner.told(found["queryInfo"]), "ranges": spans}


def theirs(row: dict[str, Any]) -> dict[str, Any]:
    """As `ours`, of what the planner said: its values of the partition key are hashed here."""
    if "errors" in row:
        return {"errors": row["errors"]}
    ranges = row["ranges"]
    if isinstance(ranges, str):
        spans = [("", "FF" if ranges == "all" else "")]
    else:
        spans = sorted(_span(values, len(row.get("paths", ["pk"]))) for values in ranges)
    return {"plan": row["plan"], "ranges": spans}


def _span(values: list[Any], length: int) -> tuple[str, str]:
    key = NONE_KEY if isinstance(values[0], dict) else canonical(values)
    if len(values) < length:
        begun = prefix(key)
        return begun.least, begun.most
    point = effective(key, 2 if length == 1 else MULTI_HASH)
    return point, point


def test_nothing_differs_from_the_recordings_but_what_is_listed() -> None:
    differing = {row["query"] for row in ROWS if ours(row) != theirs(row)}
    assert differing == set(DIFFERENCES)


def test_every_difference_has_a_reason() -> None:
    assert all(DIFFERENCES.values())
    assert {row["query"] for row in ROWS} >= set(DIFFERENCES)


@needs_planner
def test_the_recordings_are_what_the_planner_says() -> None:
    for row in ROWS:
        asked = planner.ask(row["query"], row.get("parameters"), tuple(row.get("paths", ["pk"])))
        recorded = {name: row[name] for name in ("plan", "ranges", "errors") if name in row}
        assert json.loads(json.dumps(asked)) == recorded, row["query"]


@needs_planner
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(QUERIES)
def test_generated_queries_have_the_planners_verdict_and_plan(text: str) -> None:
    row = {"query": text, **asked(text)}
    mine, other = ours(row), theirs(row)
    assert ("errors" in mine) == ("errors" in other)
    if "errors" in mine:
        assert family(mine["errors"][0]) in map(family, other["errors"])
        return
    # a query that the planner knows to have no result, by the types of its expressions, has an empty plan
    assume(row["ranges"] != "none" and mine["ranges"] != [("", "")])
    # and where it alone knows that one partition has all, that one leaves out and cuts off by itself
    assume(mine["ranges"] == other["ranges"] or " OFFSET " not in text)
    assert mine["plan"] == other["plan"]
    assert _covers(mine["ranges"], other["ranges"])


def family(code: Any) -> Any:
    """The code; one for a property that is not grouped by, wherever it stands."""
    return "SC2102" if code == "SC2103" else code


def asked(text: str) -> dict[str, Any]:
    """What the planner says. A query on which it fails itself is no example."""
    try:
        found: dict[str, Any] = json.loads(json.dumps(planner.ask(text)))
    except ValueError:
        found = {}
    assume(found)
    return found


def _covers(mine: list[tuple[str, str]], other: list[tuple[str, str]]) -> bool:
    """Whether no partition is left out: the planner may know more of a condition."""
    return mine == [("", "FF")] or set(other) <= set(mine)


@pytest.mark.parametrize("query", OURS_ALONE)
def test_what_the_local_server_alone_refuses_is_refused_by_name(query: str) -> None:
    with pytest.raises(QueryError, match=OURS_ALONE[query]):
        plan(query, {}, Layout([("pk",)], 2))
