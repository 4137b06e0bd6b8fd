"""The limits, and the rate of orders at which each is met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from scripts.capacity.model import HEADROOM, PARTITIONS, UTILISATION, Model

MAX_RATE = 1e6
"""Orders a second beyond which nobody looks for a limit."""


@dataclass(frozen=True)
class Gate:
    """One limit: what `rate` orders a second need of it, and how much there is."""

    name: str
    needs: Callable[[float], float]
    has: float
    unit: str
    change: str

    def met_at(self) -> float:
        """Orders a second; `needs` grows with the rate."""
        low, high = 0.0, MAX_RATE
        while high - low > max(1e-3, low * 1e-4):
            middle = (low + high) / 2
            low, high = (middle, high) if self.needs(middle) <= self.has else (low, middle)
        return low


def gates(model: Model) -> list[Gate]:
    """Every limit, the one that is met first before the others."""
    limit, order = model.limits, model.figures.per_order
    container, _ = model.hottest()
    durable = "orders: Durable"
    found = [
        Gate(
            "Service Bus Standard, credits of the namespace",
            model.credits,
            limit["service-bus-standard-credits"],
            "credits/s",
            "Premium, which has none",
        ),
        Gate(
            f"Cosmos DB serverless, the container `{container}`",
            lambda rate: model.hottest_container(container.partition("/")[0], rate),
            limit["cosmos-serverless-container"],
            "RU/s",
            "autoscale, which spreads a container over physical partitions",
        ),
        Gate(
            f"Durable on Azure Storage, {PARTITIONS} control queues",
            lambda rate: model.cores(rate)[durable] / UTILISATION,
            PARTITIONS,
            "instances",
            "`partitionCount` 16 in host.json, before the first order: it is fixed for a task hub",
        ),
        Gate(
            f"Durable on Azure Storage, {limit['durable-partitions']:.0f} control queues",
            lambda rate: model.cores(rate)[durable] / UTILISATION,
            limit["durable-partitions"],
            "instances",
            "the Durable Task Scheduler, or a task hub for each of several orders apps",
        ),
        Gate(
            "Durable on Azure Storage, requests of the account",
            model.storage_requests,
            limit["storage-account-requests"],
            "requests/s",
            "the Durable Task Scheduler, or a task hub and an account for each of several orders apps",
        ),
        Gate(
            f"Durable on Azure Storage, messages of one of {PARTITIONS} control queues",
            lambda rate: rate * float(order["episodes"]) / PARTITIONS,
            limit["storage-queue-messages"],
            "messages/s",
            "`partitionCount` 16",
        ),
        Gate(
            "Functions, instances of the orders app",
            lambda rate: model.of_app("orders", rate),
            limit["flex-instances"],
            "instances",
            "instances of 4,096 MB; several orders apps",
        ),
        Gate(
            "Application Insights, items of the component",
            lambda rate: rate * float(order["telemetry_items"]),
            limit["insights-items"],
            "items/s",
            "`TELEMETRY_SAMPLING`: 0.1 is ten times as many orders; a component for each service",
        ),
        Gate(
            "one stock item that every order holds (a flash sale)",
            lambda rate: model.best_seller(rate, 1.0),
            limit["cosmos-partition"],
            "RU/s",
            "its stock in several items (`sku#1`, `sku#2`, …), of which an order takes one by chance",
        ),
        Gate(
            f"the stock item of the best-seller, in {model.figures.best_seller_share:.0%} of the orders",
            model.best_seller,
            limit["cosmos-partition"],
            "RU/s",
            "the same",
        ),
        Gate(
            "API Management Standard, four units",
            lambda rate: rate * float(order["gateway_calls"]),
            4 * limit["gateway-calls"],
            "calls/s",
            "Premium, more units; tell shoppers (a push) what they now ask for",
        ),
        Gate(
            "Functions, cores of the subscription in a region",
            lambda rate: sum(model.cores(rate).values()) / UTILISATION,
            limit["flex-cores"],
            "cores",
            "a higher quota on request; a second region",
        ),
        Gate(
            "Service Bus Premium, messaging units of a namespace",
            lambda rate: model.bytes_sent(rate) / limit["service-bus-premium-bytes"],
            limit["service-bus-premium-units"],
            "units",
            "a namespace for each topic",
        ),
        Gate(
            f"Cosmos DB autoscale, the container `{container}`",
            lambda rate: model.hottest_container(container.partition("/")[0], rate) / HEADROOM,
            limit["cosmos-container"],
            "RU/s",
            "more on request; an account for each range of order ids",
        ),
    ]
    found += [
        Gate(
            f"the change feed of {service}: an instance for each physical partition of its container",
            partial(model.feed_instances, service),
            1.0,
            "of them",
            "more partitions than the load needs, by a higher autoscale maximum; larger instances",
        )
        for service in order["feed_items"]
    ]
    return sorted(found, key=Gate.met_at)
