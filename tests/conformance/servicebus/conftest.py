"""Brokers that tests share, and one of its own for those that stop it or look at its file."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from localazure.clock import ManualClock
from localazure.part import Config
from localazure.servicebus import PART
from localazure.servicebus.wire import ServiceBusServer

from .bench import Bus

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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def buses(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Bus]]:
    """One for each client."""
    made = [Bus(kind, tmp_path_factory.mktemp(kind)) for kind in ("async", "sync")]
    await asyncio.gather(*(bus.start() for bus in made))
    yield made
    await asyncio.gather(*(bus.stop() for bus in made))


@pytest.fixture
def entities(tmp_path: Path) -> Path:
    path = tmp_path / "entities.json"
    path.write_text(json.dumps(ENTITIES))
    return path


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(time.time())


@pytest.fixture
async def server(entities: Path, tmp_path: Path, clock: ManualClock) -> AsyncIterator[ServiceBusServer]:
    config = Config(state=tmp_path / "state", options={"entities": str(entities)}, clock=clock)
    made = await PART.start(config)
    assert isinstance(made, ServiceBusServer)
    yield made
    await made.stop()
