"""What people are woken for: an alert's query is a file, has its rule in the template, and its runbook in the docs."""

from __future__ import annotations

import json
import re

import pytest

from tests.infra.compiler import INFRA, ROOT, Deployment, run

QUERIES = INFRA / "queries"
ALERTS = {file.stem: file.read_text(encoding="utf-8") for file in (QUERIES / "alerts").glob("*.kql")}
VIEWS = {file.stem: file.read_text(encoding="utf-8") for file in QUERIES.glob("*.kql")}
_AGO = re.compile(r"ago\((\d+)([mh])\)")
_WINDOWS = {"PT5M": 5, "PT15M": 15, "PT6H": 360}


def test_each_alert_has_a_rule_that_asks_its_own_query(made: Deployment) -> None:
    rules = made.of("Microsoft.Insights/scheduledQueryRules")
    asked = {}
    for rule in rules:
        (criterion,) = rule["properties"]["criteria"]["allOf"]
        assert [criterion[name] for name in ("timeAggregation", "operator", "threshold")] == ["Count", "GreaterThan", 0]
        assert rule["properties"]["actions"]["actionGroups"]
        asked[rule["properties"]["displayName"]] = criterion["query"]
    assert asked == ALERTS


def test_a_rule_looks_as_far_back_as_its_query(made: Deployment) -> None:
    for rule in made.of("Microsoft.Insights/scheduledQueryRules"):
        ages = _AGO.findall(ALERTS[rule["properties"]["displayName"]])
        longest = max(int(number) * (60 if unit == "h" else 1) for number, unit in ages)
        assert _WINDOWS[rule["properties"]["windowSize"]] == longest, rule["properties"]["displayName"]


@pytest.mark.usefixtures("bicep")
def test_the_workbook_has_every_saved_query() -> None:
    template = json.loads(run("build", str(INFRA / "modules" / "workbook.bicep"), "--stdout").stdout)
    loaded = {text for name, text in template["variables"].items() if name.startswith("$fxv")}
    assert loaded == set(VIEWS.values())
    assert {view["name"] for view in template["variables"]["views"]} == VIEWS.keys()
    (workbook,) = template["resources"].values()
    assert workbook["properties"]["sourceId"] == "[parameters('insightsId')]"


def test_each_alert_has_its_runbook() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(" `"): cells for line in text.splitlines() if len(cells := line.split("|")) == 6}
    for name in (*ALERTS, "backlog", "failing-gateway", "budget"):
        assert all(cell.strip() for cell in rows[name][1:5]), name


def test_each_query_says_first_what_it_answers() -> None:
    for name, query in {**ALERTS, **VIEWS}.items():
        assert query.startswith("// ") and query.endswith("\n"), name
