"""Databases and containers, as the engine holds them: all in memory, each change first in the file."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

from localazure.cosmos import paths, physical, rids
from localazure.cosmos.charges import IndexingPolicy
from localazure.cosmos.errors import BadRequest
from localazure.cosmos.items import NONE_KEY, Item, Version, canonical
from localazure.cosmos.physical import PhysicalRange
from localazure.cosmos.ranges import MULTI_HASH, Span, effective
from localazure.cosmos.sql.values import UNDEFINED


@dataclass(frozen=True)
class FeedRange:
    """The part of a container that a reader asks for: a partition key, a span of effective keys, or (without) all."""

    key: str | None = None
    span: Span | None = None


WHOLE = FeedRange()


@dataclass
class Container:
    """One container. Partitions are in the order of creation, and so are the items of each.

    `sequence` counts all writes ever; a write's number is its ETag, and a new item's number. `ts` is when the
    definition last changed, `revision` how often; `parent` is the number of the database.
    """

    number: int
    database: str
    spec: dict[str, Any]
    sequence: int = 0
    parent: int = 1
    ts: int = 0
    revision: int = 0
    ranges: list[PhysicalRange] = field(default_factory=list)
    items: dict[str, dict[str, Item]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        key = self.spec["partitionKey"]
        self.paths: tuple[str, ...] = tuple(key["paths"])
        self.hash_version = MULTI_HASH if key.get("kind") == "MultiHash" else int(key.get("version", 1))
        self.key_steps = tuple(paths.steps(path) for path in self.paths)
        self.indexing = IndexingPolicy(self.spec.get("indexingPolicy"))
        self.ttl: int | None = self.spec.get("defaultTtl")
        self.unique = _unique(self.spec)
        policy = self.spec.get("changeFeedPolicy") or {}
        self.retention = 60 * int(policy.get("retentionDuration") or 0)
        """Seconds for which all versions are kept; 0 for a container that keeps the last ones alone."""
        self.ranges = self.ranges or physical.fresh(1, self.hash_version)

    @property
    def id(self) -> str:
        return str(self.spec["id"])

    @cached_property
    def rid(self) -> str:
        return rids.container(self.parent, self.number)

    @cached_property
    def rid_bytes(self) -> bytes:
        return rids.container_bytes(self.parent, self.number)

    @cached_property
    def link(self) -> str:
        """The container's address by resource ids, as `_self` has it."""
        return f"dbs/{rids.database(self.parent)}/colls/{self.rid}/"

    @cached_property
    def path(self) -> str:
        """The container's address by ids, as headers have it."""
        return f"dbs/{quote(self.database)}/colls/{quote(self.id)}"

    @property
    def etag(self) -> str:
        return f'"{self.revision:08x}-0000-0000-0000-{self.number:012x}"'

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps to the partition key; none where it has several paths."""
        return self.key_steps[0] if len(self.key_steps) == 1 else ()

    def key_of(self, document: dict[str, Any]) -> str:
        """The document's partition key, as it stands in the header. Raises BadRequest for one that is not a scalar."""
        values = [paths.at(document, steps, UNDEFINED) for steps in self.key_steps]
        if any(isinstance(value, dict | list) for value in values):
            raise BadRequest("a partition key is a string, a number, a boolean or null, not an object or an array")
        if len(values) == 1:
            return NONE_KEY if values[0] is UNDEFINED else canonical(values)
        return canonical([{} if value is UNDEFINED else value for value in values])

    def get(self, key: str, item_id: str, now: float) -> Item | None:
        item = self.items.get(key, {}).get(item_id)
        return item if item is not None and self.alive(item, now) else None

    def numbered(self, rid: int, now: float) -> Item | None:
        """The item with this number."""
        for each in self.ranges:
            item = each.by_rid.get(rid)
            if item is not None:
                return item if self.alive(item, now) else None
        return None

    def text_of(self, rid: int) -> str:
        """The text of the item with this number, which must be there."""
        return next(each.by_rid[rid].text for each in self.ranges if rid in each.by_rid)

    def alive(self, item: Item, now: float) -> bool:
        """Whether the item has not expired, by its own TTL or else the container's; without the latter none does."""
        if self.ttl is None:
            return True
        ttl = self.ttl if item.ttl is None else item.ttl
        return ttl == -1 or item.ts + ttl > now

    def load(self, items: Iterable[Item]) -> None:
        """Fill an empty container."""
        shares: dict[int, list[Item]] = {each.number: [] for each in self.ranges}
        for item in sorted(items, key=lambda item: item.rid):
            shares[self.range_of(item.key).number].append(item)
            self.items.setdefault(item.key, {})[item.id] = item
        for each in self.ranges:
            each.load(shares[each.number])

    def load_versions(self, versions: Iterable[Version]) -> None:
        for version in versions:
            self.range_of(version.key).versions.append(version)

    def put(self, item: Item) -> None:
        """Make `item` the present version."""
        present = self.items.get(item.key, {}).get(item.id)
        if present is not None and present.rid != item.rid:
            self.drop(item.key, item.id)
        self.items.setdefault(item.key, {})[item.id] = item
        self.range_of(item.key).put(item)

    def drop(self, key: str, item_id: str) -> None:
        partition = self.items[key]
        item = partition.pop(item_id)
        if not partition:
            del self.items[key]
        self.range_of(key).drop(item)

    def range_of(self, key: str) -> PhysicalRange:
        """The physical range that holds a partition key."""
        return physical.holding(self.ranges, key)

    def ranges_of(self, part: FeedRange) -> Sequence[PhysicalRange]:
        """The physical ranges that a part lies in, in their order."""
        if part.key is not None:
            return [self.range_of(part.key)]
        span = part.span
        return self.ranges if span is None else [each for each in self.ranges if span.overlaps(each.span)]

    def within(self, item: Item, part: FeedRange) -> bool:
        return self.holds(item.key, part)

    def holds(self, key: str, part: FeedRange) -> bool:
        """Whether a partition key lies in the part."""
        if part.key is not None and key != part.key:
            return False
        return part.span is None or part.span.holds(key, self.hash_version)

    def after(self, each: PhysicalRange, lsn: int, now: float, part: FeedRange) -> Iterator[Item]:
        """The last versions of what changed in a physical range after `lsn` in the part, in that order."""
        every = part.key is None and (part.span is None or part.span.covers(each.span))
        for item in each.after(lsn):
            if self.alive(item, now) and (every or self.within(item, part)):
                yield item

    def visible(self, part: FeedRange, now: float, since: int = 0) -> Iterator[Item]:
        """The items of a part, in the order of creation, from the rid `since` on."""
        for item in self._found(part, since):
            if self.alive(item, now):
                yield item

    def _found(self, part: FeedRange, since: int) -> Iterable[Item]:
        if part.key is not None:
            items = (item for item in self.items.get(part.key, {}).values() if item.rid >= since)
            return items if part.span is None else (item for item in items if self.within(item, part))
        found = [self._shared(each, part.span, since) for each in self.ranges_of(part)]
        return found[0] if len(found) == 1 else heapq.merge(*found, key=lambda item: item.rid)

    def _shared(self, each: PhysicalRange, span: Span | None, since: int) -> Iterable[Item]:
        """The items of a physical range that lie in the span."""
        items = each.since(since)
        if span is None or span.covers(each.span):
            return items
        return (item for item in items if span.least <= effective(item.key, self.hash_version) < span.most)

    def replace_range(self, old: PhysicalRange, halves: Sequence[PhysicalRange]) -> None:
        place = self.ranges.index(old)
        self.ranges[place : place + 1] = halves


def _unique(spec: dict[str, Any]) -> list[list[tuple[str, ...]]]:
    """For each unique key the steps to its values."""
    keys = (spec.get("uniqueKeyPolicy") or {}).get("uniqueKeys", [])
    return [[paths.steps(path) for path in entry["paths"]] for entry in keys]
