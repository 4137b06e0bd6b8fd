"""The use cases of one service at a time, against real servers: Cosmos DB, Service Bus and the providers.

Each test runs twice: on containers of one physical range, and on containers of several that are split meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from blueprints.payments import provider
from blueprints.shipping import provider as carriers
from localazure import cosmos, easypost, servicebus, stripe
from localazure.cosmos import EMULATOR_KEY
from localazure.part import Config
from localazure.servicebus.wire import ServiceBusServer
from localazure.testing import serving
from shared.clock import timestamp
from shared.contracts.event import Event, EventData, make_event
from shared.contracts.orders import Line, OrderCancelled, OrderConfirmed, OrderPlaced
from shared.messaging import publisher
from shared.money import Money
from shared.persistence import cosmos as client
from shared.persistence.cosmos import Container
from tests.splitting import SEVERAL, app_containers, splitting

ROOT = Path(__file__).parents[3]
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="session", params=[1, SEVERAL], ids=["one range", "ranges that split"])
def addresses(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """One server of each kind for all tests; each test has orders and products of its own."""
    containers = {"containers": str(ROOT / "infra" / "cosmos.json"), "ranges": str(request.param)}
    entities = {"entities": str(ROOT / "infra" / "servicebus.json")}
    with (
        serving(cosmos.PART, Config(options=containers)) as database,
        serving(servicebus.PART, Config(options=entities)) as bus,
        serving(stripe.PART) as payments,
        serving(easypost.PART) as parcels,
        splitting(database.url, app_containers() if request.param > 1 else []),
    ):
        assert isinstance(bus, ServiceBusServer)
        yield {
            "cosmos": database.url,
            "servicebus": bus.connection_string,
            "stripe": payments.url,
            "easypost": parcels.url,
        }


@pytest.fixture(autouse=True)
async def connected(addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setenv("COSMOS_CONNECTION", f"AccountEndpoint={addresses['cosmos']}/;AccountKey={EMULATOR_KEY};")
    monkeypatch.setenv("SERVICEBUS_CONNECTION", addresses["servicebus"])
    monkeypatch.setenv("STRIPE_API_BASE", addresses["stripe"])
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_local")
    monkeypatch.setenv("STRIPE_TIMEOUT_SECONDS", "5")
    monkeypatch.setenv("EASYPOST_API_BASE", f"{addresses['easypost']}/v2")
    monkeypatch.setenv("EASYPOST_API_KEY", "EZTK_local")
    monkeypatch.setenv("EASYPOST_WEBHOOK_SECRET", "easypost_local")
    monkeypatch.setenv("EASYPOST_TIMEOUT_SECONDS", "5")
    yield
    await provider.close()
    carriers.close()
    await publisher.close()
    await client.close()


class Story:
    """One order's events, as the orders service would tell them."""

    def __init__(self, order_id: str, lines: list[Line], payment_method: str = "pm_card_visa") -> None:
        self.order_id = order_id
        total = Money(500, "GBP")
        self.placed = OrderPlaced(
            order_id=order_id, customer_id="customer", lines=lines, total=total, payment_method=payment_method
        )
        self.confirmed = OrderConfirmed(order_id=order_id, total=total, customer_id="customer", lines=lines)
        self.cancelled = OrderCancelled(order_id=order_id, reason="timed_out")

    def event(self, data: EventData, version: int = 1) -> Event:
        return make_event(
            data, source="orders", subject=self.order_id, version=version, time=timestamp(),
            traceparent=TRACEPARENT,
        )  # fmt: skip


async def traceparents(container: Container, key: str) -> list[str]:
    """Where the events in the outbox of `key` were told, in the order of their versions."""
    query = "SELECT VALUE c.event FROM c WHERE c.kind = 'outbox'"
    events: list[Any] = [event async for event in container.query(query, {}, key=key)]
    return [event["traceparent"] for event in sorted(events, key=lambda event: event["version"])]


async def told(container: Container, key: str) -> list[str]:
    """The types of the events in the outbox of `key`, in the order they were written."""
    query = "SELECT VALUE c.event FROM c WHERE c.kind = 'outbox'"
    found = [event async for event in container.query(query, {}, key=key)]
    return [
        event["type"].removeprefix("commerce.").removesuffix(".v1")
        for event in sorted(found, key=lambda e: e["version"])
    ]


async def intents(address: str, order_id: str) -> list[dict[str, Any]]:
    """What the provider has on its books for the order."""
    async with aiohttp.ClientSession() as session, session.get(f"{address}/_local/ledger") as answer:
        books = json.loads(await answer.text())["intents"]
    return [intent for intent in books if intent["metadata"].get("order_id") == order_id]
