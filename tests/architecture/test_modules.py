"""Every module can be read at one sitting, and none needs one that needs it."""

from __future__ import annotations

from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture.test_imports import ROOT, ids, imports, within

MAX_LINES = 400
"""Lines."""
MODULES = [
    ROOT / "function_app.py",
    *(
        path
        for folder in ("blueprints", "localazure", "scripts", "shared", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ),
]
CODE = [path for path in MODULES if not path.is_relative_to(ROOT / "tests")]


@cache
def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_module_needs_one_that_needs_it() -> None:
    modules = {name_of(path): path for path in CODE}
    # a package names what it offers; who is within it may take from its siblings through it
    graph = {
        name: {
            needed for needed in imports(path, top_level_only=True) if needed in modules and not within(name, needed)
        }
        for name, path in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(f"modules that need one another: {' ← '.join(exc.args[1])}")


@pytest.mark.parametrize("path", sorted(MODULES), ids=ids)
def test_a_module_can_be_read_at_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
