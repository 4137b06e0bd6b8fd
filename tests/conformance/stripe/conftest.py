"""The provider in the test's own loop, with a clock that only the test moves, and both official clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from localazure.clock import ManualClock
from localazure.part import Config, Server
from localazure.stripe import PART
from tests.conformance.webhooks import PATIENCE, local

START = 1_780_000_000.0

ORDER: dict[str, Any] = {
    "amount": 1250,
    "currency": "gbp",
    "capture_method": "manual",
    "allowed_payment_method_types": ["card"],
    "metadata": {"order_id": "order-1"},
}
"""An intent as the shop makes it: not yet confirmed, nothing held."""

Ask = Callable[..., Any]
"""`await ask("payment_intents.create", …)`: the same call on whichever client the test runs with."""


class SyncClient:
    def __init__(self, url: str, key: str = "sk_test_local") -> None:
        self._session = requests.Session()
        http = stripe.RequestsClient(session=self._session)
        self._services: Any = stripe.StripeClient(key, base_addresses={"api": url}, http_client=http).v1

    async def __call__(self, method: str, *arguments: Any) -> Any:
        call: Any = reduce(getattr, method.split("."), self._services)
        return await asyncio.to_thread(call, *arguments)

    async def close(self) -> None:
        self._session.close()


class AsyncClient:
    def __init__(self, url: str, key: str = "sk_test_local") -> None:
        self._http: Any = stripe.AIOHTTPClient(timeout=PATIENCE)
        self._services: Any = stripe.StripeClient(key, base_addresses={"api": url}, http_client=self._http).v1

    async def __call__(self, method: str, *arguments: Any) -> Any:
        call: Any = reduce(getattr, f"{method}_async".split("."), self._services)
        return await call(*arguments)

    async def close(self) -> None:
        await self._http.close_async()


@dataclass
class Provider:
    """A running provider, the clock it goes by, and what exists only here."""

    server: Server
    clock: ManualClock

    @property
    def url(self) -> str:
        return self.server.url

    async def ledger(self) -> dict[str, Any]:
        return dict(await self._local("GET", "ledger"))

    async def fault(self, operation: str, kind: str, **details: Any) -> None:
        await self._local("POST", "faults", {"operation": operation, "kind": kind, **details})

    async def clear_faults(self) -> None:
        await self._local("DELETE", "faults")

    async def _local(self, method: str, path: str, body: Any = None) -> Any:
        return await local(self.url, method, path, body)


@asynccontextmanager
async def running(
    options: dict[str, str] | None = None, state: Path | None = None, clock: ManualClock | None = None
) -> AsyncIterator[Provider]:
    clock = clock or ManualClock(START)
    server = await PART.start(Config(state=state, options=options or {}, clock=clock))
    try:
        yield Provider(server, clock)
    finally:
        await server.stop()


@asynccontextmanager
async def asking(provider: Provider) -> AsyncIterator[AsyncClient]:
    client = AsyncClient(provider.url)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running() as provider:
        yield provider


@pytest.fixture
async def ask(provider: Provider) -> AsyncIterator[Ask]:
    """The asynchronous client."""
    async with asking(provider) as client:
        yield client


@pytest.fixture(params=[SyncClient, AsyncClient], ids=["sync", "async"])
async def either(request: pytest.FixtureRequest, provider: Provider) -> AsyncIterator[Ask]:
    """The same test with the synchronous and with the asynchronous client."""
    client = request.param(provider.url)
    yield client
    await client.close()


async def held(ask: Ask, **changes: Any) -> Any:
    """An intent that holds money on a card."""
    intent = await ask("payment_intents.create", ORDER | changes)
    return await ask("payment_intents.confirm", intent.id, {"payment_method": "pm_card_visa"})
