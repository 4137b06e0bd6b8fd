"""FUNCTIONS_WORKER_PROCESS_COUNT: the app runs in processes of its own, which may die without taking the host along."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from azure.durable_functions.models.utils import http_utils
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from localazure.functions.errors import InvalidApp
from localazure.functions.wire import Host
from localazure.part import Config
from localazure.servicebus import PART
from localazure.servicebus.wire import ServiceBusServer
from scripts.bench.busy import children

from .conftest import App

ROOT = Path(__file__).parents[3]

HEADER = """
import asyncio
import logging
import os
import signal
import time
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

def note(line):
    with open("{notes}", "a") as notes:
        notes.write(line + chr(10))

def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""
CODE = """
@app.route("whoami")
async def whoami(req: func.HttpRequest) -> str:
    await asyncio.sleep(0.1)
    return str(os.getpid())

@app.route("thread")
def thread(req: func.HttpRequest) -> func.HttpResponse:
    answer = func.HttpResponse(bytes(range(256)) * 4096, headers={"X-Thing": req.params["q"]}, status_code=201)
    return answer

@app.route("fail")
async def fail(req: func.HttpRequest) -> str:
    class Odd(Exception):
        def __init__(self, one, two):
            super().__init__(one + two)
    raise Odd("it went ", "wrong")

@app.route("hang")
async def hang(req: func.HttpRequest) -> str:
    await asyncio.sleep(60)
    return "late"

@app.route("block")
async def block(req: func.HttpRequest) -> str:
    time.sleep(60)
    return "late"

@app.route("die")
async def dead(req: func.HttpRequest) -> str:
    die()

@app.route("start/{id}")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client) -> func.HttpResponse:
    await client.start_new("twice", req.route_params["id"], None)
    return client.create_check_status_response(req, req.route_params["id"])

@app.orchestration_trigger(context_name="context")
def twice(context):
    return (yield context.call_activity("deadly", "once"))

@app.activity_trigger(input_name="what")
async def deadly(what: str) -> str:
    note(what)
    if len(open("{notes}").readlines()) == 1:
        die()
    return what + " more"

@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
async def tick(timer: func.TimerRequest, context: func.Context) -> None:
    retry = context.retry_context
    said = retry.rpc_exception.message.partition("Exception: ")[2].partition(chr(10))[0]
    note(f"{retry.retry_count} of {retry.max_retry_count} after {said}")
    if retry.retry_count < 2:
        raise ValueError(f"attempt {retry.retry_count}")
"""
QUEUE = """
@app.service_bus_queue_trigger(arg_name="message", queue_name="things", connection="BUS")
async def take(message: func.ServiceBusMessage) -> None:
    note(f"{message.get_body().decode()} {message.delivery_count}")
    if message.delivery_count == 1:
        die()
"""


@pytest.fixture
async def workers(app: App) -> AsyncIterator[App]:
    app.settings["FUNCTIONS_WORKER_PROCESS_COUNT"] = "2"
    app.host_file |= {"functionTimeout": "00:00:02", "extensions": {"durableTask": {"hubName": "tests"}}}
    _write(app, CODE)
    yield app
    await app.stop()
    await http_utils._close_session()


def _write(app: App, code: str) -> None:
    notes = str(_notes(app))
    app.write(code.replace("{notes}", notes), HEADER.replace("{notes}", notes))


def _notes(app: App) -> Path:
    return app.directory / "notes"


async def _get(http: aiohttp.ClientSession, host: Host, path: str) -> tuple[int, str]:
    async with http.get(f"{host.url}/{path}") as answer:
        return answer.status, await answer.text(errors="replace")


async def _workers(http: aiohttp.ClientSession, host: Host) -> set[int]:
    async with http.get(f"{host.url}/admin/host/processes") as answer:
        told = (await answer.json())["processes"]
    return {process["processId"] for process in told if process["processName"] == "python"}


async def _replaced(http: aiohttp.ClientSession, host: Host, before: set[int], left: int) -> set[int]:
    """The workers once they are two again, `left` of them from before."""
    async with asyncio.timeout(15):
        while len(now := await _workers(http, host)) < 2 or len(now & before) > left:  # noqa: ASYNC110 - other processes start
            await asyncio.sleep(0.02)
    assert len(now & before) == left
    return now


async def _noted(app: App, lines: int) -> list[str]:
    def noted() -> list[str]:
        return _notes(app).read_text().splitlines() if _notes(app).exists() else []

    await _until(lambda: len(noted()) >= lines)
    return noted()


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not holds():  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(0.02)


