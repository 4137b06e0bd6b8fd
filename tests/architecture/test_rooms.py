"""The rooms of the local Cosmos DB and Application Insights: engines know no protocol, languages no engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.test_imports import ROOT, ids, imports, within

COSMOS = ROOT / "localazure" / "cosmos"
WIRE = {"answers", "access", "batches", "documents", "feeds", "local", "metrics", "requests", "resources", "service"}
WIRE |= {"throughput", "wire"}
"""What speaks HTTP; all else of Cosmos DB is rules and data."""
INSIGHTS = ROOT / "localazure" / "insights"


@pytest.mark.parametrize("path", [path for path in sorted(COSMOS.glob("*.py")) if path.stem not in WIRE], ids=ids)
def test_the_engine_knows_no_protocol(path: Path) -> None:
    rooms = {f"localazure.cosmos.{name}" for name in WIRE}
    assert not [
        name
        for name in imports(path, top_level_only=True)
        if within(name, "aiohttp") or any(within(name, room) for room in rooms)
    ]


@pytest.mark.parametrize("path", [path for path in sorted(INSIGHTS.glob("*.py")) if path.stem != "wire"], ids=ids)
def test_the_engine_of_telemetry_knows_no_protocol(path: Path) -> None:
    outside = {"aiohttp", "localazure.connections", "localazure.listening", "localazure.insights.wire"}
    assert not [name for name in imports(path, top_level_only=True) if any(within(name, other) for other in outside)]


@pytest.mark.parametrize("path", sorted((COSMOS / "sql").glob("*.py")), ids=ids)
def test_the_language_knows_no_engine(path: Path) -> None:
    outside = {"localazure.cosmos.engine", "localazure.cosmos.store", "localazure.cosmos.changes", "aiohttp"}
    outside |= {f"localazure.cosmos.{name}" for name in WIRE}
    assert not [name for name in imports(path) if any(within(name, other) for other in outside)]


@pytest.mark.parametrize("path", sorted((COSMOS / "planner").glob("*.py")), ids=ids)
def test_the_planner_knows_the_language_and_no_engine(path: Path) -> None:
    outside = {f"localazure.cosmos.{name}" for name in ("engine", "store", "changes", "model", "queries")} | {"aiohttp"}
    outside |= {f"localazure.cosmos.{name}" for name in WIRE}
    assert not [name for name in imports(path) if any(within(name, other) for other in outside)]


@pytest.mark.parametrize("path", sorted((COSMOS / "sql").rglob("*.py")), ids=ids)
def test_the_language_needs_no_planner(path: Path) -> None:
    assert not [name for name in imports(path) if within(name, "localazure.cosmos.planner")]
