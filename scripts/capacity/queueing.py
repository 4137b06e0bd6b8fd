"""How long work waits for a server, by Erlang's formula and by a simulation that checks it; and an order's way."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from shared.messaging.triggers import FEED_POLL_MS
from shared.recovery import QUEUE_POLLING_SECONDS


@dataclass(frozen=True)
class Wait:
    """The share of the work that waits at all, and the mean wait of all work, in seconds."""

    share: float
    mean: float


def erlang(rate: float, service: float, servers: int) -> Wait:
    """M/M/c: `rate` arrivals a second at random, `service` seconds each on average, for so many servers.

    Erlang's formula C by its recursion over B, which does not overflow. Raises ValueError where the load is too much.
    """
    load = rate * service
    if load >= servers:
        raise ValueError(f"{servers} servers cannot carry a load of {load:g}")
    *_, blocked = accumulate(range(1, servers + 1), lambda b, c: load * b / (c + load * b), initial=1.0)
    share = blocked / (1 - load / servers * (1 - blocked))
    return Wait(share, share * service / (servers - load))


def simulate(rate: float, service: float, servers: int, arrivals: int, seed: int) -> Wait:
    """The same by playing it: first come, first served."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    free = [0.0] * servers
    now = waited = 0.0
    waiting = 0
    for _ in range(arrivals):
        now += chance.expovariate(rate)
        begins = max(now, heapq.heappop(free))
        waiting += begins > now
        waited += begins - now
        heapq.heappush(free, begins + chance.expovariate(1 / service))
    return Wait(waiting / arrivals, waited / arrivals)


@dataclass(frozen=True)
class Stages:
    """What an order passes: seconds of work at each function, and of a hop over the broker."""

    work: float
    hop: float = 0.02


def confirmed(stages: Stages, orders: int, seed: int) -> list[float]:
    """Seconds from an order to its confirmation, sorted.

    It passes a change feed that is looked at every so often, two services at the same time, the slower one's feed, and
    a queue of Durable at the pace of an idle hub.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation
    poll = FEED_POLL_MS / 1000

    def work() -> float:
        return chance.expovariate(1 / stages.work)

    def relayed() -> float:
        """From a write to the handler of its event: the feed's next look, the relay, the broker, the handler."""
        return chance.uniform(0, poll) + work() + stages.hop + work()

    def heard() -> float:
        """From an event to the saga's next episode."""
        return chance.uniform(0, QUEUE_POLLING_SECONDS) + work()

    return sorted(work() + relayed() + max(relayed(), relayed()) + heard() + work() for _ in range(orders))


def percentile(values: Sequence[float], share: float) -> float:
    """Of sorted values, the nearest rank."""
    return values[max(0, min(len(values) - 1, round(share * len(values)) - 1))]
