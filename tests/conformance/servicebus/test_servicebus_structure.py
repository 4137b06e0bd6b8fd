"""The part's modules: none imports itself by a way round, and none is too long to be read."""

from __future__ import annotations

import ast
from pathlib import Path

import localazure.servicebus

PACKAGE = localazure.servicebus.__name__
FOLDER = Path(localazure.servicebus.__file__).parent
MODULES = {
    ".".join((PACKAGE, *path.relative_to(FOLDER).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in FOLDER.rglob("*.py")
}
LONGEST = 400


def imported(path: Path) -> set[str]:
    """What a module imports of the part at its top, for types alone too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & MODULES.keys()


def test_no_module_imports_itself_by_a_way_round() -> None:
    # the package's own `_start` imports what it starts when it starts it
    left = {name: imported(path) - {PACKAGE} for name, path in MODULES.items() if name != PACKAGE}
    while free := [name for name, wanted in left.items() if not wanted & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


def test_no_module_is_too_long() -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
