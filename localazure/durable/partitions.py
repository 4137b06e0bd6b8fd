"""Who reads which messages: instances are dealt to partitions by their id, and a host reads those it has a lease of.

Source: `TablePartitionManager` and `Fnv1aHashHelper` of DurableTask.AzureStorage; `AzureStorageOptions` of the Durable
extension.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

RENEW, LEASE = 10.0, 30.0
"""Seconds: how often a lease is renewed, and how long it lasts without."""
_PRIME, _BASIS = 16777619, 2166136261


@dataclass(frozen=True)
class Provider:
    """`storageProvider` of host.json, in seconds, with the extension's defaults. Raises ValueError."""

    partitions: int = 4
    control_visibility: float = 300.0
    """How long a message that a host has fetched is nobody else's, also if that host is dead."""
    work_visibility: float = 300.0
    """The same for an activity."""
    longest_poll: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.partitions <= 16:
            raise ValueError("PartitionCount must be an integer value between 1 and 16.")
        for name, value in (
            ("ControlQueueVisibilityTimeout", self.control_visibility),
            ("WorkItemQueueVisibilityTimeout", self.work_visibility),
        ):
            if not 60.0 <= value <= 3600.0:
                raise ValueError(f"{name} must be between 1 and 60 minutes.")
        if self.longest_poll <= 0:
            raise ValueError("MaxQueuePollingInterval must be non-negative.")


@dataclass(frozen=True)
class Partition:
    """One partition's lease. `owner` and `next` are runs of hosts; empty: nobody's, nobody's next."""

    number: int
    owner: str = ""
    next: str = ""


def partition_of(identifier: str, count: int) -> int:
    """Where the messages of an instance or an entity go."""
    return _hash(identifier) % count


@lru_cache(maxsize=65_536)
def _hash(identifier: str) -> int:
    found = _BASIS
    for byte in identifier.encode():
        found = (found ^ byte) * _PRIME & 0xFFFFFFFF
    return found


def wanted(table: Sequence[Partition], me: str) -> Iterator[Partition]:
    """What a host takes, and asks for, when it looks at the leases: the rows that change, as they are to be."""
    after = [Partition(row.number, me) if not row.owner and row.next in ("", me) else row for row in table]
    yield from (new for old, new in zip(table, after, strict=True) if new != old)
    yield from _asked_for(after, me)


def _asked_for(table: Sequence[Partition], me: str) -> Iterator[Partition]:
    """Leases of those who have more than their share; they give them when what runs there has ended."""
    holders = Counter(row.next or row.owner for row in table)
    mine = holders.pop(me, 0)
    share = len(table) // (len(holders) + 1)
    for holder, count in holders.items():
        excess, missing = count - share, share - mine
        if missing < 0:
            return
        if excess <= 0:
            continue
        missing = min(excess, missing or (1 if excess > 1 else 0))
        rows = [row for row in table if row.owner == holder and not row.next]
        for row in rows[:missing]:
            mine += 1
            yield replace(row, next=me)
