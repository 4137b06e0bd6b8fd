"""The arithmetic of measuring: percentiles, differences of counters, rates. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

PERCENTILES = (50, 95, 99)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` percent of `values` do not exceed (nearest rank).

    Raises ValueError without values, or for a share outside 0 to 100.
    """
    if not values:
        raise ValueError("there is no percentile of nothing")
    if not 0 <= share <= 100:
        raise ValueError(f"a percentile is from 0 to 100, not {share:g}")
    rank = max(1, math.ceil(len(values) * share / 100))
    return sorted(values)[rank - 1]


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """`{"p50": …, "p95": …, "p99": …}`; `None` for each where there are no values."""
    return {f"p{share}": round(percentile(values, share), 1) if values else None for share in PERCENTILES}


def ratio(one: float | None, other: float | None) -> float | None:
    """How many times `other` goes into `one`; `None` where there is no answer."""
    return round(one / other, 3) if one is not None and other else None


def rate(count: int, seconds: float) -> float:
    """So many a second. Raises ValueError for no time at all."""
    if seconds <= 0:
        raise ValueError("a rate needs a time")
    return round(count / seconds, 1)


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """By how much each counter moved; those that did not move are left out.

    Raises ValueError for one that went backwards: someone reset it meanwhile, and the measurement is void.
    """
    moved = {name: value - before.get(name, 0) for name, value in after.items()}
    if backwards := [name for name, by in moved.items() if by < 0] + [name for name in before if name not in after]:
        raise ValueError(f"counters went backwards: {', '.join(sorted(backwards))}")
    return {name: by for name, by in moved.items() if by}


def each(counters: Mapping[str, float], count: int) -> dict[str, float]:
    """The counters' share of one out of `count`."""
    return {name: round(value / count, 2) for name, value in sorted(counters.items())}


def summed(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Values added up by name."""
    totals: Counter[str] = Counter()
    for name, value in pairs:
        totals[name] += value  # type: ignore[assignment]  # a Counter of floats counts as well
    return dict(totals)
