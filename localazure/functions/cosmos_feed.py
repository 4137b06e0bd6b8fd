"""Cosmos DB change-feed triggers, over the REST API: leases in a container, a checkpoint after each good batch.

A lease says which host reads a physical range and how far it has come; hosts share them as the change feed processor
does (`cosmos_leases.py`). A feed that has nothing new is asked again after `feedPollDelay`; the local Cosmos DB server
instead holds the question (`x-localazure-wait-ms`) until something changes, which the real service would ignore.
Physical ranges are read side by side, each in order.
Source: "List Documents" (change feed) in the REST reference.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from email.utils import formatdate

import aiohttp
from azure.functions.meta import Datum

from localazure.clock import Clock
from localazure.functions.connecting import COSMOS, connection
from localazure.functions.cosmos_account import RANGE, Account, FeedError
from localazure.functions.cosmos_leases import Intervals, Lease, LeaseLost, Leases, to_take
from localazure.functions.dates import dates_rewritten
from localazure.functions.engine import Invoker
from localazure.functions.errors import InvalidFunction
from localazure.functions.indexing import Function
from localazure.functions.retry import Interrupted, policy_of, succeeds
from localazure.presence import Presence

log = logging.getLogger("localazure.functions")

WAIT = "5000"
"""Milliseconds that a server that can is asked to wait for a change."""
_FIRST_PAUSE = 0.1
_MAX_PAUSE = 5.0
_GONE = 410
_GRACE = 20.0
_WHILE_ANOTHER_PREPARES = 0.5
"""Seconds; the extension waits 15."""

GATHER = 0.05
"""Seconds between the beginnings of two batches: what changes meanwhile comes in one, with one checkpoint. Azure's
trigger looks every feedPollDelay, and gathers far more."""


class _Reader:
    """What follows one physical range while this host owns its lease."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.batch = asyncio.Lock()
        """Held while a batch is handled."""
        self.writing = asyncio.Lock()
        """Held while the lease is written, which a batch's end and the renewal both do."""
        self.task: asyncio.Task[None] | None = None


