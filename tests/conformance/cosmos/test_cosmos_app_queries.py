"""The app's own queries are taken by Microsoft's planner: recorded, and asked again where it is there."""

from __future__ import annotations

import pytest

from localazure.cosmos.planner.plan import Layout, plan
from tests.conformance.cosmos import planner
from tests.conformance.cosmos.app_queries import app_queries
from tests.conformance.cosmos.test_cosmos_planner import ROWS, needs_planner

RECORDED = {row["query"]: row for row in ROWS}


def test_the_app_has_queries() -> None:
    assert len(app_queries()) >= 5


@pytest.mark.parametrize("query", app_queries())
def test_microsofts_planner_took_it(query: str) -> None:
    assert query in RECORDED, "add the query to planner.json: python -m tests.conformance.cosmos.planner"
    assert "errors" not in RECORDED[query]
    assert plan(query, RECORDED[query].get("parameters", {}), Layout([("pk",)], 2))["queryInfo"]


@needs_planner
@pytest.mark.parametrize("query", app_queries())
def test_microsofts_planner_takes_it(query: str) -> None:
    assert "errors" not in planner.ask(query)
