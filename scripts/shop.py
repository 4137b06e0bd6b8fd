"""A small client of the API, as a partner would write one: tokens, keys, requests, errors that say what is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

from localazure.running import find

STATE = Path(os.environ.get("LOCALAZURE_STATE", ".local"))
TENANT = "durable-commerce.local"
CLIENT_ID = "scripts"
STAFF = ("staff", "admin")
PARTNER = "partner"
KEY_HEADER = "Ocp-Apim-Subscription-Key"
BACK_OFFICE = "local-back-office-primary"
"""The seeded subscription of the shop's own tools: loading a whole catalog is more than a shopper may ask."""


class ApiError(RuntimeError):
    """The API refused; the message holds the problem document, `code` the last part of its type."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Shop:
    """One shopper, or one member of staff, at the API."""

    def __init__(self, account: str = "shopper", state: Path = STATE, key: str = "") -> None:
        self._account = account
        self._addresses = addresses(state)
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=60), connector=aiohttp.TCPConnector(limit=64)
        )
        self._token = ""
        key = key or (BACK_OFFICE if account in STAFF else "")
        self._key = {KEY_HEADER: key} if key else {}

    async def __aenter__(self) -> Shop:
        self._token = await token(self._session, self._addresses["entra"], self._account)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON answer of `/v1{path}` at the gateway. Raises ApiError for any status from 400 up."""
        url = f"{self._addresses['apim']}/v1{path}"
        headers = {"Authorization": f"Bearer {self._token}", **self._key, **(headers or {})}
        async with self._session.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise ApiError(f"{method} {path}: {answer.status} {text}", _code(text))
            return json.loads(text) if text else None


def _code(text: str) -> str:
    try:
        return str(json.loads(text)["type"]).rpartition(":")[2]
    except (ValueError, LookupError, TypeError):
        return ""


async def token(session: aiohttp.ClientSession, issuer: str, account: str) -> str:
    """An access token for a seeded account: by its secret for the partner's application, and for people by the password
    grant that is there for scripts alone."""
    form = {"scope": "api://durable-commerce/.default"}
    if account == PARTNER:
        form |= {"grant_type": "client_credentials", "client_id": account, "client_secret": f"local-{account}"}
    else:
        form |= {"grant_type": "password", "client_id": CLIENT_ID}
        form |= {"username": account, "password": f"local-{account}"}
    async with session.post(f"{issuer}/{TENANT}/oauth2/v2.0/token", data=form) as answer:
        document = await answer.json()
        if answer.status != 200:
            raise ApiError(f"no token for {account}: {document.get('error_description', document)}")
        return str(document["access_token"])


def addresses(state: Path = STATE) -> dict[str, str]:
    """Where the running system listens. Raises ApiError if it does not run, or is still starting."""
    running = find(state)
    if running is None:
        raise ApiError(f"nothing is running on {state}; start it with `make run`")
    if not running.addresses:
        raise ApiError(f"what runs on {state} is still starting; try again in a moment")
    return dict(running.addresses)
