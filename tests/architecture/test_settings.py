"""A setting that is read is declared: by the service that reads it, or by the kit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from blueprints import SERVICES
from scripts import declared
from shared.settings import KIT, RECONCILIATION, TASKS, Setting
from tests.architecture.test_imports import DEPLOYED, ROOT, ids

OWN = {service.name: {*KIT, *service.settings} for service in declared.services()}
KITS = {*KIT, *RECONCILIATION, *TASKS}
READERS = {"text", "seconds", "ratio", "count", "connection"}
HOME = ROOT / "shared" / "settings.py"


def read(tree: ast.AST) -> Iterator[str]:
    """What is given to `settings().<reader>(…)`."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in READERS
            and ast.unparse(node.func.value) == "settings()"
        ):
            yield ast.unparse(node.args[0])


def environment(tree: ast.AST) -> list[str]:
    """Looks into the environment past the settings."""
    return [
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    ]


@pytest.mark.parametrize("path", [path for path in DEPLOYED if path.name != "function_app.py"], ids=ids)
def test_what_is_read_is_declared(path: Path) -> None:
    names = list(read(ast.parse(path.read_text(encoding="utf-8"))))
    parts = path.relative_to(ROOT).with_suffix("").parts
    allowed = OWN[parts[1]] if parts[0] == "blueprints" and len(parts) > 2 else KITS
    module = import_module(".".join(parts)) if names else None
    for name in names:
        setting = getattr(module, name)
        assert isinstance(setting, Setting)
        assert setting in allowed, f"{ids(path)} reads {name}, which is not declared"


@pytest.mark.parametrize("path", sorted((ROOT / "blueprints").rglob("*.py")), ids=ids)
def test_no_service_looks_into_the_environment(path: Path) -> None:
    assert environment(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_every_declared_setting_is_read_or_named_in_a_trigger() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in DEPLOYED if path.name != "declaration.py"}
    for name in SERVICES:
        for setting in OWN[name] - KITS:
            inside = [text for path, text in sources.items() if name in path.parts]
            assert any(setting.name in text for text in inside), f"nobody in {name} reads {setting.name}"


def test_the_guards_see_what_they_forbid() -> None:
    assert list(read(ast.parse("x = settings().seconds(LIMIT)"))) == ["LIMIT"]
    assert environment(ast.parse("x = os.environ['A'] or os.getenv('B')")) == ["environ", "getenv"]
