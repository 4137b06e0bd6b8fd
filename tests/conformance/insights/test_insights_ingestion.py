"""What the ingestion takes, what it refuses and in which words, and what a fault makes of it."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from functools import partial
from typing import Any

import aiohttp
import pytest

from .conftest import DATA, Insights, envelope, running, until

ACCEPTED = (200, 1)


async def refusal(insights: Insights, item: Any) -> str:
    status, answer = await insights.send(item)
    assert (status, answer["itemsReceived"], answer["itemsAccepted"]) == (400, 1, 0), answer
    (error,) = answer["errors"]
    assert (error["index"], error["statusCode"]) == (0, 400)
    return str(error["message"])


@pytest.mark.parametrize("kind", DATA)
async def test_every_kind_of_telemetry_is_taken(insights: Insights, kind: str) -> None:
    status, answer = await insights.send(envelope(kind))
    assert (status, answer) == (200, {"itemsReceived": 1, "itemsAccepted": 1, "errors": []})


async def test_a_batch_that_is_valid_in_part_is_kept_in_part(insights: Insights) -> None:
    batch = [envelope(id="a"), envelope(id=""), envelope(id="c"), envelope("MessageData", message=7)]
    status, answer = await insights.send(*batch)
    assert status == 206
    assert (answer["itemsReceived"], answer["itemsAccepted"]) == (4, 2)
    assert answer["errors"] == [
        {
            "index": 1,
            "statusCode": 400,
            "message": "109: Field 'id' on type 'RequestData' is required but missing or empty. "
            "Expected: string, Actual: undefined",
        },
        {
            "index": 3,
            "statusCode": 400,
            "message": "106: Field 'message' on type 'MessageData' is of incorrect type. "
            "Expected: string, Actual: number",
        },
    ]
    assert {row["id"] for row in await insights.rows("requests")} == {"a", "c"}


async def test_one_object_and_one_object_a_line_are_batches_too(insights: Insights) -> None:
    status, _ = await insights.send(data=json.dumps(envelope(id="one")))
    assert status == 200
    lines = "\n".join(json.dumps(envelope(id=name)) for name in ("two", "three"))
    status, answer = await insights.send(data=lines, headers={"Content-Type": "application/x-json-stream"})
    assert (status, answer["itemsAccepted"]) == (200, 2)
    assert {row["id"] for row in await insights.rows("requests")} == {"one", "two", "three"}


async def test_a_packed_batch_is_unpacked(insights: Insights) -> None:
    packed = gzip.compress(json.dumps([envelope()] * 3).encode())
    status, answer = await insights.send(data=packed, headers={"Content-Encoding": "gzip"})
    assert (status, answer["itemsAccepted"]) == (200, 3)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"time": "2020"}, "109: Field 'name' on type 'Envelope' is required"),
        (7, "106: Envelope is of incorrect type. Expected: object, Actual: number"),
        (envelope(_iKey="11111111-2222-3333-4444-555555555555"), "100: Invalid instrumentation key"),
        (envelope(_time="yesterday"), "106: Field 'time' on type 'Envelope' is of incorrect format"),
        (
            envelope(ago=2 * 86400 + 1),
            "103: Field 'time' on type 'Envelope' is older than the allowed min date. "
            "Expected: now - 172800000ms, Actual: now - 172801000ms",
        ),
        (envelope(ago=-86401), "103: Field 'time' on type 'Envelope' is newer"),
        (envelope(_sampleRate=0), "106: Field 'sampleRate' on type 'Envelope' is out of range"),
        (envelope(_data={"baseType": "PageViewData", "baseData": {"name": "x"}}), "110: baseType 'PageViewData'"),
        (envelope(duration="fast"), "106: Field 'duration' is of incorrect format"),
        (envelope(name="n" * 1025), "107: Field 'name' on type 'RequestData' is too long"),
        (envelope("MessageData", message="m" * 32769), "107: Field 'message' on type 'MessageData' is too long"),
        (envelope("MessageData", severityLevel=9), "106: Field 'severityLevel' on type 'MessageData' is out of range"),
        (envelope(properties={"k" * 151: "v"}), "107: A name in 'properties' is too long"),
        (envelope(properties={"k": "v" * 8193}), "107: A value in 'properties' is too long"),
        (envelope(measurements={"k": "many"}), "106: A value in 'measurements' is of incorrect type"),
        (envelope(properties={f"k{n}": "v" * 8000 for n in range(9)}), "107: Envelope is too large"),
        (
            envelope("ExceptionData", exceptions=[{"typeName": "E", "message": ""}]),
            "109: Field 'message' on type 'ExceptionDetails' is required but missing or empty. "
            "Expected: string, Actual: undefined",
        ),
        (envelope("MetricData", metrics=[{"name": "m", "value": "1"}]), "106: Field 'value' on type 'DataPoint'"),
        (envelope("MetricData", metrics=[{"name": "m", "value": 1, "count": 2**40}]), "106: Field 'count'"),
        (envelope(name="\ud800"), "106: Envelope holds what is neither Unicode"),
    ],
)
async def test_what_is_malformed_is_refused_by_field(insights: Insights, item: Any, message: str) -> None:
    assert (await refusal(insights, item)).startswith(message)


@pytest.mark.parametrize("value", ["1e999", "NaN", "1" + "0" * 400], ids=["infinite", "nan", "large"])
async def test_a_number_that_no_double_holds_spoils_nobody_elses_batch(insights: Insights, value: str) -> None:
    text = json.dumps(envelope("MetricData", metrics=[{"name": "m", "value": 123456789}]))
    status, _ = await insights.send(data=text.replace("123456789", value))
    assert status == 400
    assert (await insights.send(envelope()))[0] == 200


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, '[{"a": ' * 50_000, '{"a": 1}\n{"b"'], ids=repr)
async def test_what_is_not_json_is_refused(insights: Insights, body: str) -> None:
    status, answer = await insights.send(data=body)
    assert status == 400
    assert answer["errors"][0]["message"].startswith("101: Invalid JSON")


async def test_a_batch_that_is_too_large_is_refused_packed_or_not(insights: Insights) -> None:
    large = b"[" + b" " * 11_000_000 + b"]"
    assert (await insights.send(data=io.BytesIO(large)))[0] == 413
    assert (await insights.send(data=gzip.compress(large), headers={"Content-Encoding": "gzip"}))[0] == 413
    status, answer = await insights.send(*[7] * 10_001)
    assert (status, answer["errors"][0]["message"]) == (400, "104: Too many items. Expected: 10000")


async def test_what_is_not_gzip_is_refused(insights: Insights) -> None:
    async with insights.session.post(
        f"{insights.url}/v2.1/track", data=b"not packed", headers={"Content-Encoding": "gzip"}
    ) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("status", [429, 439, 500, 503])
async def test_an_ordered_status_keeps_nothing(insights: Insights, status: int) -> None:
    await insights.fault("status", status=status, seconds=7)
    url = f"{insights.url}/v2.1/track"
    async with insights.session.post(url, json=[envelope()]) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (status, "7")
    assert await insights.rows("requests") == []
    assert (await insights.send(envelope()))[0] == 200


async def test_an_ordered_partial_refusal_keeps_the_others(insights: Insights) -> None:
    await insights.fault("partial", status=500, every=3)
    status, answer = await insights.send(*(envelope(id=f"r{place}") for place in range(7)))
    assert status == 206
    assert [(error["index"], error["statusCode"]) for error in answer["errors"]] == [(2, 500), (5, 500)]
    assert {row["id"] for row in await insights.rows("requests")} == {"r0", "r1", "r3", "r4", "r6"}


async def test_an_ordered_latency_is_over_when_the_clock_says_so(insights: Insights) -> None:
    await insights.fault("latency", seconds=10)
    sending = asyncio.create_task(insights.send(envelope()))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(sending), 0.5)
    await insights.clock.advance(10)
    assert (await sending)[0] == 200


@pytest.mark.parametrize(("kind", "kept"), [("hang", 1), ("drop", 0)])
async def test_an_ordered_silence_ends_with_the_faults(kind: str, kept: int) -> None:
    async with running() as insights:
        await insights.fault(kind, count=None)
        sending = asyncio.create_task(insights.send(envelope()))
        if kind == "hang":
            await until(partial(insights.rows, "requests"))
            assert not sending.done()
            await insights.session.delete(f"{insights.url}/_local/faults")
        with pytest.raises(aiohttp.ClientConnectionError):
            await sending
        assert len(await insights.rows("requests")) == kept


@pytest.mark.parametrize("body", ["{}", '{"kind": "status", "status": 200}', '{"kind": "drop", "count": 0}', "x"])
async def test_a_fault_that_cannot_be_understood_is_refused(insights: Insights, body: str) -> None:
    async with insights.session.post(f"{insights.url}/_local/faults", data=body) as answer:
        assert answer.status == 400
