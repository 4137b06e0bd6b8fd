"""Change-feed triggers: the real host behind the local Cosmos DB, which the official clients write to."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.cosmos import CosmosClient as BlockingClient
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosResourceNotFoundError

from localazure.cosmos import EMULATOR_KEY, PART
from localazure.functions.errors import HostError
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

    async def store(self, document: dict[str, Any]) -> None:
        async with CosmosClient.from_connection_string(self.connection) as client:
            await client.get_database_client("shop").get_container_client("things").upsert_item(document)

    async def leases(self) -> int:
        """How many there are with a place in the feed."""
        async with CosmosClient.from_connection_string(self.connection) as client:
            container = client.get_database_client("shop").get_container_client("leases")
            try:
                return len([1 async for item in container.read_all_items() if item.get("ContinuationToken")])
            except CosmosResourceNotFoundError:
                return 0

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


GIVEN_DATES = {
    "…00.120Z": ("2026-01-01T00:00:00.120Z", "2026-01-01T00:00:00.12Z"),
    "…00.000Z": ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z"),
    "an offset": ("2026-01-01T00:00:00.100+02:00", "2025-12-31T22:00:00.1+00:00"),
    "an offset without a colon": ("2026-06-01T12:00:00-0500", "2026-06-01T17:00:00+00:00"),
    "hour 24": ("2026-01-01T24:00:00Z", "2026-01-02T00:00:00Z"),
    "Microsoft's": ("/Date(1000)/", "1970-01-01T00:00:01Z"),
    "no zone": ("2026-01-01T00:00:00.5000", "2026-01-01T00:00:00.5"),
    **{
        text: (text, text)
        for text in (
            *("2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00Z", "2026-01-01", "2026-01-01 00:00:00Z"),
            *("20260101T000000Z", "2026-13-01T00:00:00Z", "at 2026-01-01T00:00:00.120Z", "2026-01-01T00:00:00"),
            *("2026-01-01T00:00:00Z", '"2026-01-01T00:00:00.120Z"', '\\"2026-01-01T00:00:00.120Z', "", "\u00e9"),
        )
    },
}


async def test_dates_are_given_as_newtonsoft_writes_them_again(app: App, cosmos: Cosmos) -> None:
    stored = {
        "id": "a",
        "2026-01-01T00:00:00.120Z": 1.0,
        "dates": {name: text for name, (text, _) in GIVEN_DATES.items()},
        "list": [["2026-01-01T00:00:00.120Z", 1e22, 12345678901234567890, None, True]],
    }
    await cosmos.store(stored)
    app.write(
        TRIGGER.format(FROM_THE_START)
        + """
async def record(documents: func.DocumentList) -> None:
    seen.put_nowait([document.to_dict() for document in documents])
"""
    )
    await app.start()
    ((document,),) = await app.seen()
    assert document["dates"] == {name: text for name, (_, text) in GIVEN_DATES.items()}
    assert document["list"] == [["2026-01-01T00:00:00.12Z", 1e22, 12345678901234567890, None, True]]
    assert document["2026-01-01T00:00:00.120Z"] == 1.0
    assert document["_lsn"] >= 1


async def test_a_feed_starts_from_a_time_of_the_past(app: App, cosmos: Cosmos) -> None:
    await cosmos.write("a")
    app.write(TRIGGER.format('start_from_time="2020-01-01T00:00:00Z", start_from_beginning="false"') + RECORD)
    await app.start()
    assert await _collected(app, 1) == ["a"]


async def test_a_feed_starts_from_a_time_to_come_with_nothing_before_it(app: App, cosmos: Cosmos) -> None:
    await cosmos.write("a")
    app.write(TRIGGER.format('start_from_time="2999-01-01T00:00:00Z"') + RECORD)
    await app.start()
    async with asyncio.timeout(10):
        while not await cosmos.leases():  # the question is asked of a server, which takes its time
            pass
    assert app.module.seen.empty()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ('start_from_time="2020-01-01", start_from_beginning=True', "Only one of StartFromBeginning or StartFromTime"),
        ('start_from_time="yesterday"', "StartFromTime parameter is not in the correct format: 'yesterday'"),
        ('start_from_beginning="perhaps"', "startFromBeginning must be true or false"),
        ('feed_poll_delay="soon"', "feedPollDelay must be a whole number"),
        ("max_items_per_invocation=-1", "'maxItemsPerInvocation' must be greater than 0"),
    ],
)
async def test_what_the_extension_refuses_stops_the_start(app: App, cosmos: Cosmos, options: str, reason: str) -> None:
    app.write(TRIGGER.format(options) + RECORD)
    with pytest.raises(HostError, match=f"'record'.*{reason}"):
        await app.start()


async def test_a_container_is_not_its_own_lease_container(app: App, cosmos: Cosmos) -> None:
    app.write(TRIGGER.replace('"leases"', '"things"').format("") + RECORD)
    with pytest.raises(HostError, match=r"'record'.*monitored container cannot be the same"):
        await app.start()


async def test_a_batch_has_one_invocation_id_in_all_its_attempts(app: App, cosmos: Cosmos) -> None:
    await cosmos.write("a", "b")
    app.write(
        TRIGGER.format(f"{FROM_THE_START}, max_items_per_invocation=1")
        + """
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
async def fail(documents: func.DocumentList, context: func.Context) -> None:
    seen.put_nowait(context.invocation_id)
    raise RuntimeError("again")
