"""The carriers' provider in the test's own loop, with a clock that only the test moves, and the official client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import easypost
import pytest

from localazure.clock import ManualClock
from localazure.easypost import PART
from localazure.part import Config, Server
from tests.conformance.webhooks import local

START = 1_780_000_000.0
SECRET = "hook_of_the_test"


@dataclass
class Carriers:
    """A running provider, the clock it goes by, the official client, and what exists only here."""

    server: Server
    clock: ManualClock
    client: Any

    async def ask(self, method: str, *arguments: Any, **parameters: Any) -> Any:
        """`ask("create", tracking_code="…")`: a call of the client's trackers."""
        return await asyncio.to_thread(getattr(self.client.tracker, method), *arguments, **parameters)

    async def say(self, tracking_code: str, status: str) -> None:
        await self.local("POST", f"trackers/{tracking_code}", {"status": status})

    async def fault(self, operation: str, kind: str, **details: Any) -> None:
        await self.local("POST", "faults", {"operation": operation, "kind": kind, **details})

    async def local(self, method: str, path: str, body: Any = None) -> Any:
        return await local(self.server.url, method, path, body)


def client_of(server: Server, key: str = "EZTK_local", timeout: int = 10) -> Any:
    return easypost.EasyPostClient(key, api_base=f"{server.url}/v2", timeout=timeout)


@asynccontextmanager
async def running(
    options: dict[str, str] | None = None, state: Path | None = None, clock: ManualClock | None = None
) -> AsyncIterator[Carriers]:
    clock = clock or ManualClock(START)
    server = await PART.start(Config(state=state, options=options or {}, clock=clock))
    client = client_of(server)
    try:
        yield Carriers(server, clock, client)
    finally:
        client._requests_session.close()
        await server.stop()


@pytest.fixture
async def carriers() -> AsyncIterator[Carriers]:
    async with running() as made:
        yield made
