"""Physical ranges: each holds the items whose effective partition keys lie between its bounds, and counts its changes.

Bounds are cut from the space of the hash, and written as effective partition keys. A range that is split is replaced
by two: they take its items, its changes and its count with them, so whoever has read its change feed up to some place
goes on from there in both. Source: "Change feed in Azure Cosmos DB", "Partitioning and horizontal scaling".
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from localazure.cosmos.items import Item, Version
from localazure.cosmos.ranges import SPACE, Span, cut, effective


@dataclass
class PhysicalRange:
    """From the cut `low` up to, but without, `high`, in a container with this version of the hash.

    `feed` has every version once written, oldest first; the outdated ones are skipped. `by_rid` and `rids` are in the
    order of creation; `rids` may name items that are gone. `versions` are all changes, where the container keeps them.
    """

    number: int
    low: int
    high: int
    hash_version: int
    parents: tuple[int, ...] = ()
    lsn: int = 0
    feed: list[Item] = field(default_factory=list)
    outdated: int = 0
    by_rid: dict[int, Item] = field(default_factory=dict)
    rids: list[int] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.span = Span(cut(self.low, self.hash_version), cut(self.high, self.hash_version))

    @property
    def id(self) -> str:
        return str(self.number)

    def load(self, items: Iterable[Item]) -> None:
        """Fill an empty range."""
        self.feed = sorted(items, key=lambda item: (item.lsn, item.etag))
        for item in sorted(self.feed, key=lambda item: item.rid):
            self.rids.append(item.rid)
            self.by_rid[item.rid] = item

    def put(self, item: Item) -> None:
        """Make `item` the present version of its number."""
        if item.rid in self.by_rid:
            self.outdated += 1
        else:
            self.rids.append(item.rid)
        self.by_rid[item.rid] = item
        self.feed.append(item)
        self._compact()

    def drop(self, item: Item) -> None:
        del self.by_rid[item.rid]
        self.outdated += 1
        self._compact()

    def present(self, item: Item) -> bool:
        """Whether this version is still the item's last."""
        return self.by_rid.get(item.rid) is item

    def since(self, rid: int) -> Iterator[Item]:
        """The items from this number on, in the order of creation."""
        for place in range(bisect_left(self.rids, rid), len(self.rids)):
            item = self.by_rid.get(self.rids[place])
            if item is not None:
                yield item

    def after(self, lsn: int) -> Iterator[Item]:
        """The last versions of what changed after `lsn`, in that order."""
        start = bisect_right(self.feed, lsn, key=lambda item: item.lsn)
        for place in range(start, len(self.feed)):
            item = self.feed[place]
            if self.present(item):
                yield item

    def versions_after(self, lsn: int) -> Iterator[Version]:
        """All changes after `lsn`, in their order."""
        start = bisect_right(self.versions, lsn, key=lambda version: version.lsn)
        return (self.versions[place] for place in range(start, len(self.versions)))

    def halves(self, numbers: tuple[int, int]) -> tuple[PhysicalRange, PhysicalRange]:
        """The two ranges, with these numbers, that replace this one."""
        middle = (self.low + self.high) // 2
        parents = (*self.parents, self.number)
        left = PhysicalRange(numbers[0], self.low, middle, self.hash_version, parents, self.lsn)
        right = PhysicalRange(numbers[1], middle, self.high, self.hash_version, parents, self.lsn)
        border = right.span.least
        items = list(self.by_rid.values())
        lower = {item.rid for item in items if effective(item.key, self.hash_version) < border}
        left.load(item for item in items if item.rid in lower)
        right.load(item for item in items if item.rid not in lower)
        for version in self.versions:
            half = left if effective(version.key, self.hash_version) < border else right
            half.versions.append(version)
        return left, right

    def _compact(self) -> None:
        if self.outdated > 1000 and self.outdated * 2 > len(self.feed):
            self.feed = [item for item in self.feed if self.present(item)]
            self.rids = list(self.by_rid)
            self.outdated = 0


def fresh(count: int, hash_version: int) -> list[PhysicalRange]:
    """The ranges of a new container: as many as asked for, of the same size."""
    cuts = [SPACE * place // count for place in range(count + 1)]
    return [PhysicalRange(number, cuts[number], cuts[number + 1], hash_version) for number in range(count)]


def holding(ranges: Sequence[PhysicalRange], key: str) -> PhysicalRange:
    """The one of these ranges, which are in order, that holds a partition key."""
    if len(ranges) == 1:
        return ranges[0]
    place = bisect_right(ranges, effective(key, ranges[0].hash_version), key=lambda each: each.span.least)
    return ranges[place - 1]
