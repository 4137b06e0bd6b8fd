"""What the host keeps to where an app hangs, asks for what is not there, or names a server that is down."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
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
async def record(documents: func.DocumentList) -> None:
    for document in documents:
        seen.put_nowait(document["id"])
"""


class Account:
    """A local Cosmos DB account with one container, on a port that it keeps while it is down."""

    def __init__(self, directory: Path) -> None:
        self._state = directory / "cosmos"
        self.server: Server | None = None
        self.connection = ""

    async def start(self, port: int = 0) -> None:
        self.server = await PART.start(Config(port=port, state=self._state))
        self.connection = f"AccountEndpoint={self.server.url}/;AccountKey={EMULATOR_KEY};"

    async def stop(self) -> int:
        assert self.server is not None
        server, self.server = self.server, None
        await server.stop()
        return server.port

    async def write(self, identifier: str) -> None:
        async with CosmosClient.from_connection_string(self.connection) as client:
            database = await client.create_database_if_not_exists("shop")
            container = await database.create_container_if_not_exists("things", PartitionKey("/id"))
            await container.upsert_item({"id": identifier})


@pytest.fixture
async def account(tmp_path: Path, app: App) -> AsyncIterator[Account]:
    made = Account(tmp_path)
    await made.start()
    app.settings["COSMOS"] = made.connection
    yield made
    await app.stop()
    if made.server is not None:
        await made.stop()


async def test_a_host_that_starts_before_its_account_finds_it_later(app: App, account: Account) -> None:
    await account.write("a")
    port = await account.stop()
    app.write(TRIGGER.format("start_from_beginning=True"))
    await app.start()
    await account.start(port)
    assert await app.seen() == ["a"]


async def test_a_feed_that_does_not_start_from_the_beginning_gives_only_what_is_written_later(
    app: App, account: Account
) -> None:
    await account.write("old")
    app.write(TRIGGER.format("start_from_beginning=False"))
    await app.start()

    given = asyncio.Event()

    async def keep_writing() -> None:
        for number in itertools.count():
            if given.is_set():
                return
            await account.write(f"new-{number}")

    async with asyncio.TaskGroup() as group:
        group.create_task(keep_writing())
        (first,) = await app.seen()
        given.set()
    assert first.startswith("new-")


async def test_function_timeout_answers_for_a_synchronous_function_that_is_still_running(
    app: App, http: aiohttp.ClientSession
) -> None:
    app.host_file["functionTimeout"] = "00:00:01"
    app.write("""
        import threading

        go = threading.Event()

        @app.route("stuck")
        def stuck(req: func.HttpRequest) -> str:
            go.wait(15)
            return "late"
    """)
    host = await app.start()
    try:
        async with http.get(f"{host.url}/api/stuck") as answer:
            assert (answer.status, await answer.read()) == (500, b"")
    finally:
        app.module.go.set()