class Feed:
    """One function's change feed."""

    def __init__(
        self, function: Function, invoker: Invoker, clock: Clock, session: aiohttp.ClientSession, presence: Presence
    ) -> None:
        trigger = function.trigger
        self._function, self._invoker, self._clock = function, invoker, clock
        self._policy = policy_of(function)
        self._account = Account(connection(trigger.options["connection"], COSMOS), session)
        lease_connection = trigger.options.get("leaseConnection")
        lease_account = Account(connection(lease_connection, COSMOS), session) if lease_connection else self._account
        database = trigger.text("databaseName")
        self._accounts = {self._account, lease_account}
        self._container = f"dbs/{database}/colls/{trigger.text('containerName')}"
        lease_database = f"dbs/{trigger.text('leaseDatabaseName', database)}"
        leases = trigger.text("leaseContainerName", "leases")
        self._intervals = _intervals(function)
        self._leases = Leases(
            lease_account,
            lease_database,
            leases,
            trigger.text("leaseContainerPrefix"),
            clock,
            presence,
            self._intervals.expiration,
            make=function.flag("createLeaseContainerIfNotExists"),
        )
        self._delay = function.number("feedPollDelay", 5000) / 1000
        self.most = function.number("maxItemsPerInvocation", 100)
        """Changes that one batch has at most."""
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
        self._ready = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Read no further; batches that are being handled may end. The leases are given back."""
        self._stopping.set()
        if self._task is None:
            return
        readers = list(self._readers.values())
        try:
            async with asyncio.timeout(_GRACE), contextlib.AsyncExitStack() as batches:
                for reader in readers:
                    await batches.enter_async_context(reader.batch)
                self._task.cancel()
        except TimeoutError:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*(self._leases.release(reader.lease) for reader in readers), return_exceptions=True)
        await asyncio.gather(*(account.close() for account in self._accounts))

    async def unread(self) -> tuple[int, int]:
        """Changes that no host has handled, and in how many ranges they may lie. Raises FeedError."""
        from localazure.functions.cosmos_estimator import unread

        if not self._ready:
            return 0, 1
        leases = await self._leases.all()
        return await unread(self._account, self._container, leases, from_beginning=self._from_beginning), len(leases)

    async def _run(self) -> None:
        """Take leases and give them up, until the host stops."""
        try:
            while not self._stopping.is_set():
                await self._until_it_succeeds(self._balance)
                await self._clock.sleep(self._intervals.acquire)
        finally:
            tasks = [reader.task for reader in self._readers.values() if reader.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _balance(self) -> None:
        while not self._ready:
            self._ready = await self._leases.prepare(self._account, self._container)
            if not self._ready:
                await self._clock.sleep(_WHILE_ANOTHER_PREPARES)
        leases = await self._leases.all()
        await self._take(to_take(leases, self._leases.owner, self._is_free))

    def _is_free(self, lease: Lease) -> bool:
        """Also one of this host's own that it does not read: its taking was answered by a lost connection, say."""
        forgotten = lease["Owner"] == self._leases.owner and lease["LeaseToken"] not in self._readers
        return forgotten or self._leases.expired(lease)

    async def _take(self, leases: Iterable[Lease]) -> None:
        for lease in leases:
            try:
                owned = await self._leases.acquire(lease)
            except LeaseLost as exc:
                log.info("the change feed of '%s': %s", self._function.name, exc)
                continue
            reader = self._readers[owned["LeaseToken"]] = _Reader(owned)
            reader.task = asyncio.create_task(self._follow(reader))

    async def _follow(self, reader: _Reader) -> None:
        """Read one physical range while its lease is this host's."""
        name = reader.lease["LeaseToken"]
        reading, renewing = asyncio.create_task(self._read(reader)), asyncio.create_task(self._renew(reader))
        try:
            await asyncio.wait({reading, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if renewing.done():
                async with reader.batch:  # a batch that is under way may end, and may be given again elsewhere
                    reading.cancel()
            for task in (reading, renewing):
                task.cancel()
            for ended in await asyncio.gather(reading, renewing, return_exceptions=True):
                if isinstance(ended, LeaseLost):
                    log.warning("the change feed of '%s': %s", self._function.name, ended)
                elif isinstance(ended, Exception):
                    log.error("the change feed of '%s' failed", self._function.name, exc_info=ended)
        finally:
            for task in (reading, renewing):
                task.cancel()
            await asyncio.gather(reading, renewing, return_exceptions=True)
            if not self._stopping.is_set() and self._readers.get(name) is reader:
                del self._readers[name]

    async def _renew(self, reader: _Reader) -> None:
        await self._clock.sleep(self._intervals.renew / 2)
        while True:
            try:
                async with reader.writing:
                    reader.lease = await self._leases.renew(reader.lease)
            except FeedError as exc:
                log.warning("the change feed of '%s' cannot renew its lease: %s", self._function.name, exc)
            await self._clock.sleep(self._intervals.renew)

    async def _read(self, reader: _Reader) -> None:
        """Read on until the range is split, whose parts are then read instead."""
        gone = False

        async def step() -> None:
            nonlocal gone
            began, before = self._clock.time(), reader.lease["ContinuationToken"]
            gone = not await self._step(reader)
            if not gone and reader.lease["ContinuationToken"] != before:
                await self._clock.sleep(GATHER - (self._clock.time() - began))

        async def split() -> None:
            await self._take(await self._leases.split(reader.lease, self._account, self._container))

        while not self._stopping.is_set():
            await self._until_it_succeeds(step)
            if gone:
                return await self._until_it_succeeds(split)
        return None

    async def _until_it_succeeds(self, action: Callable[[], Awaitable[None]]) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                return await action()
            except (Interrupted, LeaseLost):
                raise
            except FeedError as exc:
                log.warning("the change feed of '%s' waits for Cosmos DB: %s", self._function.name, exc)
                await self._clock.sleep(pause)
                pause = min(_MAX_PAUSE, pause * 2)
            except Exception:
                log.exception("the change feed of '%s' failed", self._function.name)
                await self._clock.sleep(_MAX_PAUSE)
        return None

    async def _step(self, reader: _Reader) -> bool:
        """Read and handle one page; False if the range is there no more. Raises LeaseLost, FeedError, Interrupted."""
        place = reader.lease["ContinuationToken"]
        from_now = place is None and not self._from_beginning and self._from_time is None
        headers = {RANGE: reader.lease["LeaseToken"], **self._feed_headers(place)}
        status, found, document = await self._account.call(
            "GET", "docs", self._container, f"{self._container}/docs", headers
        )
        if status == _GONE:
            return False
        if status not in (200, 304):
            raise FeedError(f"{self._container}: {status} {document}")
        async with reader.batch:
            if status == 200 and document["Documents"]:
                # the trigger's .NET half reads the documents and writes them again
                given = Datum(dates_rewritten(json.dumps(document["Documents"])), "json")
                await succeeds(self._invoker, self._clock, self._function, self._policy, given, self._stopping)
            token = found.get("etag")
            if token and token != place and not (self._stopping.is_set() and status == 304):
                await self._checkpoint(reader, token)
        if status == 304 and not from_now and "x-localazure-waited" not in found:
            await self._clock.sleep(self._delay)
        return True

    async def _checkpoint(self, reader: _Reader, token: str) -> None:
        async with reader.writing:
            reader.lease = await self._leases.checkpoint(reader.lease, token)

    def _feed_headers(self, token: str | None) -> dict[str, str]:
        headers = {"A-IM": "Incremental Feed", "x-ms-max-item-count": str(self.most)}
        # the first answer comes at once: where the feed begins must be in the lease before the host can stop
        if token is None and self._from_time is not None:
            return {**headers, "If-Modified-Since": formatdate(self._from_time, usegmt=True)}
        if token is None and not self._from_beginning:
            return {**headers, "If-None-Match": "*"}
        headers["x-localazure-wait-ms"] = WAIT
        if token is not None:
            headers["If-None-Match"] = token
        return headers


def _intervals(function: Function) -> Intervals:
    """Raises InvalidFunction."""
    default = Intervals()
    given = Intervals(
        function.number("leaseAcquireInterval", int(default.acquire * 1000)) / 1000,
        function.number("leaseRenewInterval", int(default.renew * 1000)) / 1000,
        function.number("leaseExpirationInterval", int(default.expiration * 1000)) / 1000,
    )
    if given.renew >= given.expiration:
        raise InvalidFunction(
            function.name,
            f"its leases are renewed every {given.renew:g} s and expire after {given.expiration:g} s: two hosts would "
            "take them from each other for ever",
        )
    return given


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
