"""The map and the percentiles, from what was sent."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Insights, envelope
from .test_console_traces import TRACE, get, span, status

TIERS = [
    span("a", role="shop", ago=60, url="/things"),
    span("t", role="store", trace="0" * 32, ago=60, name="a timer"),
    span("b", "a", "shop", kind="RemoteDependencyData", ago=60, type="Bus", target="t"),
    span("c", "b", "store", ago=60, success=False, responseCode="500"),
    span("d", "c", "store", kind="RemoteDependencyData", ago=60, type="Database", target="things"),
]


async def test_a_call_that_was_heard_leads_to_who_heard_it(insights: Insights) -> None:
    await insights.send(*TIERS)
    found = await get(insights, "services", minutes=15)
    assert {(edge["source"], edge["role"], edge["type"], edge["target"]) for edge in found["edges"]} == {
        ("shop", "store", "", ""),
        ("store", None, "Database", "things"),
    }
    assert [(node["role"], node["count"], node["failed"]) for node in found["nodes"]] == [
        ("shop", 1, 0),
        ("store", 2, 1),
    ]
    assert [entry["role"] for entry in found["entries"]] == ["shop"]


async def test_a_sampled_item_counts_for_those_it_stands_for(insights: Insights) -> None:
    await insights.send(envelope(_sampleRate=25))
    (node,) = (await get(insights, "services", minutes=15))["nodes"]
    assert node["count"] == 4


async def test_percentiles_are_those_of_their_time(insights: Insights) -> None:
    durations = [f"0.00:00:00.{number:03d}" for number in range(1, 101)]
    await insights.send(*(envelope(duration=duration, ago=600) for duration in durations))
    await insights.send(envelope(duration="0.00:00:05.000", success=False))
    found = await get(insights, "percentiles", minutes=15)
    points = [
        (count, failed, p50)
        for count, failed, p50 in zip(found["count"], found["failed"], found["p50"], strict=True)
        if count
    ]
    assert points == [(100, 0, 50.5), (1, 1, 5000.0)]
    assert {len(found[name]) for name in ("at", "p50", "p95", "p99", "count", "failed")} == {len(found["at"])}
    assert [later - earlier for earlier, later in zip(found["at"], found["at"][1:], strict=False)] == [
        found["step"]
    ] * (len(found["at"]) - 1)


async def test_percentiles_may_be_those_of_one_operation(insights: Insights) -> None:
    await insights.send(*TIERS, envelope(name="PUT /things"))
    assert sum((await get(insights, "percentiles", minutes=15, role="store"))["count"]) == 2
    assert sum((await get(insights, "percentiles", minutes=15, name="PUT /things"))["count"]) == 1
    assert sum((await get(insights, "percentiles", minutes=15, role="x' OR '1'='1"))["count"]) == 0


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "x", "1e9"])
async def test_a_time_that_is_none_is_refused(insights: Insights, minutes: Any) -> None:
    assert await status(insights, "percentiles", minutes=minutes) == 400
    assert await status(insights, "services", minutes=minutes) == 400


async def test_what_is_older_is_left_out(insights: Insights) -> None:
    await insights.send(envelope(ago=3600, _tags={"ai.cloud.role": "old", "ai.operation.id": TRACE}))
    assert (await get(insights, "services", minutes=15))["nodes"] == []
    assert [node["role"] for node in (await get(insights, "services", minutes=120))["nodes"]] == ["old"]