"""
    )
    await app.start()
    first, second = await app.seen(3), await app.seen(3)
    assert (len(set(first)), len(set(second)), len({*first, *second})) == (1, 1, 2)


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


async def test_the_lease_documents_are_those_of_the_extension(app: App, cosmos: Cosmos) -> None:
    await cosmos.write("a")
    app.write(TRIGGER.format(f'{FROM_THE_START}, lease_container_prefix="mine-"') + RECORD)
    await app.start()
    assert await _collected(app, 1) == ["a"]
    async with CosmosClient.from_connection_string(cosmos.connection) as client:
        database = client.get_database_client("shop")
        rids = (await database.read())["_rid"], (await database.get_container_client("things").read())["_rid"]
        container = database.get_container_client("leases")
        lease, info = sorted([item async for item in container.read_all_items()], key=lambda item: item["id"])
        owner = lease["Owner"]
        await app.stop()
        released = await container.read_item(lease["id"], lease["id"])
    stem = f"mine-localhost_{rids[0]}_{rids[1]}"
    assert {name: value for name, value in info.items() if name[0] != "_"} == {"id": f"{stem}.info"}
    renewed = datetime.fromisoformat(lease["timestamp"])
    assert renewed.tzinfo is not None
    assert str(uuid.UUID(owner)) == owner
    assert {name: value for name, value in lease.items() if name[0] != "_"} == {
        "id": f"{stem}..0",
        "version": 0,
        "LeaseToken": "0",
        "FeedRange": {"Range": {"min": "", "max": "FF"}},
        "Owner": owner,
        "ContinuationToken": '"1"',
        "properties": {},
        "timestamp": lease["timestamp"],
        "Mode": "Incremental Feed",
    }
    assert (released["Owner"], released["ContinuationToken"]) == (None, '"1"')


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("lease_renew_interval=-1", "'leaseRenewInterval' must be greater than 0"),
        ("lease_renew_interval=60000, lease_expiration_interval=10000", "two hosts would take them from each other"),
    ],
)
async def test_intervals_of_leases_that_make_no_sense_are_refused(
    app: App, cosmos: Cosmos, options: str, reason: str
) -> None:
    app.write(TRIGGER.format(options) + RECORD)
    with pytest.raises(HostError, match=reason):
        await app.start()


async def _split(cosmos: Cosmos) -> None:
    assert cosmos.server is not None
    order = {"database": "shop", "container": "things"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{cosmos.server.url}/_local/splits", json=order) as answer,
    ):
        assert answer.status == 200


async def test_every_physical_range_is_read_and_splits_lose_nothing(app: App, cosmos: Cosmos) -> None:
    app.write(TRIGGER.format(FROM_THE_START) + RECORD)
    await app.start()
    written: list[str] = []
    for number in range(5):
        names = [f"{number}-{place}" for place in range(8)]
        await cosmos.write(*names)
        written += names
        await _split(cosmos)
    found = await _collected(app, len(written))
    assert sorted(found) == sorted(written)
    async with asyncio.timeout(15):
        # the place of a range in which nothing has happened is written when its first question has been answered
        while await cosmos.leases() != 6:  # noqa: ASYNC110 - asked of a store
            await asyncio.sleep(0.05)


async def test_a_split_while_the_host_is_away_loses_nothing(app: App, cosmos: Cosmos) -> None:
    app.write(TRIGGER.format(FROM_THE_START) + RECORD)
    await cosmos.write("before")
    await app.start()
    assert await _collected(app, 1) == ["before"]
    await app.stop()
    await cosmos.write(*"abcdef")
    await _split(cosmos)
    await _split(cosmos)
    await cosmos.write(*"ghij")
    await app.start()
    assert sorted(await _collected(app, 10)) == list("abcdefghij")
