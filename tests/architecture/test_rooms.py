"""The rooms of the local Cosmos DB and Application Insights: none needs one that needs it; engines know no protocol."""

from __future__ import annotations

from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture.test_imports import ROOT, ids, imports, within

LONGEST = 400
"""Lines."""
COSMOS = ROOT / "localazure" / "cosmos"
WIRE = {"answers", "access", "batches", "documents", "feeds", "local", "metrics", "requests", "resources", "service"}
WIRE |= {"throughput", "wire"}
"""What speaks HTTP; all else of Cosmos DB is rules and data."""


INSIGHTS = ROOT / "localazure" / "insights"


@cache
def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("part", [COSMOS, INSIGHTS], ids=ids)
def test_no_module_needs_one_that_needs_it(part: Path) -> None:
    modules = {name_of(path): path for path in part.rglob("*.py")}
    graph = {
        name: {needed for needed in imports(path, top_level_only=True) if needed in modules and needed != name}
        for name, path in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(f"modules that need one another: {' ← '.join(exc.args[1])}")


@pytest.mark.parametrize("path", [*sorted(COSMOS.rglob("*.py")), *sorted(INSIGHTS.rglob("*.py"))], ids=ids)
def test_a_module_can_be_read_at_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


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
