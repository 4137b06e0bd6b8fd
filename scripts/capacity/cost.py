"""What a month of nothing and a million orders cost by list prices, meter by meter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.capacity.model import UTILISATION, Model
from shared.recovery import QUEUE_POLLING_SECONDS, RECONCILE_EVERY_SECONDS

MILLION = 1_000_000
MONTH = 30 * 24 * 3600
"""Seconds."""
MEMORY_GB = 2.0
"""Of an instance."""
LEAST_BILLED = 1.0
"""Seconds: what an execution costs at least that has an instance to itself."""
QUEUES = 5
"""Of an idle task hub: four control queues and that of activities, each looked at every so often."""
BUSY = 10.0
"""Orders a second at which a million are reckoned: feeds are read in batches then."""


def idle(model: Model, prices: Mapping[str, Any]) -> dict[str, float]:
    """Meter → money a month, with nothing kept ready and nobody there. Gateway and logs by their tiers come on top."""
    units = model.figures.idle_request_units_per_minute * MONTH / 60
    polls = model.figures.hubs * QUEUES * MONTH / QUEUE_POLLING_SECONDS
    rounds = model.figures.timers * MONTH / RECONCILE_EVERY_SECONDS
    seconds = rounds * LEAST_BILLED * MEMORY_GB * _price(prices, "functions-gb-second")
    return {
        "Cosmos DB, reading empty feeds and renewing leases": units
        / MILLION
        * _price(prices, "cosmos-million-request-units"),
        "Service Bus Standard": _price(prices, "service-bus-month"),
        f"Storage, Durable's looks at the queues of {model.figures.hubs} task hubs": polls
        / 10_000
        * _price(prices, "storage-10000-operations"),
        f"Functions, {model.figures.timers} timers, once a minute": seconds
        + rounds / MILLION * _price(prices, "functions-million-executions"),
    }


def million_orders(model: Model, prices: Mapping[str, Any], *, packed: bool = True) -> dict[str, float]:
    """Meter → money for a million orders of one line. `packed`: instances are as busy as they may be; otherwise
    every execution has one to itself and is billed for a second.
    """
    order = model.figures.per_order
    units = sum(model.request_units(BUSY).values()) / BUSY
    operations = sum(order["events"].values()) + order["delivered"]
    executions = sum(order["invocations"].values())
    seconds = order["processor_seconds"] / UTILISATION if packed else executions * LEAST_BILLED
    beyond = max(0.0, operations - prices["service-bus-million-operations"]["included_millions"])
    return {
        f"Cosmos DB serverless, {units:.0f} request units": units * _price(prices, "cosmos-million-request-units"),
        f"Service Bus Standard, {operations:.0f} operations": beyond * _price(prices, "service-bus-million-operations"),
        f"Functions, {seconds * MEMORY_GB:.2f} GB-seconds": seconds
        * MEMORY_GB
        * MILLION
        * _price(prices, "functions-gb-second"),
        f"Functions, {executions:.0f} executions": executions * _price(prices, "functions-million-executions"),
        f"Storage, {model.storage_requests(1):.0f} requests of Durable": model.storage_requests(1)
        * MILLION
        / 10_000
        * _price(prices, "storage-10000-operations"),
        f"API Management Consumption, {order['gateway_calls']} calls": order["gateway_calls"]
        * _price(prices, "gateway-million-calls"),
        f"Application Insights, {order['telemetry_bytes'] / 1000:.0f} KB": order["telemetry_bytes"]
        * MILLION
        / 1e9
        * _price(prices, "insights-gb"),
    }


def _price(prices: Mapping[str, Any], name: str) -> float:
    return float(prices[name]["value"])
