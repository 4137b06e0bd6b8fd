"""Messages per second through a queue by the asynchronous official client: sent one by one, received, completed."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from localazure.servicebus import EMULATOR_KEY, KEY_NAME
from scripts.bench.busy import Busy
from scripts.bench.figures import rate
from scripts.bench.lanes import WARM_UP
from scripts.bench.system import running

QUEUE = "bench"
SENDERS = RECEIVERS = 4
AHEAD = 200
"""Messages that senders may be ahead of receivers."""
PREFETCH = 50
"""Messages that a receiver is sent ahead of its asking."""
BODY = json.dumps({"order": "ord_" + "x" * 26, "lines": [{"sku": f"SKU{n}", "quantity": n} for n in range(12)]})
ENTITIES = {
    "UserConfig": {
        "Namespaces": [{"Name": "bench", "Queues": [{"Name": QUEUE, "Properties": {}}], "Topics": []}],
        "Logging": {"Type": "Console"},
    }
}


async def servicebus(seconds: float) -> dict[str, Any]:
    """The local server alone, its file on disk."""
    with tempfile.TemporaryDirectory(prefix="commerce-bench-") as folder:
        entities = Path(folder) / "entities.json"
        entities.write_text(json.dumps(ENTITIES))
        async with running(["servicebus"], {"servicebus.entities": str(entities)}) as system:
            key = f"SharedAccessKeyName={KEY_NAME};SharedAccessKey={EMULATOR_KEY}"
            connection = f"Endpoint={system.addresses['servicebus']};{key};UseDevelopmentEmulator=true"
            busy = Busy(system.processes)
            return {"messages_per_second": await _through(connection, seconds), "busy_cores": busy.cores()}


async def _through(connection: str, seconds: float) -> float:
    load = _Load(seconds)
    async with ServiceBusClient.from_connection_string(connection) as client, asyncio.TaskGroup() as group:
        for _ in range(SENDERS):
            group.create_task(load.send(client))
        for _ in range(RECEIVERS):
            group.create_task(load.receive(client))
    return rate(load.completed, seconds)


class _Load:
    def __init__(self, seconds: float) -> None:
        self.start = time.perf_counter() + WARM_UP
        self.end = self.start + seconds
        self.completed = 0
        self._room = asyncio.Semaphore(AHEAD)

    async def send(self, client: ServiceBusClient) -> None:
        async with client.get_queue_sender(QUEUE) as sender:
            while time.perf_counter() < self.end:
                await self._room.acquire()
                await sender.send_messages(ServiceBusMessage(BODY, content_type="application/json"))

    async def receive(self, client: ServiceBusClient) -> None:
        """One by one: a client that asks for a batch waits a fifth of a second for the batch to fill."""
        async with client.get_queue_receiver(QUEUE, prefetch_count=PREFETCH, max_wait_time=1) as receiver:
            while time.perf_counter() < self.end:
                async for message in receiver:
                    await receiver.complete_message(message)
                    self._room.release()
                    self.completed += self.start <= time.perf_counter() < self.end
        for _ in range(AHEAD):
            self._room.release()  # a sender that still waits for room may end
