"""The running system's messages, through the official client: send one, and look for it among the dead letters."""

from __future__ import annotations

import asyncio
import secrets

from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient

from scripts.shop import ApiError, addresses

PATIENCE = 60.0
"""Seconds that a message may take to become a dead letter."""
_CREDENTIAL = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true"
"""Of every Service Bus emulator; it is no secret."""


def connected(address: str) -> ServiceBusClient:
    """A client of the broker at `sb://HOST:PORT`."""
    return ServiceBusClient.from_connection_string(f"Endpoint={address};{_CREDENTIAL}")


async def send(topic: str, label: str, body: bytes) -> str:
    """Send a message to the topic under a new message id, which is returned."""
    message_id = f"triggered-{secrets.token_hex(6)}"
    message = ServiceBusMessage(body, message_id=message_id, subject=label, content_type="application/json")
    async with connected(addresses()["servicebus"]) as client, client.get_topic_sender(topic) as sender:
        await sender.send_messages(message)
    return message_id


async def dead_letter(topic: str, subscription: str, message_id: str) -> str:
    """Wait until the message is a dead letter of the subscription; returns why. It stays there.

    Raises ApiError if it does not become one.
    """
    async with (
        connected(addresses()["servicebus"]) as client,
        client.get_subscription_receiver(topic, subscription, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
    ):
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            for message in await receiver.peek_messages(max_message_count=100, sequence_number=1):
                if message.message_id == message_id:
                    return f"{message.dead_letter_reason}: {message.dead_letter_error_description}"
            await asyncio.sleep(0.5)
    raise ApiError(f"{message_id} did not become a dead letter of {topic}/{subscription} within {PATIENCE:g} s")
