"""HTTP triggers as a client of the function app sees them."""

from __future__ import annotations

import asyncio
import json
import logging

import aiohttp
import pytest

from .conftest import App

ECHO = """
import json

@app.route("things/{id}", methods=["GET", "POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    said = {
        "method": req.method,
        "url": req.url,
        "params": dict(req.params),
        "route": dict(req.route_params),
        "header": req.headers.get("X-Thing"),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(json.dumps(said), mimetype="application/json", headers={"X-Answer": "yes"})
"""


async def test_a_function_gets_the_request_as_it_was_sent(app: App, http: aiohttp.ClientSession) -> None:
    app.write(ECHO)
    host = await app.start()
    url = f"{host.url}/api/things/a%20b?q=1&q=2&r=%C3%BC"
    async with http.post(url, data=b'{"n": 1}', headers={"x-thing": "one"}) as answer:
        said = await answer.json()
        assert (answer.status, answer.headers["X-Answer"]) == (200, "yes")
        assert answer.headers["Content-Type"] == "application/json"
    assert said["method"] == "POST"
    assert said["route"] == {"id": "a b"}
    assert said["params"] == {"q": "1,2", "r": "ü"}
    assert said["header"] == "one"
    assert json.loads(said["body"]) == {"n": 1}
    assert said["url"].startswith(f"{host.url}/api/things/")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/things/1", 200),
        ("DELETE", "/api/things/1", 404),
        ("HEAD", "/api/things/1", 404),
        ("OPTIONS", "/api/things/1", 404),
        ("GET", "/api/things", 404),
        ("GET", "/things/1", 404),
        ("GET", "/api/other", 404),
    ],
)
async def test_a_method_or_path_without_a_route_is_not_found(
    app: App, http: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    app.write(ECHO)
    host = await app.start()
    async with http.request(method, host.url + path) as answer:
        assert answer.status == status


async def test_routes_are_tried_in_the_order_of_the_functions_names(app: App, http: aiohttp.ClientSession) -> None:
    app.write("""
        @app.route("things/newest")
        def newest(req: func.HttpRequest) -> str:
            return "newest"

        @app.route("things/{id}")
        def By_id(req: func.HttpRequest) -> str:
            return "by id"

        @app.route("parts/{id}")
        def parts(req: func.HttpRequest) -> str:
            return "by id"

        @app.route("parts/newest")
        def newest_parts(req: func.HttpRequest) -> str:
            return "newest"
    """)
    host = await app.start()
    for path, said in (("things/newest", "by id"), ("parts/newest", "newest"), ("parts/7", "by id")):
        async with http.get(f"{host.url}/api/{path}") as answer:
            assert await answer.text() == said


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("numbers/12", {"n": "12"}),
        ("numbers/twelve", None),
        ("files/a/b/c.txt", {"rest": "a/b/c.txt"}),
        ("pages", {}),
        ("pages/3", {"n": "3"}),
    ],
)
async def test_constraints_optional_parameters_and_catch_alls_decide_what_matches(
    app: App, http: aiohttp.ClientSession, path: str, route: dict[str, str] | None
) -> None:
    app.write("""
        import json

        @app.route("numbers/{n:int}")
        def numbers(req: func.HttpRequest) -> str:
            return json.dumps(dict(req.route_params))

        @app.route("files/{*rest}")
        def files(req: func.HttpRequest) -> str:
            return json.dumps(dict(req.route_params))

        @app.route("pages/{n?}")
        def pages(req: func.HttpRequest) -> str:
            return json.dumps(dict(req.route_params))
    """)
    host = await app.start()
    async with http.get(f"{host.url}/api/{path}") as answer:
        assert answer.status == (404 if route is None else 200)
        if route is not None:
            assert json.loads(await answer.text()) == route


