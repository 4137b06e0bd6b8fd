"""How many instances an app wants, as target-based scaling decides: by how much waits for it, and by no forecast.

Pure: what waits, what runs and the time come in, the number of instances goes out.
Sources: "Target-based scaling" (the length by the target; four instances at a time; the functions that want more are
added up, and go before those that want fewer) and `DurableTaskTargetScaler` of the Durable extension.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

STEP_OUT = 4
"""Instances that one decision adds at most."""
STEP_IN = 1
"""Instances that one decision takes away. Azure tells no figure: an instance that goes is cheap to keep a while."""
QUIET = 60.0
"""Seconds that fewer must have been enough before one goes: a queue that is empty for a moment is no reason."""


@dataclass(frozen=True)
class Source:
    """What waits at one trigger: messages, unread changes, work items."""

    group: str
    """Whose it is: a function's name. Of the sources of one group the one that needs the most counts."""
    length: int
    target: int
    """How much of it one instance takes at a time: `maxConcurrentCalls`, `maxItemsPerInvocation`, …"""
    most: int | None = None
    """Instances that can share it at all: the leases of a feed, the partitions of a task hub."""


@dataclass(frozen=True)
class Bounds:
    """How few and how many instances there may be."""

    least: int = 1
    most: int = 20


@dataclass(frozen=True)
class State:
    """What there is, and since when fewer would do."""

    instances: int
    fewer_since: float | None = None


def wanted(sources: Iterable[Source]) -> dict[str, int]:
    """Instances by group, without bounds: enough for the source of each that needs the most."""
    found: dict[str, int] = {}
    for source in sources:
        count = -(-max(0, source.length) // max(1, source.target))
        count = count if source.most is None else min(count, source.most)
        found[source.group] = max(found.get(source.group, 0), count)
    return found


def desired(sources: Iterable[Source], instances: int) -> int:
    """Instances of an app that has so many: what its groups want more is added up; without such, the largest want."""
    counts = wanted(sources).values()
    more = sum(count - instances for count in counts if count > instances)
    return instances + more if more else max(counts, default=0)


def decide(state: State, want: int, bounds: Bounds, now: float) -> State:
    """One decision: out at once, a few at a time; in by one, after it has been quiet."""
    want = min(max(want, bounds.least), bounds.most)
    if want >= state.instances:
        return State(min(want, state.instances + STEP_OUT))
    if state.fewer_since is None:
        return replace(state, fewer_since=now)
    if now - state.fewer_since < QUIET:
        return state
    return State(max(want, state.instances - STEP_IN), now)
