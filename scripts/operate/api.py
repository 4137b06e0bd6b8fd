"""The API as the operator's command line asks it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import aiohttp

from scripts.shop import BACK_OFFICE, KEY_HEADER, ApiError, addresses, token

ENDED = ("completed", "failed", "cancelled")
MAX_PAGE = 100
PATIENCE = 120.0
"""Seconds that one answer may take: a queue of 20,000 dead letters is counted by looking at each."""


class Absent(ApiError):
    """What was asked for is not there."""


@dataclass(frozen=True)
class Access:
    """Where the API is and who asks. `url` ends in the version; empty: the system that runs on this machine."""

    url: str = ""
    token: str = ""
    key: str = ""
    account: str = "admin"
    state: Path = Path(".local")


class Api:
    """One operator at the API."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE))
        self._url, self._headers = access.url.rstrip("/"), dict[str, str]()

    async def __aenter__(self) -> Api:
        """Raises ApiError where nothing runs here, or nobody may sign in."""
        access = self._access
        try:
            key, held = access.key, access.token
            if not self._url:
                running = addresses(access.state)
                self._url, key = f"{running['apim']}/v1", key or BACK_OFFICE
                held = held or await token(self._session, running["entra"], access.account)
            if not held:
                raise ApiError("an API elsewhere needs an access token: set OPERATE_TOKEN")
        except BaseException:
            await self._session.close()
            raise
        self._headers = {"Authorization": f"Bearer {held}"} | ({KEY_HEADER: key} if key else {})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """The JSON answer. Raises ApiError for any status from 400 up, with what the problem document says."""
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        try:
            async with self._session.request(method, self._url + path, json=body, headers=headers) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise ApiError(f"{self._url} does not answer ({type(exc).__name__})") from exc
        if answer.status >= 400:
            raise (Absent if answer.status == 404 else ApiError)(_told(answer.status, text))
        return json.loads(text)

    async def each(self, path: str, asked: Mapping[str, Any], most: int) -> AsyncIterator[Any]:
        """The items of a list, page by page, at most `most`."""
        cursor = None
        while most > 0:
            query = {name: value for name, value in asked.items() if value is not None}
            query |= {"limit": min(MAX_PAGE, most)} | ({"cursor": cursor} if cursor else {})
            page = await self.call("GET", f"{path}?{urlencode(query)}")
            for item in page["items"][:most]:
                yield item
            most -= len(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return


def _told(status: int, text: str) -> str:
    try:
        problem = json.loads(text)
        told = f"{problem['title']}: {problem['detail']} ({str(problem['type']).rpartition(':')[2]})"
        return f"{told}; trace {problem['trace_id']}"
    except (ValueError, LookupError, TypeError):
        return f"the API answered {status}"