def _alive(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


async def _gone(processes: set[int]) -> None:
    await _until(lambda: not any(map(_alive, processes)))


async def test_calls_are_spread_over_processes_that_are_not_the_hosts(
    workers: App, http: aiohttp.ClientSession
) -> None:
    host = await workers.start()
    answers = await asyncio.gather(*(_get(http, host, "api/whoami") for _ in range(8)))
    assert {status for status, _ in answers} == {200}
    used = {int(text) for _, text in answers}
    assert used == await _workers(http, host)
    assert len(used) == 2
    assert os.getpid() not in used
    async with http.get(f"{host.url}/admin/localazure/counters") as answer:
        assert (await answer.json())["invocations"] == {"whoami": 8}


async def test_with_one_the_app_runs_in_the_host(workers: App, http: aiohttp.ClientSession) -> None:
    workers.settings["FUNCTIONS_WORKER_PROCESS_COUNT"] = "1"
    host = await workers.start()
    assert await _get(http, host, "api/whoami") == (200, str(os.getpid()))
    assert await _workers(http, host) == {os.getpid()}


async def test_requests_and_answers_travel_whole(workers: App, http: aiohttp.ClientSession) -> None:
    host = await workers.start()
    async with http.get(f"{host.url}/api/thread?q=a") as answer:
        assert (answer.status, answer.headers["X-Thing"]) == (201, "a")
        assert await answer.read() == bytes(range(256)) * 4096


async def test_what_a_function_raises_is_told_in_its_own_words(
    workers: App, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    host = await workers.start()
    assert (await _get(http, host, "api/fail"))[0] == 500
    assert "it went wrong" in caplog.text
    assert 'raise Odd("it went ", "wrong")' in caplog.text
    assert (await _get(http, host, "api/whoami"))[0] == 200


async def test_a_call_that_takes_too_long_is_given_up(
    workers: App, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    host = await workers.start()
    assert (await _get(http, host, "api/hang"))[0] == 500
    assert "TimeoutError" in caplog.text


async def test_a_worker_that_hangs_is_killed_and_replaced(
    workers: App, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    host = await workers.start()
    before = await _workers(http, host)
    assert (await _get(http, host, "api/block"))[0] == 500
    assert "hangs in 'block' and is killed" in caplog.text
    await _replaced(http, host, before, left=1)


async def test_a_worker_that_dies_is_replaced_and_the_others_go_on(workers: App, http: aiohttp.ClientSession) -> None:
    host = await workers.start()
    before = await _workers(http, host)
    assert (await _get(http, host, "api/die"))[0] == 500
    assert (await _get(http, host, "api/whoami"))[0] == 200
    after = await _replaced(http, host, before, left=1)
    for process in after:
        os.kill(process, signal.SIGKILL)
    await _replaced(http, host, after, left=0)
    assert (await _get(http, host, "api/whoami"))[0] == 200


async def test_an_activity_whose_worker_dies_is_run_again(workers: App, http: aiohttp.ClientSession) -> None:
    host = await workers.start()
    async with http.post(f"{host.url}/api/start/one", json={}) as answer:
        assert answer.status == 202
        where = (await answer.json())["statusQueryGetUri"]
    async with asyncio.timeout(15):
        status: dict[str, Any] = {"runtimeStatus": "Pending"}
        while status["runtimeStatus"] in ("Pending", "Running"):
            async with http.get(where) as answer:
                status = await answer.json()
            await asyncio.sleep(0.02)
    assert (status["runtimeStatus"], status["output"]) == ("Completed", "once more")
    assert await _noted(workers, 2) == ["once", "once"]


async def test_a_retry_is_told_what_happened_before(workers: App, http: aiohttp.ClientSession) -> None:
    host = await workers.start()
    async with http.post(f"{host.url}/admin/functions/tick", json={}) as answer:
        assert answer.status == 202
    assert await _noted(workers, 3) == [
        "0 of 2 after ",
        "1 of 2 after ValueError: attempt 0",
        "2 of 2 after ValueError: attempt 1",
    ]


async def test_a_message_whose_worker_dies_is_delivered_again(workers: App, tmp_path: Path) -> None:
    entities = {"UserConfig": {"Namespaces": [{"Name": "ns", "Queues": [{"Name": "things"}], "Topics": []}]}}
    file = tmp_path / "entities.json"
    file.write_text(json.dumps(entities))
    broker = cast(ServiceBusServer, await PART.start(Config(options={"entities": str(file)})))
    try:
        workers.settings["BUS"] = broker.connection_string
        _write(workers, QUEUE)
        await workers.start()
        async with (
            ServiceBusClient.from_connection_string(broker.connection_string) as client,
            client.get_queue_sender("things") as sender,
        ):
            await sender.send_messages(ServiceBusMessage("a thing"))
        assert await _noted(workers, 2) == ["a thing 1", "a thing 2"]
        await workers.stop()
    finally:
        await broker.stop()


async def test_workers_end_with_their_host(workers: App, http: aiohttp.ClientSession) -> None:
    host = await workers.start()
    processes = await _workers(http, host)
    await workers.stop()
    assert not any(map(_alive, processes))


async def test_workers_end_when_their_host_is_killed(workers: App, http: aiohttp.ClientSession) -> None:
    host = await workers.start()  # writes the files
    await workers.stop()
    options = ("--port", str(host.port), "--option", f"app={workers.directory}")
    command = (sys.executable, "-m", "localazure", "functions", *options)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    processes: set[int] = set()
    try:
        async with asyncio.timeout(20):
            while len(processes) < 2:
                with suppress(aiohttp.ClientError):
                    processes = await _workers(http, host)
                await asyncio.sleep(0.02)
    finally:
        process.kill()
        await process.wait()
    await _gone(processes)


@pytest.mark.parametrize("count", ["0", "11", "two", "-1", ""])
async def test_a_count_that_is_none_is_refused(workers: App, count: str) -> None:
    workers.settings["FUNCTIONS_WORKER_PROCESS_COUNT"] = count
    with pytest.raises(InvalidApp, match="FUNCTIONS_WORKER_PROCESS_COUNT must be a number from 1 to 10"):
        await workers.start()


async def test_an_app_that_cannot_be_loaded_leaves_no_process(workers: App) -> None:
    workers.write("raise RuntimeError('no such luck')")
    with pytest.raises(InvalidApp, match="no such luck"):
        await workers.start()
    await _gone(set(children(os.getpid())))
