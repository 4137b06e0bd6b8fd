"""Cosmos DB change-feed triggers, over the REST API: leases in a container, a checkpoint after each good batch.

One host owns all leases here: they keep the place in the feed, not who reads it. A feed that has nothing new is
asked again after `feedPollDelay`; the local Cosmos DB server instead holds the question (`x-localazure-wait-ms`)
until something changes, which the real service would ignore. Physical ranges are read side by side, each in order.
Source: "List Documents" (change feed) in the REST reference.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate

import aiohttp
from azure.functions.meta import Datum

from localazure.clock import Clock
from localazure.functions import newtonsoft
from localazure.functions.cosmos_leases import RANGE, Account, FeedError, Lease, Leases, physical_ranges
from localazure.functions.engine import Invoker
from localazure.functions.errors import InvalidFunction
from localazure.functions.indexing import Function
from localazure.functions.retry import Interrupted, policy_of, succeeds
from localazure.functions.settings import connection

log = logging.getLogger("localazure.functions")

WAIT = "5000"
"""Milliseconds that a server that can is asked to wait for a change."""
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_GONE = 410
_GRACE = 20.0


GATHER = 0.05
"""Seconds between the beginnings of two batches: what changes meanwhile comes in one, with one checkpoint. Azure's
trigger looks every feedPollDelay, and gathers far more."""


@dataclass(frozen=True)
class _Reader:
    """What follows one physical range; it holds the lock while it handles a batch."""

    task: asyncio.Task[None]
    batch: asyncio.Lock


class Feed:
    """One function's change feed."""

    def __init__(self, function: Function, invoker: Invoker, clock: Clock, session: aiohttp.ClientSession) -> None:
        trigger = function.trigger
        self._function, self._invoker, self._clock = function, invoker, clock
        self._policy = policy_of(function)
        self._account = Account(connection(trigger.options["connection"]), session)
        lease_connection = trigger.options.get("leaseConnection")
        lease_account = Account(connection(lease_connection), session) if lease_connection else self._account
        database = trigger.text("databaseName")
        self._container = f"dbs/{database}/colls/{trigger.text('containerName')}"
        lease_database = f"dbs/{trigger.text('leaseDatabaseName', database)}"
        leases = trigger.text("leaseContainerName", "leases")
        stem = f"{trigger.text('leaseContainerPrefix')}{self._container.replace('/', '_')}"
        make = function.flag("createLeaseContainerIfNotExists")
        self._leases = Leases(lease_account, lease_database, leases, stem, make)
        self._delay = function.number("feedPollDelay", 5000) / 1000
        self._most = function.number("maxItemsPerInvocation", 100)
        self._from_beginning = function.flag("startFromBeginning")
        self._from_time = _start_time(function, self._from_beginning)
        if not self._container.strip("/"):
            raise InvalidFunction(function.name, "databaseName and containerName are required")
        if lease_account.same(self._account) and self._container == f"{lease_database}/colls/{leases}":
            raise InvalidFunction(
                function.name, "The monitored container cannot be the same as the container storing the leases."
            )
        self._stopping = asyncio.Event()
        self._readers: dict[str, _Reader] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Read no further; batches that are being handled may end."""
        self._stopping.set()
        if self._task is None:
            return
        try:
            async with asyncio.timeout(_GRACE), contextlib.AsyncExitStack() as batches:
                for reader in self._readers.values():
                    await batches.enter_async_context(reader.batch)
                self._task.cancel()
        except TimeoutError:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """Follow every physical range, and when one has been split, the ranges that replace it."""
        try:
            while not self._stopping.is_set():
                await self._until_it_succeeds(self._begin)
                tasks = [reader.task for reader in self._readers.values()]
                if tasks:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                self._readers = {name: reader for name, reader in self._readers.items() if not reader.task.done()}
        finally:
            for reader in self._readers.values():
                reader.task.cancel()
            await asyncio.gather(*(reader.task for reader in self._readers.values()), return_exceptions=True)

    async def _begin(self) -> None:
        """Have a lease for each range there is, and follow those that are not followed yet.

        One that comes from a range which is still read waits until that reader knows that it was split.
        """
        ranges = await physical_ranges(self._account, self._container)
        leases = await self._leases.of(each for each in ranges if self._readers.keys().isdisjoint(each["parents"]))
        for name in leases:
            if name not in self._readers:
                batch = asyncio.Lock()
                self._readers[name] = _Reader(asyncio.create_task(self._follow(name, batch)), batch)

    async def _follow(self, name: str, batch: asyncio.Lock) -> None:
        """Read one physical range until it is there no more."""
        lease: Lease | None = None

        async def step() -> None:
            nonlocal lease
            before = lease or await self._leases.read(name)
            began = self._clock.time()
            lease = None  # unless all goes well, it is read again
            lease = None if before is None else await self._step(name, before, batch)
            if lease is not before:
                await self._clock.sleep(GATHER - (self._clock.time() - began))

        while not self._stopping.is_set():
            await self._until_it_succeeds(step)
            if lease is None:
                return

    async def _until_it_succeeds(self, action: Callable[[], Awaitable[None]]) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                return await action()
            except Interrupted:
                return None
            except FeedError as exc:
                log.warning("the change feed of '%s' waits for Cosmos DB: %s", self._function.name, exc)
                await self._clock.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            except Exception:
                log.exception("the change feed of '%s' failed", self._function.name)
                await self._clock.sleep(_LONGEST_PAUSE)
        return None

    async def _step(self, name: str, lease: Lease, batch: asyncio.Lock) -> Lease | None:
        """Read and handle one page; the lease as it then is, `None` if the range is there no more."""
        from_now = lease["ContinuationToken"] is None and not self._from_beginning and self._from_time is None
        headers = {RANGE: name, **self._feed_headers(lease["ContinuationToken"])}
        status, found, document = await self._account.call(
            "GET", "docs", self._container, f"{self._container}/docs", headers
        )
        if status == _GONE:
            return None
        if status not in (200, 304):
            raise FeedError(f"{self._container}: {status} {document}")
        async with batch:
            if status == 200 and document["Documents"]:
                # the trigger's .NET half reads the documents and writes them again
                given = Datum(newtonsoft.dates_rewritten(json.dumps(document["Documents"])), "json")
                await succeeds(self._invoker, self._clock, self._function, self._policy, given, self._stopping)
            token = found.get("etag")
            if token and token != lease["ContinuationToken"] and not (self._stopping.is_set() and status == 304):
                lease = await self._leases.checkpoint(lease, token)
        if status == 304 and not from_now and "x-localazure-waited" not in found:
            await self._clock.sleep(self._delay)
        return lease

    def _feed_headers(self, token: str | None) -> dict[str, str]:
        headers = {"A-IM": "Incremental Feed", "x-ms-max-item-count": str(self._most)}
        # the first answer comes at once: where the feed begins must be in the lease before the host can stop
        if token is None and self._from_time is not None:
            return {**headers, "If-Modified-Since": formatdate(self._from_time, usegmt=True)}
        if token is None and not self._from_beginning:
            return {**headers, "If-None-Match": "*"}
        headers["x-localazure-wait-ms"] = WAIT
        if token is not None:
            headers["If-None-Match"] = token
        return headers


def _start_time(function: Function, from_beginning: bool) -> float | None:
    """Where a feed without a lease begins, in seconds since the epoch. Raises InvalidFunction."""
    text = function.trigger.text("startFromTime")
    if not text:
        return None
    if from_beginning:
        raise InvalidFunction(function.name, "Only one of StartFromBeginning or StartFromTime can be used")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidFunction(
            function.name,
            f"The specified StartFromTime parameter is not in the correct format: {text!r}. Please use the ISO 8601 "
            "format with the UTC designator. For example: '2021-02-16T14:19:29Z'.",
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
