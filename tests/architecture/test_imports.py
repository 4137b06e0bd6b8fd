"""Who may import whom: read from the source, so that no import has to be run to be caught."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.name for path in (ROOT / "blueprints").iterdir() if (path / "__init__.py").exists())
DEPLOYED = [
    ROOT / "function_app.py",
    *sorted((ROOT / "blueprints").rglob("*.py")),
    *sorted((ROOT / "shared").rglob("*.py")),
]
LOCAL = sorted((ROOT / "localazure").rglob("*.py"))
SAME_FILES = {"__init__.py", "declaration.py", "triggers.py", "domain.py", "service.py", "store.py"}
HEAVY = {
    "stripe",
    "easypost",
    "requests",
    "jwt",
    "opencensus",
    "azure.identity",
    "azure.cosmos.aio",
    "azure.servicebus.aio",
    "aiohttp",
}


def imports(path: Path, top_level_only: bool = False) -> Iterator[str]:
    """The full names of the modules a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = _outside_functions(tree) if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _outside_functions(child)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DEPLOYED, ids=ids)
def test_nothing_deployed_imports_what_stays_at_home(path: Path) -> None:
    assert not [
        name for name in imports(path) if any(within(name, home) for home in ("localazure", "scripts", "tests"))
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "shared").rglob("*.py")), ids=ids)
def test_the_kit_imports_no_service(path: Path) -> None:
    assert not [name for name in imports(path) if within(name, "blueprints")]


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_imports_another(service: str) -> None:
    for path in (ROOT / "blueprints" / service).glob("*.py"):
        others = [
            n
            for n in imports(path)
            if within(n, "blueprints") and n != "blueprints" and not within(n, f"blueprints.{service}")
        ]
        assert not others, f"{ids(path)} imports {others}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_domain_is_pure(service: str) -> None:
    allowed = (*sys.stdlib_module_names, "shared.money", "shared.contracts", "shared.patterns")
    path = ROOT / "blueprints" / service / "domain.py"
    assert not [name for name in imports(path) if not any(within(name, package) for package in allowed)]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_same_files_as_its_neighbour(service: str) -> None:
    assert {path.name for path in (ROOT / "blueprints" / service).glob("*.py")} >= SAME_FILES


@pytest.mark.parametrize("path", LOCAL, ids=ids)
def test_local_azure_knows_nothing_of_the_app(path: Path) -> None:
    assert not [name for name in imports(path) if any(within(name, app) for app in ("blueprints", "shared", "scripts"))]


@pytest.mark.parametrize("path", DEPLOYED, ids=ids)
def test_nothing_heavy_is_imported_before_it_is_needed(path: Path) -> None:
    assert not [name for name in imports(path, top_level_only=True) if any(within(name, heavy) for heavy in HEAVY)]


@pytest.mark.parametrize("path", [p for p in DEPLOYED if "telemetry" not in p.parts], ids=ids)
def test_opencensus_stays_behind_the_telemetry_kit(path: Path) -> None:
    assert not [name for name in imports(path) if within(name, "opencensus")]


@pytest.mark.parametrize("path", [p for p in LOCAL if "insights" not in p.parts] + DEPLOYED, ids=ids)
def test_the_telemetry_database_stays_inside_its_part(path: Path) -> None:
    assert not [name for name in imports(path) if within(name, "duckdb") or within(name, "duckdb_kql")]
