"""What is measured beside the spans: queues and their dead letters, what waits, and what the database throttles."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from blueprints.inventory.declaration import SERVICE
from blueprints.payments import store
from blueprints.payments.domain import Payment
from shared.errors import Transient
from shared.messaging import depths, republish
from shared.persistence.cosmos import Container
from shared.telemetry import export
from shared.telemetry.record import MetricRecord
from shared.telemetry.span import request

LABEL = "commerce.order.placed.v1"


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[MetricRecord]]:
    """What is reported, in its order."""
    found: list[MetricRecord] = []
    monkeypatch.setattr(export, "measure", found.append)
    yield found


async def test_a_subscription_is_measured_with_its_dead_letters(
    addresses: dict[str, str], measures: list[MetricRecord]
) -> None:
    async with ServiceBusClient.from_connection_string(addresses["servicebus"]) as client:
        async with client.get_topic_sender("orders") as sender:
            for _ in range(3):
                await sender.send_messages(ServiceBusMessage("-", message_id=secrets.token_hex(8), subject=LABEL))
        async with client.get_subscription_receiver("orders", "inventory") as receiver:
            messages = await receiver.receive_messages(max_message_count=1, max_wait_time=10)
            for message in messages:
                await receiver.dead_letter_message(message, reason="test")
    await depths.observe(SERVICE)
    found = {record.name: record for record in measures}
    waiting, dead = found["queue_seconds"], found["dead_letter_seconds"]
    assert (waiting.role, waiting.properties, dead.properties) == (
        "inventory",
        {"topic": "orders"},
        {"topic": "orders"},
    )
    assert (waiting.count, dead.count) >= (2, 1)
    assert 0 <= dead.least <= dead.greatest < 600
    async with (
        ServiceBusClient.from_connection_string(addresses["servicebus"]) as client,
        client.get_subscription_receiver("orders", "inventory") as receiver,
    ):
        (message,) = await receiver.receive_messages(max_message_count=1, max_wait_time=10)
        assert message.delivery_count == 0, "looking is no delivery"
        await receiver.abandon_message(message)


async def test_a_broker_that_does_not_answer_disturbs_nobody(
    monkeypatch: pytest.MonkeyPatch, measures: list[MetricRecord], caplog: pytest.LogCaptureFixture
) -> None:
    async def silent(*_: object, **__: object) -> list[float]:
        raise Transient("nobody there")

    monkeypatch.setattr(depths, "ages", silent)
    await depths.observe(SERVICE)
    assert measures == []
    assert "queue.unreadable" in caplog.text


async def test_what_waits_is_measured_and_what_is_overdue_apart(
    measures: list[MetricRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.add(Payment(f"ord_{secrets.token_hex(8)}", "customer", "authorized", 1, None, "pi"))
    ahead = datetime.now(UTC) + timedelta(seconds=100)
    monkeypatch.setattr(republish, "utc_now", lambda: ahead)
    await republish.unfinished(store.PAYMENTS, "payment", "authorized", 1000)
    (waiting,) = measures
    assert (waiting.role, waiting.name, waiting.properties) == ("payments", "waiting_seconds", {"status": "authorized"})
    assert 95 <= waiting.least <= waiting.greatest
    measures.clear()
    overdue = await republish.unfinished(store.PAYMENTS, "payment", "authorized", 40)
    both = {record.name: record for record in measures}
    assert both["overdue_seconds"].count == both["waiting_seconds"].count == len(overdue)
    assert both["overdue_seconds"].least == pytest.approx(both["waiting_seconds"].least - 40)


async def test_the_oldest_come_first(monkeypatch: pytest.MonkeyPatch, measures: list[MetricRecord]) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr(republish, "utc_now", lambda: ahead)
    payment = Payment("", "customer", "authorized", 1, None, "pi")
    for _ in range(3):
        await store.add(replace(payment, order_id=f"ord_{secrets.token_hex(8)}"))
    everybody = await republish.unfinished(store.PAYMENTS, "payment", "authorized", 1)
    monkeypatch.setattr(republish, "AT_MOST", 2)
    assert await republish.unfinished(store.PAYMENTS, "payment", "authorized", 1) == everybody[:2]


async def test_what_the_database_throttles_is_counted_though_the_client_tries_again(addresses: dict[str, str]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{addresses['cosmos']}/_local/faults",
            json={"status": 429, "retry_after_ms": 1, "count": 3, "database": "payments", "operation": "read"},
        ) as answer,
    ):
        assert answer.status < 300
    spans: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "put", spans.append)
        with request("payments", "test", None):
            assert await Container("payments", "payments", "order_id").read("nobody", "nobody") is None
    assert [record.properties.get("throttled") for record in spans] == [3, None]
