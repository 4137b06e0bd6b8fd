"""What the operator's command line prints: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

WIDEST = 60
"""Characters of a cell; the rest is in the JSON."""


def as_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(names: Sequence[str], items: Iterable[Mapping[str, Any]]) -> None:
    """One line an item; `names` are its fields, and the headings."""
    rows = [list(names), *([_cell(name, item.get(name)) for name in names] for item in items)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(names))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def one(item: Mapping[str, Any]) -> None:
    """One line a field."""
    widest = max(map(len, item))
    for name, value in item.items():
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else _plain(value)
        click.echo(f"{name.ljust(widest)}  {text}")


def _cell(name: str, value: Any) -> str:
    """An id is shown whole: it is what other commands take."""
    text = _plain(value)
    return text if len(text) <= WIDEST or name == "id" else text[: WIDEST - 1] + "…"


def _plain(value: Any) -> str:
    """Without control characters: what is shown may come from anybody's message."""
    if isinstance(value, dict):
        value = ", ".join(f"{name} {member}" for name, member in value.items() if member is not None)
    text = "–" if value is None or value == "" else str(value)
    return "".join(sign if sign.isprintable() else "�" for sign in text)
