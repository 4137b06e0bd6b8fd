"""The console over a million stored items: how long a search, a chart, a map and a trace take."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from scripts.bench.figures import percentiles
from scripts.bench.options import MeasurementFailed, Options, say
from scripts.bench.system import running

ITEMS = 1_000_000
BATCH = 10_000
"""Envelopes of one request, as many as the service takes."""
ROUNDS = 20
KEY = "00000000-0000-0000-0000-000000000001"
SPREAD = timedelta(hours=24)
"""Over which the items are spread, so that a chart of a day reads them all."""
_SHAPE = (("Request", 12), ("RemoteDependency", 20), ("Message", 8))
"""Items of one trace, by kind: about those of an order of one line."""


async def console(_: Options) -> dict[str, Any]:
    """Milliseconds by what is asked for, of twenty askings each. Raises MeasurementFailed for a wrong answer."""
    async with running(["insights"], {"insights.max_items": str(2 * ITEMS)}) as system:
        url = system.addresses["insights"]
        async with aiohttp.ClientSession() as session:
            began = time.perf_counter()
            subjects = await _fill(session, url)
            filled = time.perf_counter() - began
            found: dict[str, Any] = {"items": ITEMS, "fill_per_second": round(ITEMS / filled)}
            for name, path, parameters in _questions(subjects):
                say(f"  console: {name}")
                taken = [await _ask(session, f"{url}/console/api/{path}", parameters) for _ in range(ROUNDS)]
                found[f"{name}_ms"] = percentiles(taken)
            return found


def _questions(subjects: list[str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    day = {"minutes": str(SPREAD / timedelta(minutes=1))}
    subject = subjects[len(subjects) // 2]
    yield "search_by_id", "search", {"text": subject}
    yield "search_by_beginning", "search", {"text": subject[:10]}
    yield "latest", "search", {}
    yield "trace", "subject", {"id": subject}
    yield "percentiles_of_a_day", "percentiles", day
    yield "map_of_an_hour", "services", {"minutes": "60"}
    yield "map_of_a_day", "services", day


async def _ask(session: aiohttp.ClientSession, url: str, parameters: dict[str, str]) -> float:
    began = time.perf_counter()
    async with session.get(url, params=parameters) as answer:
        content = await answer.read()
        if answer.status != 200 or len(content) < 100:
            raise MeasurementFailed(f"{url} answered {answer.status}: {content[:200]!r}")
    return 1000 * (time.perf_counter() - began)


async def _fill(session: aiohttp.ClientSession, url: str) -> list[str]:
    """Send the items through the ingestion, and return what they are about."""
    say(f"  console: storing {ITEMS:,} items")
    each = sum(number for _, number in _SHAPE)
    subjects = [f"ord_{secrets.token_hex(13)}" for _ in range(ITEMS // each)]
    begin = datetime.now(UTC) - SPREAD
    step = SPREAD / len(subjects)
    traces = (_trace(subject, begin + place * step) for place, subject in enumerate(subjects))
    batch: list[dict[str, Any]] = []
    for trace in traces:
        batch += trace
        if len(batch) + each > BATCH or trace[0]["tags"]["about"] == subjects[-1]:
            async with session.post(f"{url}/v2.1/track", data=json.dumps(batch)) as answer:
                if answer.status != 200:
                    raise MeasurementFailed(f"the ingestion answered {answer.status}: {(await answer.text())[:300]}")
            batch.clear()
    async with session.get(f"{url}/_local/counts") as answer:
        if (kept := sum((await answer.json()).values())) != ITEMS:
            raise MeasurementFailed(f"of {ITEMS:,} items {kept:,} are stored")
    return subjects


def _trace(subject: str, at: datetime) -> list[dict[str, Any]]:
    trace, parent = secrets.token_hex(16), ""
    found: list[dict[str, Any]] = []
    for place, kind in enumerate(kind for kind, number in _SHAPE for _ in range(number)):
        identifier, role = secrets.token_hex(8), ("front", "stock", "money")[place % 3]
        tags = {"ai.operation.id": trace, "ai.operation.parentId": parent, "ai.cloud.role": role, "about": subject}
        found.append(
            {
                "name": f"Microsoft.ApplicationInsights.{kind}",
                "time": (at + timedelta(milliseconds=place)).isoformat(),
                "iKey": KEY,
                "tags": tags,
                "data": {"baseType": f"{kind}Data", "baseData": _data(kind, identifier, role, subject, place)},
            }
        )
        parent = identifier if kind == "Request" else parent
    return found


def _data(kind: str, identifier: str, role: str, subject: str, place: int) -> dict[str, Any]:
    properties = {"order_id": subject, "event_id": f"thing.{place}:{subject}"}
    if kind == "Message":
        return {"message": "thing.done", "severityLevel": 1, "properties": properties}
    duration = f"00:00:00.{1 + secrets.randbelow(400):03d}000"
    call = {"id": identifier, "duration": duration, "success": secrets.randbelow(50) > 0}
    if kind == "Request":
        return call | {"name": f"work_{place % 7}", "responseCode": "200", "properties": properties}
    about = {"type": "Azure DocumentDB", "target": role, "data": "things", "resultCode": "200"}
    return call | {"name": "read"} | about | {"properties": {"charge": "2.29"}}
