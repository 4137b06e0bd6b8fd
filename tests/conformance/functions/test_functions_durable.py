"""Durable functions inside the host: what the app's own client starts, the hub runs, and a restart resumes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from azure.durable_functions.models.utils import http_utils

from .conftest import App

HEADER = """
import asyncio
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
seen = asyncio.Queue()

@app.route("start/{name}/{id}")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client) -> func.HttpResponse:
    await client.start_new(req.route_params["name"], req.route_params["id"], req.get_json())
    return client.create_check_status_response(req, req.route_params["id"])

@app.route("tell/{id}/{event}")
@app.durable_client_input(client_name="client")
async def tell(req: func.HttpRequest, client) -> str:
    await client.raise_event(req.route_params["id"], req.route_params["event"], req.get_json())
    return "told"
"""
CODE = """
@app.orchestration_trigger(context_name="context")
def shout(context):
    words = context.get_input()
    return (yield context.task_all([context.call_activity("upper", word) for word in words]))

@app.activity_trigger(input_name="word")
def upper(word: str) -> str:
    return word.upper()

@app.orchestration_trigger(context_name="context")
def patient(context):
    yield context.call_activity("mark", "waiting")
    return (yield context.wait_for_external_event("go"))

@app.activity_trigger(input_name="what")
async def mark(what: str) -> str:
    seen.put_nowait(what)
    return what

@app.orchestration_trigger(context_name="context")
def doomed(context):
    yield context.call_activity("fail", None)

@app.activity_trigger(input_name="nothing")
async def fail(nothing) -> str:
    raise RuntimeError("no luck today")
"""


@pytest.fixture
async def durable(app: App) -> AsyncIterator[App]:
    app.host_file["extensions"] = {"durableTask": {"hubName": "tests"}}
    app.write(CODE, HEADER)
    yield app
    await app.stop()
    await http_utils._close_session()


async def _call(http: aiohttp.ClientSession, url: str, body: Any) -> int:
    async with http.post(url, json=body) as answer:
        return answer.status


async def _finished(http: aiohttp.ClientSession, base: str, instance: str) -> dict[str, Any]:
    """The status that the management API gives, once it is final."""
    url = f"{base}/runtime/webhooks/durabletask/instances/{instance}"
    async with asyncio.timeout(15):
        while True:
            async with http.get(url) as answer:
                document: dict[str, Any] = await answer.json()
            if document["runtimeStatus"] not in ("Pending", "Running"):
                return document


async def test_an_orchestration_calls_its_activities_and_returns_their_results(
    durable: App, http: aiohttp.ClientSession
) -> None:
    host = await durable.start()
    assert await _call(http, f"{host.url}/api/start/shout/one", ["a", "b", "c"]) == 202
    status = await _finished(http, host.url, "one")
    assert (status["runtimeStatus"], status["output"]) == ("Completed", ["A", "B", "C"])


async def test_the_answer_to_a_start_says_where_to_ask_and_that_address_answers(
    durable: App, http: aiohttp.ClientSession
) -> None:
    host = await durable.start()
    async with http.post(f"{host.url}/api/start/shout/one", json=["a"]) as answer:
        links = await answer.json()
    await _finished(http, host.url, "one")
    async with http.get(links["statusQueryGetUri"]) as answer:
        assert (answer.status, (await answer.json())["instanceId"]) == (200, "one")


async def test_an_orchestration_that_waits_goes_on_after_a_restart_without_repeating_itself(
    durable: App, http: aiohttp.ClientSession
) -> None:
    host = await durable.start()
    await _call(http, f"{host.url}/api/start/patient/one", {})
    assert await durable.seen() == ["waiting"]
    await durable.stop()
    host = await durable.start()
    assert await _call(http, f"{host.url}/api/tell/one/go", {"n": 1}) == 200
    status = await _finished(http, host.url, "one")
    assert (status["runtimeStatus"], status["output"]) == ("Completed", '{"n": 1}')
    assert durable.module.seen.empty()


async def test_an_activity_that_raises_fails_its_orchestration_with_the_reason(
    durable: App, http: aiohttp.ClientSession
) -> None:
    host = await durable.start()
    await _call(http, f"{host.url}/api/start/doomed/one", {})
    status = await _finished(http, host.url, "one")
    assert status["runtimeStatus"] == "Failed"
    assert "no luck today" in str(status["output"])


async def test_orchestrators_and_activities_are_counted_like_other_functions(
    durable: App, http: aiohttp.ClientSession
) -> None:
    host = await durable.start()
    await _call(http, f"{host.url}/api/start/shout/one", ["a", "b"])
    await _finished(http, host.url, "one")
    async with http.get(f"{host.url}/admin/localazure/counters") as answer:
        counted = await answer.json()
    assert counted["invocations"]["upper"] == 2
    assert counted["invocations"]["start"] == 1
    assert counted["durable"]["activities"] == 2
