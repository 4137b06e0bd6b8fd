"""The part in the test's own loop, with a clock that only the test moves, and envelopes as the SDKs write them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from localazure.clock import Clock, ManualClock
from localazure.insights import PART
from localazure.insights.wire import DEFAULT_KEY
from localazure.part import Config, Server

START = 1_780_000_000.0
NOW = datetime.fromtimestamp(START, UTC)
CALL = {"id": "a1", "duration": "0.00:00:00.250", "responseCode": "200", "success": True, "name": "GET /things"}
DATA: dict[str, dict[str, Any]] = {
    "RequestData": CALL,
    "RemoteDependencyData": {"id": "d1", "duration": "00:00:00.0105", "name": "read", "type": "Azure DocumentDB"},
    "MessageData": {"message": "hello", "severityLevel": 1},
    "ExceptionData": {"exceptions": [{"typeName": "KeyError", "message": "lost", "parsedStack": [{"method": "find"}]}]},
    "MetricData": {"metrics": [{"name": "depth", "value": 3.5}]},
    "EventData": {"name": "opened", "measurements": {"size": 2.5}},
}


def envelope(kind: str = "RequestData", *, ago: float = 0, **changes: Any) -> dict[str, Any]:
    """A valid one, `ago` seconds old; `changes` are of its data, or with an underscore of the envelope itself."""
    own = {name[1:]: value for name, value in changes.items() if name.startswith("_")}
    data = DATA[kind] | {name: value for name, value in changes.items() if not name.startswith("_")}
    return {
        "ver": 1,
        "name": "Microsoft.ApplicationInsights.Item",
        "time": (NOW - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "iKey": DEFAULT_KEY,
        "tags": {"ai.operation.id": "op", "ai.operation.parentId": "p", "ai.cloud.role": "orders"},
        "data": {"baseType": kind, "baseData": data},
    } | own


@dataclass
class Insights:
    """A running part, the clock it goes by, and the two things one does with it."""

    server: Server
    clock: ManualClock
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return self.server.url

    async def send(self, *envelopes: Any, **options: Any) -> tuple[int, dict[str, Any]]:
        """Status and body of the ingestion's answer."""
        options.setdefault("data", json.dumps(envelopes))
        async with self.session.post(f"{self.url}/v2.1/track", **options) as answer:
            return answer.status, await answer.json()

    async def ask(self, query: str, timespan: str | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a query's answer."""
        url = f"{self.url}/v1/apps/{DEFAULT_KEY}/query"
        body = {"query": query, "timespan": timespan}
        async with self.session.post(url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def rows(self, query: str, timespan: str | None = None) -> list[dict[str, Any]]:
        status, answer = await self.ask(query, timespan)
        assert status == 200, answer
        table = answer["tables"][0]
        names = [column["name"] for column in table["columns"]]
        return [dict(zip(names, row, strict=True)) for row in table["rows"]]

    async def counts(self) -> dict[str, int]:
        """Rows by table."""
        async with self.session.get(f"{self.url}/_local/counts") as answer:
            return dict(await answer.json())

    async def fault(self, kind: str, **details: Any) -> None:
        async with self.session.post(f"{self.url}/_local/faults", json={"kind": kind, **details}) as answer:
            assert answer.status == 200, await answer.text()


async def until(true: Callable[[], Awaitable[Any]]) -> None:
    """Wait for what the part brings about. Raises TimeoutError after ten seconds."""
    async with asyncio.timeout(10):
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(
    options: dict[str, str] | None = None, clock: Clock | None = None, state: Path | None = None
) -> AsyncIterator[Insights]:
    manual = ManualClock(START)
    server = await PART.start(Config(state=state, options=options or {}, clock=clock or manual))
    try:
        async with aiohttp.ClientSession() as session:
            yield Insights(server, manual, session)
    finally:
        await server.stop()


@pytest.fixture
async def insights() -> AsyncIterator[Insights]:
    async with running() as insights:
        yield insights
