"""Dead letters of orders' topic, made as a consumer makes them, and a consumer that takes what is sent again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import msgspec
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from shared.clock import timestamp
from shared.contracts.event import make_event
from shared.contracts.orders import Line, OrderPlaced
from shared.money import Money

TOPIC, NAME, BESIDE = "orders", "payments", "inventory"
LABEL = "commerce.order.placed.v1"


def receiver(client: ServiceBusClient, name: str, *, dead: bool) -> ServiceBusReceiver:
    sub_queue = ServiceBusSubQueue.DEAD_LETTER if dead else None
    return client.get_subscription_receiver(TOPIC, name, sub_queue=sub_queue)


async def emptied(client: ServiceBusClient, name: str, *, dead: bool) -> list[ServiceBusReceivedMessage]:
    """What was there."""
    found: list[ServiceBusReceivedMessage] = []
    async with receiver(client, name, dead=dead) as receiving:
        while messages := await receiving.receive_messages(100, max_wait_time=0.1):
            await asyncio.gather(*(receiving.complete_message(message) for message in messages))
            found += messages
    return found


def order(number: int) -> OrderPlaced:
    order_id = f"ord_{secrets.token_hex(6)}{number}"
    lines, total = [Line("S1", number + 1)], Money(100, "GBP")
    return OrderPlaced(
        order_id=order_id, customer_id="customer-7", lines=lines, total=total, payment_method="pm_card_visa"
    )


def message_of(placed: OrderPlaced) -> ServiceBusMessage:
    event = make_event(
        placed, source="orders", subject=placed.order_id, version=1, time=timestamp(),
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )  # fmt: skip
    return ServiceBusMessage(
        msgspec.json.encode(event), message_id=event.id, session_id=event.subject, subject=LABEL,
        content_type="application/cloudevents+json", application_properties={"version": 1},
    )  # fmt: skip


async def dead(client: ServiceBusClient, count: int, reason: str = "MaxDeliveryCountExceeded") -> list[str]:
    """So many orders die in the subscription, and are handled by the one beside it; the orders' ids."""
    placed = [order(number) for number in range(count)]
    async with client.get_topic_sender(TOPIC) as sender:
        for start in range(0, count, 50):
            await sender.send_messages([message_of(each) for each in placed[start : start + 50]])
    left = count
    async with receiver(client, NAME, dead=False) as receiving:
        while left:
            messages = await receiving.receive_messages(min(left, 100), max_wait_time=5)
            assert messages
            await asyncio.gather(*(receiving.dead_letter_message(message, reason, "x") for message in messages))
            left -= len(messages)
    assert len(await emptied(client, BESIDE, dead=False)) == count
    return [each.order_id for each in placed]


Handling = Callable[[ServiceBusReceiver, ServiceBusReceivedMessage], Awaitable[None]]


async def handled(receiving: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
    await receiving.complete_message(message)


async def poisoned(receiving: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
    await receiving.dead_letter_message(message, "MaxDeliveryCountExceeded", "again")


@asynccontextmanager
async def consuming(client: ServiceBusClient, handling: Handling) -> AsyncIterator[list[ServiceBusReceivedMessage]]:
    """The service that hears the subscription: what it was given."""
    given: list[ServiceBusReceivedMessage] = []

    async def consume() -> None:
        async with receiver(client, NAME, dead=False) as receiving:
            while True:
                for message in await receiving.receive_messages(50, max_wait_time=0.2):
                    given.append(message)
                    await handling(receiving, message)

    task = asyncio.create_task(consume())
    try:
        yield given
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def subjects(messages: list[ServiceBusReceivedMessage]) -> list[str]:
    return sorted(str(message.session_id) for message in messages)
