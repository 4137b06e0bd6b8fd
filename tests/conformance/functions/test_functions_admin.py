"""What the host says of itself, and how functions that no request calls are run by hand."""

from __future__ import annotations

import aiohttp

from .conftest import App

TWO = """
@app.route("ok")
def fine(req: func.HttpRequest) -> str:
    return "ok"

@app.route("broken")
def broken(req: func.HttpRequest) -> str:
    raise RuntimeError("broken")

@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
async def yearly(timer: func.TimerRequest) -> None:
    seen.put_nowait(timer.past_due)
"""


async def test_the_status_is_running_once_the_host_has_started(app: App, http: aiohttp.ClientSession) -> None:
    app.write(TWO)
    host = await app.start()
    async with http.get(f"{host.url}/admin/host/status") as answer:
        status = await answer.json()
    assert status["state"] == "Running"
    assert status["id"]
    assert status["version"].startswith("4.")


async def test_pages_for_people_and_probes_answer(app: App, http: aiohttp.ClientSession) -> None:
    app.write(TWO)
    host = await app.start()
    async with http.get(host.url) as answer:
        assert "up and running" in await answer.text()
    for method in ("GET", "POST"):
        async with http.request(method, f"{host.url}/admin/host/ping") as answer:
            assert answer.status == 200


async def test_functions_are_listed_with_their_bindings(app: App, http: aiohttp.ClientSession) -> None:
    app.write(TWO)
    host = await app.start()
    async with http.get(f"{host.url}/admin/functions") as answer:
        listed = {item["name"]: item for item in await answer.json()}
    assert set(listed) == {"fine", "broken", "yearly"}
    bindings = listed["yearly"]["config"]["bindings"]
    assert [(item["type"], item["schedule"]) for item in bindings] == [("timerTrigger", "0 0 0 1 1 *")]


async def test_a_timer_can_be_run_by_hand(app: App, http: aiohttp.ClientSession) -> None:
    app.write(TWO)
    host = await app.start()
    async with http.post(f"{host.url}/admin/functions/yearly", json={}) as answer:
        assert answer.status == 202
    assert await app.seen() == [False]


async def test_a_function_that_is_not_there_cannot_be_run(app: App, http: aiohttp.ClientSession) -> None:
    app.write(TWO)
    host = await app.start()
    async with http.post(f"{host.url}/admin/functions/nothing", json={}) as answer:
        assert (answer.status, await answer.read()) == (404, b"")


async def test_counters_count_each_function_until_they_are_reset(app: App, http: aiohttp.ClientSession) -> None:
    app.write(TWO)
    host = await app.start()
    for path in ("ok", "ok", "broken"):
        async with http.get(f"{host.url}/api/{path}"):
            pass
    counters = f"{host.url}/admin/localazure/counters"
    async with http.get(counters) as answer:
        counted = await answer.json()
    assert counted["invocations"] == {"fine": 2, "broken": 1}
    assert counted["failures"] == {"broken": 1}
    assert counted["seconds"]["fine"] > 0
    async with http.delete(counters) as answer:
        assert answer.status == 204
    async with http.get(counters) as answer:
        assert (await answer.json())["invocations"] == {}
