"""Time, memory and number: a query that does not end, one that is too large, and what is kept at most."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from localazure.insights import queries
from localazure.insights.wire import DEFAULT_KEY

from .conftest import DATA, Insights, envelope, running

ROOT = Path(__file__).parents[3]
ENDLESS = (
    "range x from 1 to 1000000 step 1 | extend k = 1 "
    "| join kind=inner (range y from 1 to 1000000 step 1 | extend k = 1) on k | summarize sum(x * y)"
)


async def test_a_query_that_does_not_end_is_ended(insights: Insights) -> None:
    status, answer = await insights.ask(ENDLESS, Prefer="wait=1")
    assert (status, answer["error"]["code"]) == (504, "GatewayTimeout")
    assert await insights.rows("print 1") == [{"print_0": 1}]


async def test_a_query_whose_caller_has_gone_is_ended(insights: Insights) -> None:
    for _ in range(queries.MAX_CONCURRENCY):
        asking = asyncio.create_task(insights.ask(ENDLESS))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking, 1)
    assert await insights.rows("print 1") == [{"print_0": 1}]


async def test_telemetry_is_taken_while_queries_run(insights: Insights) -> None:
    asking = [asyncio.create_task(insights.ask(ENDLESS, Prefer="wait=3")) for _ in range(queries.MAX_CONCURRENCY)]
    while not any(task.done() for task in asking):
        assert (await insights.send(envelope()))[0] == 200
    await asyncio.gather(*asking)


async def test_too_many_queries_are_told_to_come_again(insights: Insights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "WAITING", 2)
    asking = [asyncio.create_task(insights.ask(ENDLESS, Prefer="wait=2")) for _ in range(3)]
    assert sorted([status for status, _ in await asyncio.gather(*asking)]) == [429, 504, 504]


async def test_a_query_nested_without_end_holds_nobody_up(insights: Insights) -> None:
    status, answer = await insights.ask("print " + "(" * 30_000 + "1" + ")" * 30_000, Prefer="wait=5")
    assert status in {400, 504}, answer
    assert (await insights.ask("print " + "x" * 70_000))[1]["error"]["innererror"]["code"] == "SyntaxError"
    assert await insights.rows("print 1") == [{"print_0": 1}]


async def test_an_answer_that_is_too_large_is_cut_and_says_so(
    insights: Insights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "ROWS", 1000)
    status, answer = await insights.ask("range x from 1 to 5000 step 1")
    assert (status, answer["error"]["code"]) == (200, "PartialError")
    assert len(answer["tables"][0]["rows"]) == 1000


async def test_the_oldest_items_are_forgotten() -> None:
    async with running({"max_items": "500"}) as insights:
        for start in range(0, 11_000, 1000):
            await insights.send(*(envelope("MetricData", metrics=[point(n)]) for n in range(start, start + 1000)))
        (row,) = await insights.rows("customMetrics | summarize n = count(), oldest = min(value)")
        assert row["n"] <= 1500
        assert row["oldest"] >= 9500


def point(value: int) -> dict[str, Any]:
    return {**DATA["MetricData"]["metrics"][0], "value": value}


async def test_what_is_older_than_the_retention_is_not_seen() -> None:
    async with running({"retention_days": "1"}) as insights:
        await insights.send(envelope(id="older", ago=86_000), envelope(id="newer"))
        await insights.clock.advance(1000)
        assert [row["id"] for row in await insights.rows("requests")] == ["newer"]


@pytest.mark.parametrize(
    "options", [{"retention_days": "none"}, {"retention_days": "0"}, {"max_items": "-1"}, {"max_items": "nan"}]
)
async def test_an_option_that_cannot_be_read_is_named(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        async with running(options):
            pass


@asynccontextmanager
async def process(state: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The part in a process of its own, as `up` starts it: its address, and the process."""
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localazure", "insights", "--port", "0", "--state", str(state)),
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert started.stdout is not None
        line = (await started.stdout.readline()).decode()
        yield line.split()[-1], started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def test_a_query_that_wants_all_memory_fails_alone(tmp_path: Path) -> None:
    async with process(tmp_path) as (url, _), aiohttp.ClientSession() as session:
        path = f"{url}/v1/apps/{DEFAULT_KEY}/query"
        for query in ("range x from 1 to 3000000000 step 1 | count", "print strlen(strrep('a', 4000000000))"):
            async with session.post(path, json={"query": query}) as answer:
                body = await answer.json()
                assert (answer.status, body["error"]["innererror"]["code"]) == (400, "ResourceExceeded"), body
        async with session.post(path, json={"query": "print 1"}) as answer:
            assert answer.status == 200


async def test_what_was_accepted_outlives_a_killed_process(tmp_path: Path) -> None:
    async with process(tmp_path) as (url, killed), aiohttp.ClientSession() as session:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        batch = [envelope(id=str(number), _time=now) for number in range(300)]
        async with session.post(f"{url}/v2.1/track", json=batch) as answer:
            assert answer.status == 200
        killed.kill()
        await killed.wait()
    async with (
        process(tmp_path) as (url, _),
        aiohttp.ClientSession() as session,
        session.get(f"{url}/_local/counts") as answer,
    ):
        assert (await answer.json())["requests"] == 300
