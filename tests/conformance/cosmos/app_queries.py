"""The app's own queries, taken from its modules: every string that begins with SELECT, or is a condition."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
FILES = sorted([*ROOT.glob("blueprints/*/*store.py"), *ROOT.glob("shared/**/*.py")])
_CONDITION = re.compile(r"(?: AND )?(c\.[\w.]+ (?:=|!=|<|<=|>|>=|IN|LIKE|IS) .+|[A-Z_]+\(c\..+)")


def app_queries() -> list[str]:
    """Whole queries: what is filled in is a number, a condition or nothing, as the place asks for."""
    found: set[str] = set()
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if id(node) not in inside and (text := _text(node)) is not None:
                condition = _CONDITION.fullmatch(text)
                if text.startswith("SELECT "):
                    found.add(text)
                elif condition is not None:
                    found.add(f"SELECT * FROM c WHERE {condition[1]}")
    return sorted(found)


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    text = ""
    for part in node.values:
        text += str(part.value) if isinstance(part, ast.Constant) else _filled(text)
    return text


def _filled(before: str) -> str:
    if before.endswith("TOP "):
        return "5"
    if before.endswith(("= ", "< ", "> ")):
        return "0"
    return "c.filled = @filled" if before.endswith(("WHERE ", "AND ", "OR ")) else ""
