"""Items and partition keys, as the engine holds them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

NONE_KEY = "[{}]"
"""The partition key of items that have no such property, as it stands in the header."""


@dataclass(frozen=True)
class Item:
    """One version of a document. `text` is what a reader is given, system properties and all.

    `lsn` is the number of this change among those of its physical range, `rid` the item's number in the container:
    later items have a higher one, later versions keep it, and scans go by it. `ttl` is the document's own. `parsed` is
    what `text` says, where that is known already.
    """

    key: str
    id: str
    lsn: int
    rid: int
    etag: str
    ts: int
    ttl: int | None
    text: str
    parsed: dict[str, Any] | None = field(default=None, compare=False, repr=False)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The parsed document; not to be changed."""
        value: dict[str, Any] = json.loads(self.text) if self.parsed is None else self.parsed
        return value


@dataclass(frozen=True)
class Version:
    """One change, for containers that keep all versions: `text` after it (empty after a delete), `previous` before it.

    `expired` says that a time to live made the delete.
    """

    key: str
    id: str
    lsn: int
    ts: int
    kind: str
    text: str
    previous: str
    expired: bool = False


def canonical(key: list[Any]) -> str:
    """One text for one partition key, whoever wrote its JSON."""
    whole = [int(part) if isinstance(part, float) and part.is_integer() else part for part in key]
    return json.dumps(whole, separators=(",", ":"), sort_keys=True)
