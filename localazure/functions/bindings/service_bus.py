"""Service Bus outputs: each value is a message of its own, sent by the official client before the call is over."""

from __future__ import annotations

import asyncio

from azure.functions.meta import Datum
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender

from localazure.functions.bindings.expressions import BindingData
from localazure.functions.bindings.values import body, elements
from localazure.functions.indexing import Binding
from localazure.functions.settings import connection

CONTENT_TYPE = "application/octet-stream"
"""Of every message: the host gives the extension bytes, whatever the function set."""


class Senders:
    """One client a connection and one sender an entity, which stay open."""

    def __init__(self) -> None:
        self._clients: dict[str, ServiceBusClient] = {}
        self._senders: dict[tuple[str, str], tuple[ServiceBusSender, asyncio.Lock]] = {}

    async def send(self, binding: Binding, data: Datum, given: BindingData) -> None:
        """Raises BindingError, and the client's own errors."""
        entity = given.text(binding.options.get("queueName") or binding.options.get("topicName"))
        messages = [ServiceBusMessage(body(value), content_type=CONTENT_TYPE) for value in elements(data)]
        sender, turn = self._sender(connection(binding.options["connection"]), entity)
        async with turn:  # a sender opens its link once, and not for two at a time
            for message in messages:
                await sender.send_messages(message)

    async def close(self) -> None:
        for sender, _ in self._senders.values():
            await sender.close()
        for client in self._clients.values():
            await client.close()

    def _sender(self, text: str, entity: str) -> tuple[ServiceBusSender, asyncio.Lock]:
        if text not in self._clients:
            self._clients[text] = ServiceBusClient.from_connection_string(text)
        if (text, entity) not in self._senders:
            # For the client a queue and a topic are the same thing to send to.
            self._senders[text, entity] = self._clients[text].get_queue_sender(entity), asyncio.Lock()
        return self._senders[text, entity]
