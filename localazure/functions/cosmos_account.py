"""A Cosmos DB account over its REST API, as far as change-feed triggers need it.

Sources: "Access control on Azure Cosmos DB resources", "Query Documents" in the REST reference.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from azure.core.exceptions import AzureError

from localazure.functions.connecting import Connection

RANGE = "x-ms-documentdb-partitionkeyrangeid"
VERSION = "2020-07-15"
SCOPE = "https://cosmos.azure.com/.default"


class FeedError(Exception):
    """Cosmos DB did not answer as hoped; trying again makes sense."""


class Account:
    """A Cosmos DB account by its connection string, signed with its key, or by its address and an identity."""

    def __init__(self, connection: Connection, session: aiohttp.ClientSession) -> None:
        parts = connection.parts
        self._credential = None if connection.text else connection.credential()
        self._endpoint = (parts.get("AccountEndpoint") or connection.address).rstrip("/")
        self._key = base64.b64decode(parts.get("AccountKey", ""))
        self._session = session

    @property
    def host(self) -> str:
        """The host's name alone."""
        return urlsplit(self._endpoint).hostname or ""

    def same(self, other: Account) -> bool:
        """Whether both are one account."""
        return self._endpoint == other._endpoint

    async def close(self) -> None:
        if self._credential is not None:
            await self._credential.close()

    async def _authorization(self, method: str, kind: str, link: str, date: str) -> str:
        """Raises FeedError where the identity is given no token."""
        if self._credential is not None:
            try:
                token = (await self._credential.get_token(SCOPE)).token
            except AzureError as exc:
                raise FeedError(f"the identity has no token: {exc}") from exc
            return quote(f"type=aad&ver=1.0&sig={token}", safe="")
        signed = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n".encode()
        signature = base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).decode()
        return quote(f"type=master&ver=1.0&sig={signature}", safe="")

    async def call(
        self, method: str, kind: str, link: str, path: str, headers: Mapping[str, str], body: Any = None
    ) -> tuple[int, Mapping[str, str], Any]:
        """One authorized request: `kind` and `link` are what is signed. Raises FeedError from status 429 and 500 up."""
        date = formatdate(usegmt=True)
        token = await self._authorization(method, kind, link, date)
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


async def physical_ranges(account: Account, container: str) -> list[dict[str, Any]]:
    """The physical ranges of a container, by its link. Raises FeedError."""
    status, _, document = await account.call("GET", "pkranges", container, f"{container}/pkranges", {})
    if status != 200:
        raise FeedError(f"{container}: {status} {document}")
    return list(document["PartitionKeyRanges"])


async def queried(account: Account, container: str, query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a query finds in a container, by its link, range by range. Raises FeedError."""
    found: list[dict[str, Any]] = []
    named = [{"name": name, "value": value} for name, value in parameters.items()]
    question = {"query": query, "parameters": named}
    for each in await physical_ranges(account, container):
        headers = {
            "x-ms-documentdb-isquery": "true",
            "Content-Type": "application/query+json",
            "x-ms-documentdb-query-enablecrosspartition": "true",
            RANGE: str(each["id"]),
        }
        while True:
            status, answered, document = await account.call(
                "POST", "docs", container, f"{container}/docs", headers, question
            )
            if status != 200:
                raise FeedError(f"{container}: {status} {document}")
            found += document["Documents"]
            if not (more := answered.get("x-ms-continuation")):
                break
            headers["x-ms-continuation"] = more
    return found


async def rid(account: Account, container: str) -> str:
    """The resource id of a container, by its link. Raises FeedError."""
    status, _, document = await account.call("GET", "colls", container, container, {})
    if status != 200:
        raise FeedError(f"{container}: {status} {document}")
    return str(document["_rid"])


def partition(key: str) -> dict[str, str]:
    return {"x-ms-documentdb-partitionkey": json.dumps([key])}
