"""What the consumer says of a message: an order's id is an order's, and nothing else."""

from __future__ import annotations

import json
import logging
from typing import Any

import azure.functions as func
import msgspec
import pytest

from shared.contracts.carts import CartChanged
from shared.contracts.catalog import ProductChanged
from shared.contracts.event import Event, EventData, make_event
from shared.contracts.orders import OrderCancelled
from shared.messaging.consumer import consume
from shared.money import Money

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Message(func.ServiceBusMessage):
    """A message of which only the body is looked at."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def get_body(self) -> bytes:
        return self._body


async def said_of(data: EventData, subject: str, caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    event = make_event(
        data, source="any", subject=subject, version=1, time="2010-12-01T08:26:00.000Z", traceparent=TRACE
    )

    async def handle(_: Event, __: EventData) -> None:
        return

    with caplog.at_level(logging.INFO, "commerce.any"):
        await consume("any", Message(msgspec.json.encode(event)), {type(data): handle})
    (line,) = [record.message for record in caplog.records if "event.consumed" in record.message]
    return dict(json.loads(line))


@pytest.mark.parametrize(
    "data",
    [
        ProductChanged(sku="A1", name="thing", category="things", price=Money(100, "GBP")),
        CartChanged(cart_id="crt_a", customer_id="customer", lines=[]),
    ],
    ids=lambda data: type(data).__name__,
)
async def test_an_event_of_something_else_has_no_order_id(data: EventData, caplog: pytest.LogCaptureFixture) -> None:
    said = await said_of(data, "its_subject", caplog)
    assert "order_id" not in said and said["event_subject"] == "its_subject"


async def test_an_event_of_an_order_has_its_id(caplog: pytest.LogCaptureFixture) -> None:
    said = await said_of(OrderCancelled(order_id="ord_a", reason="timed_out"), "ord_a", caplog)
    assert said["order_id"] == said["event_subject"] == "ord_a"
