"""The broker that function apps are triggered by, which can be stopped and started again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage

from localazure.part import Config
from localazure.servicebus import PART
from localazure.servicebus.wire import ServiceBusServer

QUEUE = '@app.service_bus_queue_trigger(arg_name="msg", queue_name="{}", connection="BUS"{})'
BODIES = f"""
{QUEUE.format("plain", "")}
async def record(msg: func.ServiceBusMessage) -> None:
    seen.put_nowait(msg.get_body().decode())
"""
TELL = f"""
{QUEUE.format("plain", "{}")}
async def tell(msg: func.ServiceBusMessage) -> None:
    seen.put_nowait(msg)
"""


def _entities(path: Path) -> Path:
    queues = [
        {"Name": "plain", "Properties": {"MaxDeliveryCount": 3}},
        {"Name": "other", "Properties": {}},
        {"Name": "sessions", "Properties": {"RequiresSession": True}},
    ]
    topics = [{"Name": "events", "Properties": {}, "Subscriptions": [{"Name": "mine", "Properties": {}}]}]
    namespaces = [{"Name": "ns", "Queues": queues, "Topics": topics}]
    path.write_text(json.dumps({"UserConfig": {"Namespaces": namespaces}}))
    return path


class Bus:
    """The broker, which can be stopped and started again on its port and its file."""

    def __init__(self, directory: Path) -> None:
        self._state = directory / "bus"
        self._options = {"entities": str(_entities(directory / "entities.json"))}
        self.server: ServiceBusServer | None = None

    async def start(self, port: int = 0) -> ServiceBusServer:
        config = Config(port=port, state=self._state, options=self._options)
        self.server = cast(ServiceBusServer, await PART.start(config))
        return self.server

    async def stop(self) -> int:
        """The port that it had."""
        assert self.server is not None
        server, self.server = self.server, None
        await server.stop()
        return server.port

    def client(self) -> ServiceBusClient:
        assert self.server is not None
        return ServiceBusClient.from_connection_string(self.server.connection_string)

    async def send(self, entity: str, *messages: ServiceBusMessage | AmqpAnnotatedMessage) -> None:
        async with self.client() as client, client.get_queue_sender(entity) as sender:
            await sender.send_messages(list[Any](messages))

    async def receive(self, entity: str, count: int, **options: Any) -> list[str]:
        async with self.client() as client, client.get_queue_receiver(entity, max_wait_time=10, **options) as receiver:
            taken: list[str] = []
            async with asyncio.timeout(15):
                while len(taken) < count:
                    for message in await receiver.receive_messages(1):
                        taken.append(str(message))
                        await receiver.complete_message(message)
            return taken

    def depth(self, entity: str) -> int:
        """Messages that have not been settled, locked ones included."""
        assert self.server is not None
        return sum(self.server.broker.depths()[entity].values())
