"""What a change feed shows, as it was written: the one place where the trigger's rewriting of dates is undone.

The Cosmos DB trigger of the Functions host parses the documents with Newtonsoft.Json, which takes every text that is
a full ISO 8601 date-time for a date and writes it in its own form: `…45.920Z` arrives as `…45.92Z`, `….000Z` as `…Z`,
and a time with an offset in the host's zone. Our own times are all written by `shared.clock.timestamp`: their form can
be restored. The form of free text that is exactly a date-time is lost: what must arrive as it was written may not lie
bare in a document whose feed is read. That is why the outbox holds an event's data as JSON text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared.clock import parse_timestamp, timestamp
from shared.persistence.cosmos import Document

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def as_written(documents: Iterable[Mapping[str, Any]]) -> list[Document]:
    """The documents of one batch, every date-time in the form of `shared.clock.timestamp`."""
    return [{name: _restored(value) for name, value in document.items()} for document in documents]


def _restored(value: Any) -> Any:
    if isinstance(value, str):
        return _canonical(value)
    if isinstance(value, dict):
        return {name: _restored(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_restored(member) for member in value]
    return value


def _canonical(text: str) -> str:
    if _DATE_TIME.fullmatch(text) is None:
        return text
    try:
        return timestamp(parse_timestamp(text))
    except (ValueError, OverflowError):
        return text
