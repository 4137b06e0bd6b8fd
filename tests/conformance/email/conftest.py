"""The mail service in the test's own loop, with both official clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from azure.communication.email import EmailClient
from azure.communication.email.aio import EmailClient as AsyncEmailClient
from azure.core.credentials import AzureKeyCredential

from localazure.email import PART
from localazure.email.wire import KEY
from localazure.part import Config, Server

MESSAGE: dict[str, Any] = {
    "senderAddress": "shop@example.com",
    "recipients": {"to": [{"address": "ada@example.com", "displayName": "Ada"}]},
    "content": {"subject": "Hello", "plainText": "Hello, Ada", "html": "<p>Hello, Ada</p>"},
}


class Mailer:
    """The same calls on whichever client the test runs with."""

    def __init__(self, url: str, kind: str, key: str = KEY) -> None:
        self.kind = kind
        self._client: Any = (AsyncEmailClient if kind == "async" else EmailClient)(
            url, AzureKeyCredential(key), retry_total=0, polling_interval=0
        )

    async def send(self, message: dict[str, Any], **options: Any) -> dict[str, Any]:
        """The operation once it has ended."""
        if self.kind == "async":
            poller = await self._client.begin_send(message, **options)
            return dict(await poller.result())

        def wait() -> dict[str, Any]:
            return dict(self._client.begin_send(message, **options).result())

        return await asyncio.to_thread(wait)

    async def close(self) -> None:
        if self.kind == "async":
            await self._client.close()
        else:
            self._client.close()


@pytest.fixture
async def service() -> AsyncIterator[Server]:
    server = await PART.start(Config())
    yield server
    await server.stop()


@pytest.fixture(params=["sync", "async"])
async def mailer(service: Server, request: pytest.FixtureRequest) -> AsyncIterator[Mailer]:
    made = Mailer(service.url, request.param)
    yield made
    await made.close()


async def inbox(service: Server, to: str = "") -> list[dict[str, Any]]:
    """What has arrived, the newest first."""
    async with aiohttp.ClientSession() as session, session.get(f"{service.url}/_local/messages?to={to}") as answer:
        return list((await answer.json())["messages"])


async def fault(service: Server, **order: Any) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{service.url}/_local/faults", json=order) as answer:
        assert answer.status == 200, await answer.text()
