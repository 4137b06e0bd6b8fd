"""Cosmos DB change-feed triggers, over the REST API: leases in a container, a checkpoint after each good batch.

One host owns all leases here: they keep the place in the feed, not who reads it. A feed that has nothing new is
asked again after `feedPollDelay`; the local Cosmos DB server instead holds the question (`x-localazure-wait-ms`)
until something changes, which the real service would ignore.
Sources: "Access control on Azure Cosmos DB resources", "List Documents" (change feed) in the REST reference.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import aiohttp
from azure.functions.meta import Datum

from localazure.clock import Clock
from localazure.functions import newtonsoft
from localazure.functions.engine import Invoker
from localazure.functions.errors import InvalidFunction
from localazure.functions.indexing import Function
from localazure.functions.retry import Interrupted, policy_of, succeeds
from localazure.functions.settings import connection

log = logging.getLogger("localazure.functions")

VERSION = "2020-07-15"
WAIT = "5000"
"""Milliseconds that a server that can is asked to wait for a change."""
_LONGEST_PAUSE = 5.0
_GRACE = 20.0


class FeedError(Exception):
    """Cosmos DB did not answer as hoped; trying again makes sense."""


class Account:
    """A Cosmos DB account by its connection string, signed with its key."""

    def __init__(self, text: str, session: aiohttp.ClientSession) -> None:
        parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
        self._endpoint = parts["AccountEndpoint"].rstrip("/")
        self._key = base64.b64decode(parts["AccountKey"])
        self._session = session

    def same(self, other: Account) -> bool:
        """Whether both are one account."""
        return self._endpoint == other._endpoint

    async def call(
        self, method: str, kind: str, link: str, path: str, headers: Mapping[str, str], body: Any = None
    ) -> tuple[int, Mapping[str, str], Any]:
        """One signed request: `kind` and `link` are what is signed. Raises FeedError from status 429 and 500 up."""
        date = formatdate(usegmt=True)
        signed = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n".encode()
        signature = base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).decode()
        token = quote(f"type=master&ver=1.0&sig={signature}", safe="")
        sent = {"authorization": token, "x-ms-date": date, "x-ms-version": VERSION, **headers}
        data = None if body is None else json.dumps(body)
        try:
            async with self._session.request(method, f"{self._endpoint}/{path}", data=data, headers=sent) as answer:
                text = await answer.text()
                if answer.status == 429 or answer.status >= 500:
                    raise FeedError(f"{method} {path}: {answer.status}")
                return answer.status, answer.headers, json.loads(text) if text else None
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise FeedError(f"{method} {path}: {exc!r}") from exc


GATHER = 0.05
"""Seconds between the beginnings of two batches: what changes meanwhile comes in one, with one checkpoint. Azure's
trigger looks every feedPollDelay, and gathers far more."""


class Feed:
    """One function's change feed."""

    def __init__(self, function: Function, invoker: Invoker, clock: Clock, session: aiohttp.ClientSession) -> None:
        trigger = function.trigger
        self._function, self._invoker, self._clock = function, invoker, clock
        self._policy = policy_of(function)
        self._account = Account(connection(trigger.options["connection"]), session)
        lease_connection = trigger.options.get("leaseConnection")
        self._lease_account = Account(connection(lease_connection), session) if lease_connection else self._account
        database = trigger.text("databaseName")
        self._container = f"dbs/{database}/colls/{trigger.text('containerName')}"
        self._lease_database = f"dbs/{trigger.text('leaseDatabaseName', database)}"
        self._leases = trigger.text("leaseContainerName", "leases")
        self._make_leases = function.flag("createLeaseContainerIfNotExists")
        self._prefix = trigger.text("leaseContainerPrefix")
        self._delay = function.number("feedPollDelay", 5000) / 1000
        self._most = function.number("maxItemsPerInvocation", 100)
        self._from_beginning = function.flag("startFromBeginning")
        self._from_time = _start_time(function, self._from_beginning)
        if not self._container.strip("/"):
            raise InvalidFunction(function.name, "databaseName and containerName are required")
        if (
            self._lease_account.same(self._account)
            and self._container == f"{self._lease_database}/colls/{self._leases}"
        ):
            raise InvalidFunction(
                function.name, "The monitored container cannot be the same as the container storing the leases."
            )
        self._stopping = asyncio.Event()
        self._batch = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Read no further; a batch that is being handled may end."""
        self._stopping.set()
        if self._task is None:
            return
        try:
            async with asyncio.timeout(_GRACE), self._batch:
                self._task.cancel()
        except TimeoutError:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = 0.1
        while not self._stopping.is_set():
            try:
                lease = await self._lease()
                while not self._stopping.is_set():
                    began, before = self._clock.time(), lease
                    lease = await self._step(lease)
                    pause = 0.1
                    if lease is not before:
                        await self._clock.sleep(GATHER - (self._clock.time() - began))
            except Interrupted:
                return
            except FeedError as exc:
                log.warning("the change feed of '%s' waits for Cosmos DB: %s", self._function.name, exc)
                await self._clock.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            except Exception:
                log.exception("the change feed of '%s' failed", self._function.name)
                await self._clock.sleep(_LONGEST_PAUSE)

    async def _step(self, lease: dict[str, Any]) -> dict[str, Any]:
        from_now = lease["ContinuationToken"] is None and not self._from_beginning and self._from_time is None
        status, headers, document = await self._account.call(
            "GET", "docs", self._container, f"{self._container}/docs", self._feed_headers(lease["ContinuationToken"])
        )
        if status not in (200, 304):
            raise FeedError(f"{self._container}: {status} {document}")
        async with self._batch:
            if status == 200 and document["Documents"]:
                # the trigger's .NET half reads the documents and writes them again
                batch = Datum(newtonsoft.dates_rewritten(json.dumps(document["Documents"])), "json")
                await succeeds(self._invoker, self._clock, self._function, self._policy, batch, self._stopping)
            token = headers.get("etag")
            if token and token != lease["ContinuationToken"] and not (self._stopping.is_set() and status == 304):
                lease = await self._checkpoint(lease, token)
        if status == 304 and not from_now and "x-localazure-waited" not in headers:
            await self._clock.sleep(self._delay)
        return lease

    def _feed_headers(self, token: str | None) -> dict[str, str]:
        headers = {
            "A-IM": "Incremental Feed",
            "x-ms-documentdb-partitionkeyrangeid": "0",
            "x-ms-max-item-count": str(self._most),
        }
        # the first answer comes at once: where the feed begins must be in the lease before the host can stop
        if token is None and self._from_time is not None:
            return {**headers, "If-Modified-Since": formatdate(self._from_time, usegmt=True)}
        if token is None and not self._from_beginning:
            return {**headers, "If-None-Match": "*"}
        headers["x-localazure-wait-ms"] = WAIT
        if token is not None:
            headers["If-None-Match"] = token
        return headers

    async def _lease(self) -> dict[str, Any]:
        identifier = f"{self._prefix}{self._container.replace('/', '_')}..0"
        link = f"{self._lease_database}/colls/{self._leases}"
        headers = _partition(identifier)
        status, _, document = await self._lease_account.call(
            "GET", "docs", f"{link}/docs/{identifier}", f"{link}/docs/{identifier}", headers
        )
        if status == 200:
            return dict(document)
        if status != 404:
            raise FeedError(f"the lease container: {status} {document}")
        lease = {"id": identifier, "LeaseToken": "0", "ContinuationToken": None, "Owner": "localazure"}
        return await self._put(link, lease)

    async def _checkpoint(self, lease: dict[str, Any], token: str) -> dict[str, Any]:
        return await self._put(f"{self._lease_database}/colls/{self._leases}", {**lease, "ContinuationToken": token})

    async def _put(self, link: str, lease: dict[str, Any]) -> dict[str, Any]:
        headers = {"x-ms-documentdb-is-upsert": "true", **_partition(lease["id"])}
        status, _, document = await self._lease_account.call("POST", "docs", link, f"{link}/docs", headers, lease)
        if status == 404 and self._make_leases:
            await self._create_leases()
            status, _, document = await self._lease_account.call("POST", "docs", link, f"{link}/docs", headers, lease)
        if status not in (200, 201):
            raise FeedError(f"the lease of '{self._function.name}' cannot be written: {status} {document}")
        return dict(document)

    async def _create_leases(self) -> None:
        body = {"id": self._leases, "partitionKey": {"paths": ["/id"], "kind": "Hash"}}
        await self._lease_account.call("POST", "colls", self._lease_database, f"{self._lease_database}/colls", {}, body)


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


def _partition(key: str) -> dict[str, str]:
    return {"x-ms-documentdb-partitionkey": json.dumps([key])}