async def test_the_route_prefix_of_host_json_is_the_one_that_counts(app: App, http: aiohttp.ClientSession) -> None:
    app.host_file["extensions"] = {"http": {"routePrefix": "shop/v1"}}
    app.write(ECHO)
    host = await app.start()
    async with http.get(f"{host.url}/shop/v1/things/1") as answer:
        assert answer.status == 200
    async with http.get(f"{host.url}/api/things/1") as answer:
        assert answer.status == 404


async def test_bytes_pass_through_unchanged_both_ways(app: App, http: aiohttp.ClientSession) -> None:
    app.write("""
        @app.route("mirror")
        async def mirror(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse(req.get_body()[::-1], status_code=201, mimetype="application/octet-stream")
    """)
    host = await app.start()
    sent = bytes(range(256)) * 1000
    async with http.post(f"{host.url}/api/mirror", data=sent) as answer:
        assert answer.status == 201
        assert await answer.read() == sent[::-1]


async def test_each_cookie_is_a_header_of_its_own(app: App, http: aiohttp.ClientSession) -> None:
    app.write("""
        @app.route("cookies")
        def cookies(req: func.HttpRequest) -> func.HttpResponse:
            response = func.HttpResponse("baked")
            response.headers.add("Set-Cookie", "a=1; Path=/")
            response.headers.add("Set-Cookie", "b=2; Secure")
            return response
    """)
    host = await app.start()
    async with http.get(f"{host.url}/api/cookies") as answer:
        assert [cookie.split(";")[0] for cookie in answer.headers.getall("Set-Cookie")] == ["a=1", "b=2"]


async def test_no_content_has_no_body_and_keeps_its_content_type(app: App, http: aiohttp.ClientSession) -> None:
    app.write("""
        @app.route("gone")
        def gone(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse(status_code=204)
    """)
    host = await app.start()
    async with http.get(f"{host.url}/api/gone") as answer:
        assert (answer.status, await answer.read()) == (204, b"")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_an_exception_is_an_empty_500_and_one_line_in_the_log_that_names_the_function(
    app: App, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    app.write("""
        @app.route("broken")
        async def broken(req: func.HttpRequest) -> func.HttpResponse:
            raise RuntimeError("out of luck")
    """)
    host = await app.start()
    async with http.get(f"{host.url}/api/broken") as answer:
        assert (answer.status, await answer.read()) == (500, b"")
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert ["broken" in record.getMessage() for record in errors] == [True]


async def test_synchronous_functions_do_not_hold_each_other_up(app: App, http: aiohttp.ClientSession) -> None:
    app.write("""
        import threading

        together = threading.Barrier(4, timeout=10)

        @app.route("meet")
        def meet(req: func.HttpRequest) -> str:
            together.wait()
            return "met"
    """)
    host = await app.start()

    async def call() -> str:
        async with http.get(f"{host.url}/api/meet") as answer:
            return await answer.text()

    assert await asyncio.gather(*(call() for _ in range(4))) == ["met"] * 4


async def test_a_request_under_way_is_answered_while_the_host_stops(app: App, http: aiohttp.ClientSession) -> None:
    app.write("""
        go = asyncio.Event()

        @app.route("slow")
        async def slow(req: func.HttpRequest) -> str:
            seen.put_nowait("started")
            await go.wait()
            return "done"
    """)
    host = await app.start()

    async def call() -> tuple[int, str]:
        async with http.get(f"{host.url}/api/slow") as answer:
            return answer.status, await answer.text()

    asked = asyncio.create_task(call())
    assert await app.seen() == ["started"]
    stopping = asyncio.create_task(app.stop())
    app.module.go.set()
    assert await asked == (200, "done")
    await stopping


async def test_function_timeout_ends_a_call_that_takes_too_long(app: App, http: aiohttp.ClientSession) -> None:
    app.host_file["functionTimeout"] = "00:00:01"
    app.write("""
        @app.route("stuck")
        async def stuck(req: func.HttpRequest) -> str:
            await asyncio.Event().wait()
    """)
    host = await app.start()
    async with http.get(f"{host.url}/api/stuck") as answer:
        assert (answer.status, await answer.read()) == (500, b"")
