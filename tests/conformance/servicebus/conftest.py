"""A broker of its own for each test, with a clock that the test moves, and both official clients."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient

from localazure.clock import ManualClock
from localazure.part import Config
from localazure.servicebus import PART
from localazure.servicebus.wire import ServiceBusServer
from localazure.testing import serving

LABELLED = {"FilterType": "Correlation", "CorrelationFilter": {"Label": "big"}}
LARGE = {"FilterType": "Sql", "SqlFilter": {"SqlExpression": "size > 10 AND sys.Label <> 'secret'"}}
ENTITIES: dict[str, Any] = {
    "UserConfig": {
        "Namespaces": [
            {
                "Name": "local",
                "Queues": [
                    {"Name": "plain", "Properties": {"LockDuration": "PT30S", "MaxDeliveryCount": 3}},
                    {
                        "Name": "once",
                        "Properties": {
                            "RequiresDuplicateDetection": True,
                            "DuplicateDetectionHistoryTimeWindow": "PT1M",
                        },
                    },
                    {"Name": "sessions", "Properties": {"RequiresSession": True, "LockDuration": "PT30S"}},
                    {
                        "Name": "mortal",
                        "Properties": {"DefaultMessageTimeToLive": "PT1M", "DeadLetteringOnMessageExpiration": True},
                    },
                ],
                "Topics": [
                    {
                        "Name": "news",
                        "Properties": {"RequiresDuplicateDetection": True},
                        "Subscriptions": [
                            {"Name": "all", "Properties": {}, "Rules": []},
                            {"Name": "labelled", "Properties": {}, "Rules": [{"Name": "r", "Properties": LABELLED}]},
                            {"Name": "large", "Properties": {}, "Rules": [{"Name": "r", "Properties": LARGE}]},
                        ],
                    }
                ],
            }
        ],
        "Logging": {"Type": "Console"},
    }
}


@pytest.fixture
def entities(tmp_path: Path) -> Path:
    path = tmp_path / "entities.json"
    path.write_text(json.dumps(ENTITIES))
    return path


@pytest.fixture
def sync_client(entities: Path) -> Iterator[ServiceBusClient]:
    """The synchronous client, and a broker on a thread of its own."""
    with serving(PART, Config(options={"entities": str(entities)})) as server:
        assert isinstance(server, ServiceBusServer)
        with ServiceBusClient.from_connection_string(server.connection_string, retry_total=0) as client:
            yield client


@pytest.fixture
def clock() -> ManualClock:
    import time

    return ManualClock(time.time())


@pytest.fixture
async def server(entities: Path, tmp_path: Path, clock: ManualClock) -> AsyncIterator[ServiceBusServer]:
    config = Config(state=tmp_path / "state", options={"entities": str(entities)}, clock=clock)
    made = await PART.start(config)
    assert isinstance(made, ServiceBusServer)
    yield made
    await made.stop()


@pytest.fixture
async def client(server: ServiceBusServer) -> AsyncIterator[AsyncServiceBusClient]:
    async with AsyncServiceBusClient.from_connection_string(server.connection_string, retry_total=0) as made:
        yield made
