"""The security page names a test for each of the ten risks, and those tests exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_, _, _rest = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").partition("<!-- owasp -->")
TABLE, _, _ = _rest.partition("<!-- end of owasp -->")
ROWS = re.findall(r"^\| (API\d+) [^|]+\|[^|]+\| `([^`:]+)::(\w+)` \|$", TABLE, flags=re.MULTILINE)


def test_each_of_the_ten_has_a_row() -> None:
    assert [risk for risk, _, _ in ROWS] == [f"API{number}" for number in range(1, 11)]


@pytest.mark.parametrize(("risk", "file", "name"), ROWS)
def test_the_test_that_a_row_names_exists(risk: str, file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in found, f"{risk}: {file} has no {name}"
