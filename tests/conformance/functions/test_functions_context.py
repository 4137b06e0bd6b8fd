"""The `context` of an invocation, with the names that Microsoft's worker gives it."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest

from localazure.functions.context import TELEMETRY

from .conftest import App

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADER = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
TELLER = """
    import json

    @app.function_name("teller")
    @app.route("tell")
    {} tell(req: func.HttpRequest, context: func.Context) -> str:
        trace, retry = context.trace_context, context.retry_context
        return json.dumps({{
            "name": context.function_name,
            "directory": context.function_directory,
            "id": context.invocation_id,
            "local": context.thread_local_storage.invocation_id,
            "trace": [trace.trace_parent, trace.trace_state, trace.attributes],
            "deprecated": [trace.Traceparent, trace.Tracestate, trace.Attributes],
            "retry": [retry.retry_count, retry.max_retry_count, retry.rpc_exception.message],
        }})
"""


async def _told(app: App, http: aiohttp.ClientSession, headers: dict[str, str] | None = None) -> dict[str, Any]:
    host = await app.start()
    async with http.get(f"{host.url}/api/tell", headers=headers) as answer:
        told: dict[str, Any] = await answer.json(content_type=None)
    await app.stop()
    return told


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_it_tells_the_function_and_the_invocation(app: App, http: aiohttp.ClientSession, kind: str) -> None:
    app.write(TELLER.format(kind))
    first, second = await _told(app, http), await _told(app, http)
    assert (first["name"], first["directory"]) == ("teller", str(app.directory))
    assert first["id"] == first["local"] != second["id"] == second["local"]


async def test_without_a_retry_policy_it_is_attempt_zero_of_zero(app: App, http: aiohttp.ClientSession) -> None:
    app.write(TELLER.format("def"))
    assert (await _told(app, http))["retry"] == [0, 0, ""]


async def test_without_application_insights_there_is_no_trace(app: App, http: aiohttp.ClientSession) -> None:
    app.write(TELLER.format("def"))
    told = await _told(app, http, HEADER)
    assert told["trace"] == told["deprecated"] == ["", "", {}]


@pytest.mark.parametrize("setting", TELEMETRY)
async def test_with_application_insights_it_is_a_span_of_the_callers_trace(
    app: App, http: aiohttp.ClientSession, setting: str
) -> None:
    app.settings[setting] = "InstrumentationKey=00000000-0000-0000-0000-000000000000"
    app.write(TELLER.format("def"))
    told = await _told(app, http, HEADER)
    assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-01", told["trace"][0])
    assert told["trace"][0] != HEADER["traceparent"] and told["trace"] == told["deprecated"]


@pytest.mark.parametrize("headers", [None, {"traceparent": "nonsense"}])
async def test_with_application_insights_and_no_trace_of_the_callers_one_begins(
    app: App, http: aiohttp.ClientSession, headers: dict[str, str] | None
) -> None:
    app.settings[TELEMETRY[0]] = "InstrumentationKey=00000000-0000-0000-0000-000000000000"
    app.write(TELLER.format("def"))
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", (await _told(app, http, headers))["trace"][0])
