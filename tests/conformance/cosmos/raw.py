"""Requests as they are on the wire, signed as the REST reference says, for what a client would not send or hides."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import quote, unquote

import aiohttp
import yarl

from localazure.cosmos import EMULATOR_KEY


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def substatus(self) -> str:
        return self.headers.get("x-ms-substatus", "")


@dataclass(frozen=True)
class Wire:
    """A connection to a server's address."""

    url: str
    session: aiohttp.ClientSession
    key: str = EMULATOR_KEY

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        signed: tuple[str, str] | None = None,
        moment: float | None = None,
    ) -> Reply:
        """`path` is percent-encoded; `signed` are the resource type and link, unless those of the path's names.

        `body` is sent as it is if it is bytes, else as JSON.
        """
        date = formatdate(moment, usegmt=True)
        kind, link = signed or _signed(path)
        text = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n".encode()
        signature = base64.b64encode(hmac.new(base64.b64decode(self.key), text, hashlib.sha256).digest()).decode()
        token = quote(f"type=master&ver=1.0&sig={signature}", safe="")
        sent = {"authorization": token, "x-ms-date": date, "x-ms-version": "2020-07-15", **(headers or {})}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        stream = None if data is None else io.BytesIO(data)
        url = yarl.URL(f"{self.url}{path}", encoded=True)
        async with self.session.request(method, url, data=stream, headers=sent) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def query(self, path: str, text: str, headers: Mapping[str, str] | None = None) -> Reply:
        as_query = {"content-type": "application/query+json", "x-ms-documentdb-isquery": "True"}
        return await self.call("POST", path, {"query": text, "parameters": []}, {**as_query, **(headers or {})})


def _signed(path: str) -> tuple[str, str]:
    parts = path.strip("/").split("/")
    if len(parts) % 2:
        return parts[-1], unquote("/".join(parts[:-1]))
    return parts[-2], unquote("/".join(parts))


@asynccontextmanager
async def wire(url: str, key: str = EMULATOR_KEY) -> AsyncIterator[Wire]:
    async with aiohttp.ClientSession() as session:
        yield Wire(url, session, key)


def key_header(*values: Any) -> dict[str, str]:
    return {"x-ms-documentdb-partitionkey": json.dumps(list(values))}


def of_range(name: str) -> dict[str, str]:
    return {"x-ms-documentdb-partitionkeyrangeid": name}
