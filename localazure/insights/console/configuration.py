"""What the console is told of the app: what its items are about, where else to look for that, and saved queries.

The file (option `console`) is JSON:

    {"subject": {"title": "Tickets", "dimension": "ticket_id"},
     "lookups": [{"title": "guest", "database": "…", "container": "…", "query": "SELECT VALUE …"}],
     "measures": [{"dimension": "charge", "unit": "RU", "sum": true},
                  {"dimension": "queue_ms", "unit": "ms", "wait": true}]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,149}")
MAX_QUERY = 64 * 1024
"""Bytes of a saved query: as long as a query may be."""
MAX_QUERIES = 200


@dataclass(frozen=True)
class Lookup:
    """A query of Cosmos DB whose partition is the text that is searched for, and which gives subjects."""

    title: str
    database: str
    container: str
    query: str


@dataclass(frozen=True)
class Measure:
    """A number among a span's custom dimensions. `sum`: a trace has a total of it; `wait`: time before it began."""

    dimension: str
    unit: str
    sum: bool = False
    wait: bool = False


@dataclass(frozen=True)
class SavedQuery:
    """One query of a file; its first comment says what it is for."""

    name: str
    about: str
    text: str


@dataclass(frozen=True)
class Configuration:
    """`dimension` is empty where items are found by their trace alone."""

    title: str = "Traces"
    dimension: str = ""
    lookups: tuple[Lookup, ...] = ()
    measures: tuple[Measure, ...] = ()


def read(file: str) -> Configuration:
    """The configuration in a file, or that of nobody. Raises ValueError, naming what is wrong."""
    if not file:
        return Configuration()
    try:
        document = json.loads(Path(file).read_text(encoding="utf-8"))
        subject = document.get("subject", {})
        found = Configuration(
            title=str(subject.get("title", "Traces")),
            dimension=_named(subject.get("dimension", "")),
            lookups=tuple(Lookup(**_texts(entry)) for entry in document.get("lookups", ())),
            measures=tuple(
                Measure(**{**entry, "dimension": _named(entry["dimension"])}) for entry in _measures(document)
            ),
        )
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as exc:
        raise ValueError(f"{file} does not say what the console shows: {exc}") from exc
    return found


def saved_queries(directory: str) -> list[SavedQuery]:
    """The queries in the `.kql` files of a directory and those below it, by name. One too large is left out."""
    if not directory:
        return []
    root = Path(directory)
    files = sorted(root.rglob("*.kql"))[:MAX_QUERIES]
    return [_saved(root, file) for file in files if file.stat().st_size <= MAX_QUERY]


def _saved(root: Path, file: Path) -> SavedQuery:
    text = file.read_text(encoding="utf-8", errors="replace")
    first = next(iter(text.splitlines()), "")
    about = first.removeprefix("//").strip() if first.startswith("//") else ""
    return SavedQuery(str(file.relative_to(root).with_suffix("")), about, text)


def _measures(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(entry) for entry in document.get("measures", ())]


def _texts(entry: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in entry.items()}


def _named(text: Any) -> str:
    """A custom dimension's name, or none."""
    if text and not (isinstance(text, str) and _NAME.fullmatch(text)):
        raise ValueError(f"{text!r} is not the name of a custom dimension")
    return str(text)
