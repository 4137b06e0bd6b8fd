"""What a change-feed trigger asks of Cosmos DB besides the feed: the physical ranges, and a lease for each.

A lease says how far its range has been read. A range that was split has its lease's place taken over by the leases of
the ranges that replace it, and loses its own once they are all written: whenever the host dies, nothing is left out.
Sources: "Access control on Azure Cosmos DB resources" (REST reference); "Change feed processor in Azure Cosmos DB".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import aiohttp

Lease = dict[str, Any]
RANGE = "x-ms-documentdb-partitionkeyrangeid"
VERSION = "2020-07-15"


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


class Leases:
    """The leases of one function's feed: documents in the container `link` of `account`.

    `stem` is what their ids begin with, and `make` says whether the container is made if it is not there.
    """

    def __init__(self, account: Account, database: str, container: str, stem: str, make: bool) -> None:
        self._account, self._database, self._container = account, database, container
        self._link = f"{database}/colls/{container}"
        self._stem, self._make = stem, make

    async def of(self, ranges: Iterable[Mapping[str, Any]]) -> dict[str, Lease]:
        """A lease for each of the ranges, by its id; those of ranges that were split are taken over."""
        found: dict[str, Lease] = {}
        gone: dict[str, Lease] = {}
        for each in ranges:
            name = str(each["id"])
            lease = await self.read(name)
            if lease is None:
                former = await self._former(each["parents"], gone)
                place = None if former is None else former["ContinuationToken"]
                lease = await self._put(
                    {"id": self._id(name), "LeaseToken": name, "ContinuationToken": place, "Owner": "localazure"}
                )
            found[name] = lease
        for lease in gone.values():
            await self._drop(lease)
        return found

    async def _former(self, parents: list[str], known: dict[str, Lease]) -> Lease | None:
        """The lease of the nearest of the ranges, oldest first, that a range came from; also put into `known`."""
        for name in reversed(parents):
            lease = known.get(name) or await self.read(name)
            if lease is not None:
                known[name] = lease
                return lease
        return None

    async def read(self, name: str) -> Lease | None:
        """The lease of a range; `None` for none. Raises FeedError."""
        identifier = self._id(name)
        path = f"{self._link}/docs/{identifier}"
        status, _, document = await self._account.call("GET", "docs", path, path, _partition(identifier))
        if status == 200:
            return dict(document)
        if status != 404:
            raise FeedError(f"the lease container: {status} {document}")
        return None

    async def checkpoint(self, lease: Lease, token: str) -> Lease:
        """Write how far the range has been read. Raises FeedError."""
        return await self._put({**lease, "ContinuationToken": token})

    async def _put(self, lease: Lease) -> Lease:
        headers = {"x-ms-documentdb-is-upsert": "true", **_partition(lease["id"])}
        path = f"{self._link}/docs"
        status, _, document = await self._account.call("POST", "docs", self._link, path, headers, lease)
        if status == 404 and self._make:
            await self._create_container()
            status, _, document = await self._account.call("POST", "docs", self._link, path, headers, lease)
        if status not in (200, 201):
            raise FeedError(f"the lease {lease['id']} cannot be written: {status} {document}")
        return dict(document)

    async def _drop(self, lease: Lease) -> None:
        path = f"{self._link}/docs/{lease['id']}"
        await self._account.call("DELETE", "docs", path, path, _partition(lease["id"]))

    async def _create_container(self) -> None:
        body = {"id": self._container, "partitionKey": {"paths": ["/id"], "kind": "Hash"}}
        await self._account.call("POST", "colls", self._database, f"{self._database}/colls", {}, body)

    def _id(self, name: str) -> str:
        return f"{self._stem}..{name}"


async def physical_ranges(account: Account, container: str) -> list[dict[str, Any]]:
    """The physical ranges of a container, by its link. Raises FeedError."""
    status, _, document = await account.call("GET", "pkranges", container, f"{container}/pkranges", {})
    if status != 200:
        raise FeedError(f"{container}: {status} {document}")
    return list(document["PartitionKeyRanges"])


def _partition(key: str) -> dict[str, str]:
    return {"x-ms-documentdb-partitionkey": json.dumps([key])}
