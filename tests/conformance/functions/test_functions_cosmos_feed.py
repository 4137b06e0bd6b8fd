"""Change-feed triggers: the real host behind the local Cosmos DB, which the official clients write to."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import CosmosClient as BlockingClient
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient

from localazure.cosmos import EMULATOR_KEY, PART
from localazure.part import Config, Server

from .conftest import App

TRIGGER = """
@app.cosmos_db_trigger(
    arg_name="documents", connection="COSMOS", database_name="shop", container_name="things",
    lease_container_name="leases", create_lease_container_if_not_exists=True, {}
)
"""
RECORD = """
async def record(documents: func.DocumentList) -> None:
    seen.put_nowait([document["id"] for document in documents])
"""
FROM_THE_START = "start_from_beginning=True"


class Cosmos:
    """The account, which can be stopped and started again on its port and its file."""

    def __init__(self, directory: Path) -> None:
        self._state = directory / "cosmos"
        self.server: Server | None = None

    async def start(self, port: int = 0) -> Server:
        self.server = await PART.start(Config(port=port, state=self._state))
        return self.server

    async def stop(self) -> int:
        assert self.server is not None
        server, self.server = self.server, None
        await server.stop()
        return server.port

    @property
    def connection(self) -> str:
        assert self.server is not None
        return f"AccountEndpoint={self.server.url}/;AccountKey={EMULATOR_KEY};"

    async def create(self) -> None:
        async with CosmosClient.from_connection_string(self.connection) as client:
            database = await client.create_database("shop")
            await database.create_container("things", PartitionKey("/id"))

    async def write(self, *identifiers: str) -> None:
        async with CosmosClient.from_connection_string(self.connection) as client:
            container = client.get_database_client("shop").get_container_client("things")
            for identifier in identifiers:
                await container.upsert_item({"id": identifier})


@pytest.fixture
async def cosmos(tmp_path: Path, app: App) -> AsyncIterator[Cosmos]:
    made = Cosmos(tmp_path)
    await made.start()
    await made.create()
    app.settings["COSMOS"] = made.connection
    yield made
    await app.stop()
    if made.server is not None:
        await made.stop()


async def _collected(app: App, count: int) -> list[Any]:
    """Ids from as many batches as it takes."""
    found: list[Any] = []
    while len(found) < count:
        found += (await app.seen())[0]
    return found


async def test_every_document_there_is_and_comes_is_given_once_in_its_order(app: App, cosmos: Cosmos) -> None:
    await cosmos.write("a", "b")
    app.write(TRIGGER.format(FROM_THE_START) + RECORD)
    await app.start()
    assert await _collected(app, 2) == ["a", "b"]
    await cosmos.write("c", "a")
    assert await _collected(app, 2) == ["c", "a"]


async def test_what_the_blocking_client_writes_is_given_too(app: App, cosmos: Cosmos) -> None:
    app.write(TRIGGER.format(FROM_THE_START) + RECORD)
    await app.start()

    def write() -> None:
        with BlockingClient.from_connection_string(cosmos.connection) as client:
            client.get_database_client("shop").get_container_client("things").create_item({"id": "blocking"})

    await asyncio.to_thread(write)
    assert await _collected(app, 1) == ["blocking"]


async def test_a_batch_holds_no_more_than_was_asked_for(app: App, cosmos: Cosmos) -> None:
    await cosmos.write(*"abcde")
    app.write(TRIGGER.format(f"{FROM_THE_START}, max_items_per_invocation=2") + RECORD)
    await app.start()
    assert await app.seen(3) == [["a", "b"], ["c", "d"], ["e"]]


async def test_a_host_that_starts_again_goes_on_where_it_was(app: App, cosmos: Cosmos) -> None:
    app.write(TRIGGER.format(FROM_THE_START) + RECORD)
    await cosmos.write("a", "b")
    await app.start()
    assert await _collected(app, 2) == ["a", "b"]
    await app.stop()
    await cosmos.write("c")
    await app.start()
    assert await _collected(app, 1) == ["c"]


async def test_a_batch_that_fails_is_skipped_without_a_policy(
    app: App, cosmos: Cosmos, caplog: pytest.LogCaptureFixture
) -> None:
    await cosmos.write("bad", "good")
    app.write(
        TRIGGER.format(f"{FROM_THE_START}, max_items_per_invocation=1")
        + """
async def picky(documents: func.DocumentList) -> None:
    if documents[0]["id"] == "bad":
        raise RuntimeError("not this one")
    seen.put_nowait(documents[0]["id"])
"""
    )
    await app.start()
    assert await app.seen() == ["good"]
    assert any(record.levelno == logging.ERROR and "picky" in record.getMessage() for record in caplog.records)


async def test_a_policy_without_end_gives_a_batch_until_it_succeeds(app: App, cosmos: Cosmos) -> None:
    await cosmos.write("a")
    app.write(
        TRIGGER.format(FROM_THE_START)
        + """
@app.retry(strategy="fixed_delay", max_retry_count="-1", delay_interval="00:00:00")
async def at_last(documents: func.DocumentList, context: func.Context) -> None:
    seen.put_nowait((context.retry_context.retry_count, [document["id"] for document in documents]))
    if context.retry_context.retry_count < 4:
        raise RuntimeError("not yet")
"""
    )
    await app.start()
    assert await app.seen(5) == [(attempt, ["a"]) for attempt in range(5)]
    await cosmos.write("b")
    assert await app.seen() == [(0, ["b"])]


async def test_a_batch_whose_function_hangs_is_given_again_after_its_timeout(app: App, cosmos: Cosmos) -> None:
    await cosmos.write("a")
    app.settings["BROKEN"] = "yes"
    app.write(
        "import os\n"
        + TRIGGER.format(FROM_THE_START)
        + """
@app.retry(strategy="fixed_delay", max_retry_count="-1", delay_interval="00:00:00")
async def mended(documents: func.DocumentList) -> None:
    seen.put_nowait([os.environ["BROKEN"], *(document["id"] for document in documents)])
    if os.environ["BROKEN"] == "yes":
        await asyncio.Event().wait()
"""
    )
    app.host_file["functionTimeout"] = "00:00:01"
    await app.start()
    assert await app.seen() == [["yes", "a"]]
    os.environ["BROKEN"] = "no"
    assert await app.seen() == [["no", "a"]]


async def test_an_account_that_restarts_is_listened_to_again(app: App, cosmos: Cosmos) -> None:
    app.write(TRIGGER.format(FROM_THE_START) + RECORD)
    await app.start()
    await cosmos.write("before")
    assert await _collected(app, 1) == ["before"]
    await cosmos.start(await cosmos.stop())
    await cosmos.write("after")
    assert (await _collected(app, 1))[-1] == "after"


async def test_a_client_of_the_same_account_can_read_the_lease(app: App, cosmos: Cosmos) -> None:
    await cosmos.write("a")
    app.write(TRIGGER.format(f'{FROM_THE_START}, lease_container_prefix="mine-"') + RECORD)
    await app.start()
    assert await _collected(app, 1) == ["a"]
    await app.stop()
    async with CosmosClient.from_connection_string(cosmos.connection) as client:
        container = client.get_database_client("shop").get_container_client("leases")
        leases = [item async for item in container.read_all_items()]
    assert [lease["id"].startswith("mine-") for lease in leases] == [True]
    assert leases[0]["ContinuationToken"]
