"""A Cosmos DB server of its own for each test, and the official clients for it, synchronous and asynchronous."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import CosmosClient
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient

from localazure.clock import ManualClock
from localazure.cosmos import EMULATOR_KEY, PART
from localazure.cosmos.wire import CosmosServer
from localazure.part import Config
from localazure.testing import serving

CONTAINERS: dict[str, Any] = {
    "databases": [
        {
            "id": "shop",
            "containers": [
                {"id": "things", "partitionKey": "/kind", "defaultTtl": -1},
                {"id": "unique", "partitionKey": "/kind", "uniqueKeyPolicy": {"uniqueKeys": [{"paths": ["/code"]}]}},
            ],
        }
    ]
}


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    path = tmp_path / "containers.json"
    path.write_text(json.dumps(CONTAINERS))
    return path


@pytest.fixture
def plans() -> str:
    """Whether queries over all partitions need a plan; tests of the server's own pages do without."""
    return "required"


@pytest.fixture
def address(declared: Path, plans: str) -> Iterator[str]:
    """A server on a thread of its own, for synchronous clients."""
    with serving(PART, Config(options={"containers": str(declared), "plans": plans})) as server:
        yield server.url


@pytest.fixture
def things(address: str) -> Iterator[Any]:
    """The container `things` by the synchronous client."""
    with CosmosClient(address, EMULATOR_KEY) as client:
        yield client.get_database_client("shop").get_container_client("things")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def server(declared: Path, tmp_path: Path, clock: ManualClock, plans: str) -> AsyncIterator[CosmosServer]:
    """A server in the test's own loop, with a clock that the test moves and a file that outlives it."""
    made = await PART.start(
        Config(state=tmp_path / "state", options={"containers": str(declared), "plans": plans}, clock=clock)
    )
    assert isinstance(made, CosmosServer)
    yield made
    await made.stop()


@pytest.fixture
async def client(server: CosmosServer) -> AsyncIterator[AsyncCosmosClient]:
    async with AsyncCosmosClient(server.url, EMULATOR_KEY) as made:
        yield made


@pytest.fixture
def athings(client: AsyncCosmosClient) -> Any:
    """The container `things` by the asynchronous client."""
    return client.get_database_client("shop").get_container_client("things")
