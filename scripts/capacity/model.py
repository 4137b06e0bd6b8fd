"""What a rate of orders needs of each resource. Arithmetic alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from scripts.capacity.data import Figures
from shared.messaging.triggers import FEED_POLL_MS

UTILISATION = 0.7
"""Of a processor, above which waiting grows faster than the load (see queueing.py)."""
HEADROOM = 0.8
"""Of a partition's request units: keys never spread quite evenly."""
CHECKPOINT_UNITS = 10.0
"""What one checkpoint of a change feed costs: a write of the lease."""
PARTITIONS = 4
"""Durable's control queues where host.json names no other number."""
QUEUE_REQUESTS = 3
"""Requests of the storage account for one message of a queue: put, get, delete."""
EPISODE_REQUESTS = 2
"""For one episode: the batch of history, and the instance's row."""


@dataclass(frozen=True)
class Model:
    """Figures of one order against Azure's limits."""

    figures: Figures
    limits: Mapping[str, float]

    # Cosmos DB

    def checkpoints(self, service: str, rate: float) -> float:
        """Request units a second: a checkpoint for each change as long as they come one by one, then one for each look.

        A feed of several ranges looks at each of them.
        """
        changes = rate * self._of("feed_items")[service]
        looks = 1000 / FEED_POLL_MS * max(1, self.ranges(service, rate))
        return CHECKPOINT_UNITS * min(changes, looks)

    def ranges(self, service: str, rate: float) -> int:
        """Physical partitions of the container that the feed reads, the service's busiest."""
        return ceil(self.hottest_container(service, rate) / (self.limits["cosmos-partition"] * HEADROOM))

    def hottest_container(self, service: str, rate: float) -> float:
        """Request units a second of the service's busiest container."""
        own = self._of("request_units")
        return rate * max(units for name, units in own.items() if name.startswith(f"{service}/"))

    def request_units(self, rate: float) -> dict[str, float]:
        """Database → request units a second."""
        services = self._of("feed_items")
        reads = rate * float(self.figures.per_order["feed_reads"]) / len(services)
        return {
            service: sum(
                rate * units for name, units in self._of("request_units").items() if name.startswith(f"{service}/")
            )
            + self.checkpoints(service, rate)
            + reads
            for service in services
        }

    def hottest(self) -> tuple[str, float]:
        """The container that takes most of one order, and its request units."""
        return max(self._of("request_units").items(), key=lambda each: each[1])

    def best_seller(self, rate: float, share: float | None = None) -> float:
        """Request units a second of the stock item that a share of the orders holds."""
        part = self.figures.best_seller_share if share is None else share
        return rate * part * self._of("request_units")["inventory/stock"]

    def partitions(self, rate: float) -> int:
        """Physical partitions of all containers."""
        usable = self.limits["cosmos-partition"] * HEADROOM
        return sum(max(1, ceil(rate * units / usable)) for units in self._of("request_units").values())

    # Service Bus

    def credits(self, rate: float) -> float:
        """Of the Standard tier: a message sent, each rule that it is held against, and a message received."""
        events = self._of("events")
        looked = sum(count * self.figures.filters[topic] for topic, count in events.items())
        return rate * (sum(events.values()) + looked + float(self.figures.per_order["delivered"]))

    def messaging_units(self, rate: float) -> int:
        """Of the Premium tier; they come in powers of two, in up to four partitions."""
        wanted = self.bytes_sent(rate) / self.limits["service-bus-premium-bytes"]
        return next((units for units in (1, 2, 4, 8, 16, 32, 64) if units >= wanted), ceil(wanted))

    def bytes_sent(self, rate: float) -> float:
        order = self.figures.per_order
        return rate * float(order["event_bytes"]) * (sum(self._of("events").values()) + float(order["delivered"]))

    # Durable

    def storage_requests(self, rate: float) -> float:
        """Of the orders app's account: a message for each episode and each activity, and what an episode writes."""
        episodes, activities = float(self.figures.per_order["episodes"]), float(self.figures.per_order["activities"])
        return rate * (QUEUE_REQUESTS * (episodes + activities) + EPISODE_REQUESTS * episodes)

    # Functions

    def instances(self, rate: float) -> dict[str, int]:
        """Group → instances of one core. HTTP scales together, Durable together, each other function by itself."""
        return {name: max(1, ceil(cores / UTILISATION)) for name, cores in self.cores(rate).items()}

    def cores(self, rate: float) -> dict[str, float]:
        """Group → cores that are busy; processor time is shared out by invocations."""
        invocations = self._of("invocations")
        each = float(self.figures.per_order["processor_seconds"]) / sum(invocations.values())
        return {name: rate * count * each for name, count in invocations.items()}

    def feed_instances(self, service: str, rate: float) -> float:
        """Instances that the service's relay wants for each that it can have: one for a physical partition."""
        return self.cores(rate)[f"{service}_feed"] / UTILISATION / self.ranges(service, rate)

    def of_app(self, service: str, rate: float) -> int:
        """Instances of all groups of one Function App."""
        return sum(count for name, count in self.instances(rate).items() if name.startswith(service))

    def _of(self, name: str) -> Mapping[str, float]:
        found: Mapping[str, float] = self.figures.per_order[name]
        return found
