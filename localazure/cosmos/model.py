"""Databases, containers and items, as the engine holds them: all in memory, each change first in the file."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from localazure.cosmos.charges import IndexingPolicy
from localazure.cosmos.errors import BadRequest
from localazure.cosmos.ranges import Span
from localazure.cosmos.sql.values import UNDEFINED

NONE_KEY = "[{}]"
"""The partition key of items that have no such property, as it stands in the header."""


@dataclass(frozen=True)
class Part:
    """The part of a container that a reader asks for: a partition key, a span of effective keys, or (without) all."""

    key: str | None = None
    span: Span | None = None


WHOLE = Part()


@dataclass(frozen=True)
class Item:
    """One version of a document. `text` is what a reader is given, system properties and all.

    `rid` is the LSN of the item's creation: later versions keep it, and scans go by it. `ttl` is the document's own.
    """

    key: str
    id: str
    lsn: int
    rid: int
    etag: str
    ts: int
    ttl: int | None
    text: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """The parsed document; not to be changed."""
        value: dict[str, Any] = json.loads(self.text)
        return value


@dataclass
class Container:
    """One container. `feed` has every version once written, oldest first; the outdated ones are skipped.

    Partitions, `by_rid` and `rids` are in the order of creation; `rids` may name items that are gone.
    """

    number: int
    database: str
    spec: dict[str, Any]
    lsn: int = 0
    items: dict[str, dict[str, Item]] = field(default_factory=dict)
    feed: list[Item] = field(default_factory=list)
    outdated: int = 0
    by_rid: dict[int, Item] = field(default_factory=dict)
    rids: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        paths = self.spec["partitionKey"]["paths"]
        if len(paths) != 1:
            raise BadRequest("hierarchical partition keys are not supported by the local server")
        self.path: str = paths[0]
        self.hash_version = int(self.spec["partitionKey"].get("version", 1))
        self.steps = tuple(step.strip('"') for step in self.path.strip("/").split("/"))
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
        for step in self.steps:
            value = value.get(step, UNDEFINED) if isinstance(value, dict) else UNDEFINED
        return NONE_KEY if value is UNDEFINED else canonical([value])

    def get(self, key: str, item_id: str, now: float) -> Item | None:
        item = self.items.get(key, {}).get(item_id)
        return item if item is not None and self.alive(item, now) else None

    def alive(self, item: Item, now: float) -> bool:
        """Whether the item has not expired, by its own TTL or else the container's; without the latter none does."""
        if self.ttl is None:
            return True
        ttl = self.ttl if item.ttl is None else item.ttl
        return ttl == -1 or item.ts + ttl > now

    def load(self, items: Iterable[Item]) -> None:
        """Fill an empty container."""
        self.feed = sorted(items, key=lambda item: item.lsn)
        for item in sorted(self.feed, key=lambda item: item.rid):
            self._place(item)

    def put(self, item: Item) -> None:
        """Make `item` the present version."""
        present = self.items.get(item.key, {}).get(item.id)
        if present is not None:
            self.outdated += 1
            if present.rid != item.rid:
                self._displace(present)
        self._place(item)
        self.feed.append(item)
        self._compact()

    def drop(self, key: str, item_id: str) -> None:
        self._displace(self.items[key][item_id])
        self.outdated += 1
        self._compact()

    def _place(self, item: Item) -> None:
        if item.rid not in self.by_rid:
            self.rids.append(item.rid)
        self.by_rid[item.rid] = item
        self.items.setdefault(item.key, {})[item.id] = item

    def _displace(self, item: Item) -> None:
        partition = self.items[item.key]
        del partition[item.id]
        if not partition:
            del self.items[item.key]
        del self.by_rid[item.rid]

    def present(self, item: Item) -> bool:
        """Whether this version is still the item's last."""
        return self.items.get(item.key, {}).get(item.id) is item

    def after(self, lsn: int, now: float, part: Part) -> Iterator[Item]:
        """The last versions of what changed after `lsn` in the part, in that order."""
        start = bisect_right(self.feed, lsn, key=lambda item: item.lsn)
        for place in range(start, len(self.feed)):
            item = self.feed[place]
            if self.present(item) and self.alive(item, now) and self.within(item, part):
                yield item

    def within(self, item: Item, part: Part) -> bool:
        if part.key is not None and item.key != part.key:
            return False
        return part.span is None or part.span.holds(item.key, self.hash_version)

    def visible(self, part: Part, now: float, since: int = 0) -> Iterator[Item]:
        """The items of a part, in the order of creation, from the rid `since` on."""
        items: Iterable[Item | None]
        if part.key is not None:
            items = (item for item in self.items.get(part.key, {}).values() if item.rid >= since)
        else:
            rids = (self.rids[place] for place in range(bisect_left(self.rids, since), len(self.rids)))
            items = map(self.by_rid.get, rids)
        for item in items:
            if item is not None and self.alive(item, now) and (part.span is None or self.within(item, part)):
                yield item

    def _compact(self) -> None:
        if self.outdated > 1000 and self.outdated * 2 > len(self.feed):
            self.feed = [item for item in self.feed if self.present(item)]
            self.rids = list(self.by_rid)
            self.outdated = 0


def canonical(key: list[Any]) -> str:
    """One text for one partition key, whoever wrote its JSON."""
    if len(key) == 1 and isinstance(key[0], float) and key[0].is_integer():
        key = [int(key[0])]
    return json.dumps(key, separators=(",", ":"), sort_keys=True)
