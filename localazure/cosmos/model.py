"""Databases, containers and items, as the engine holds them: all in memory, each change first in the file."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from localazure.cosmos.charges import IndexingPolicy
from localazure.cosmos.errors import BadRequest
from localazure.cosmos.sql.values import UNDEFINED

NONE_KEY = "[{}]"
"""The partition key of items that have no such property, as it stands in the header."""


@dataclass(frozen=True)
class Item:
    """One version of a document. `text` is what a reader is given, system properties and all."""

    key: str
    id: str
    lsn: int
    etag: str
    ts: int
    expires: float | None
    text: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """The parsed document; not to be changed."""
        value: dict[str, Any] = json.loads(self.text)
        return value

    def visible(self, now: float) -> bool:
        return self.expires is None or self.expires > now


@dataclass
class Container:
    """One container. `feed` has every version once written, oldest first; the outdated ones are skipped."""

    number: int
    database: str
    spec: dict[str, Any]
    lsn: int = 0
    items: dict[str, dict[str, Item]] = field(default_factory=dict)
    feed: list[Item] = field(default_factory=list)
    outdated: int = 0

    def __post_init__(self) -> None:
        paths = self.spec["partitionKey"]["paths"]
        if len(paths) != 1:
            raise BadRequest("hierarchical partition keys are not supported by the local server")
        self.path: str = paths[0]
        self._steps = [step.strip('"') for step in self.path.strip("/").split("/")]
        self.indexing = IndexingPolicy(self.spec.get("indexingPolicy"))
        self.ttl: int | None = self.spec.get("defaultTtl")
        unique = (self.spec.get("uniqueKeyPolicy") or {}).get("uniqueKeys", [])
        self.unique: list[list[str]] = [entry["paths"] for entry in unique]

    @property
    def id(self) -> str:
        return str(self.spec["id"])

    def key_of(self, document: dict[str, Any]) -> str:
        """The document's partition key, as it stands in the header."""
        value: Any = document
        for step in self._steps:
            value = value.get(step, UNDEFINED) if isinstance(value, dict) else UNDEFINED
        return NONE_KEY if value is UNDEFINED else canonical([value])

    def get(self, key: str, item_id: str, now: float) -> Item | None:
        item = self.items.get(key, {}).get(item_id)
        return item if item is not None and item.visible(now) else None

    def put(self, item: Item) -> None:
        """Make `item` the present version."""
        partition = self.items.setdefault(item.key, {})
        if item.id in partition:
            self.outdated += 1
        partition[item.id] = item
        self.feed.append(item)
        self._compact()

    def drop(self, key: str, item_id: str) -> None:
        partition = self.items[key]
        del partition[item_id]
        if not partition:
            del self.items[key]
        self.outdated += 1
        self._compact()

    def present(self, item: Item) -> bool:
        """Whether this version is still the item's last."""
        return self.items.get(item.key, {}).get(item.id) is item

    def after(self, lsn: int, now: float) -> Iterator[Item]:
        """The last versions of what changed after `lsn`, in that order."""
        start = bisect_right(self.feed, lsn, key=lambda item: item.lsn)
        for place in range(start, len(self.feed)):
            item = self.feed[place]
            if self.present(item) and item.visible(now):
                yield item

    def visible(self, key: str | None, now: float) -> Iterator[Item]:
        """The items of one partition or, for `None`, of all."""
        partitions = self.items.values() if key is None else [self.items.get(key, {})]
        for partition in partitions:
            for item in partition.values():
                if item.visible(now):
                    yield item

    def _compact(self) -> None:
        if self.outdated > 1000 and self.outdated * 2 > len(self.feed):
            self.feed = [item for item in self.feed if self.present(item)]
            self.outdated = 0


def canonical(key: list[Any]) -> str:
    """One text for one partition key, whoever wrote its JSON."""
    if len(key) == 1 and isinstance(key[0], float) and key[0].is_integer():
        key = [int(key[0])]
    return json.dumps(key, separators=(",", ":"), sort_keys=True)
