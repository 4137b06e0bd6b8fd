"""Service Bus outputs: each value is a message of its own, sent by the official client before the call is over."""

from __future__ import annotations

import asyncio

from azure.core.credentials_async import AsyncTokenCredential
from azure.functions.meta import Datum
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender

from localazure.functions.bindings.expressions import BindingData
from localazure.functions.bindings.values import body, elements
from localazure.functions.connecting import SERVICE_BUS, Connection, connection
from localazure.functions.indexing import Binding

CONTENT_TYPE = "application/octet-stream"
"""Of every message: the host gives the extension bytes, whatever the function set."""


class Senders:
    """One client a connection and one sender an entity, which stay open."""

    def __init__(self) -> None:
        self._clients: dict[Connection, ServiceBusClient] = {}
        self._credentials: list[AsyncTokenCredential] = []
        self._senders: dict[tuple[Connection, str], tuple[ServiceBusSender, asyncio.Lock]] = {}

    async def send(self, binding: Binding, data: Datum, given: BindingData) -> None:
        """Raises BindingError, and the client's own errors."""
        entity = given.text(binding.options.get("queueName") or binding.options.get("topicName"))
        messages = [ServiceBusMessage(body(value), content_type=CONTENT_TYPE) for value in elements(data)]
        sender, turn = self._sender(connection(binding.options["connection"], SERVICE_BUS), entity)
        async with turn:  # a sender opens its link once, and not for two at a time
            for message in messages:
                await sender.send_messages(message)

    async def close(self) -> None:
        for sender, _ in self._senders.values():
            await sender.close()
        for client in self._clients.values():
            await client.close()
        for credential in self._credentials:
            await credential.close()

    def _sender(self, found: Connection, entity: str) -> tuple[ServiceBusSender, asyncio.Lock]:
        if found not in self._clients:
            credential = None if found.text else found.credential()
            self._credentials += [] if credential is None else [credential]
            self._clients[found] = found.service_bus(credential)
        if (found, entity) not in self._senders:
            # For the client a queue and a topic are the same thing to send to.
            self._senders[found, entity] = self._clients[found].get_queue_sender(entity), asyncio.Lock()
        return self._senders[found, entity]
