"""Whole web applications as one function: ASGI, WSGI, and what HTTP streams ask for."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import aiohttp
import pytest

from localazure.functions.errors import HostError

from .conftest import App

ASGI = """
    import json, logging

    async def web(scope, receive, send):
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            return await send({"type": "lifespan.startup.complete"})
        body = (await receive())["body"].decode()
        told = [scope["method"], scope["path"], scope["query_string"].decode(), body]
        headers = [(b"content-type", b"application/json"), (b"x-app", b"asgi")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})

    app = func.AsgiFunctionApp(app=web, http_auth_level=func.AuthLevel.ANONYMOUS)
"""
WSGI = """
    import json

    def web(environ, start_response):
        body = environ["wsgi.input"].read().decode()
        start_response("201 Created", [("Content-Type", "application/json"), ("X-App", "wsgi")])
        told = [environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"], body]
        return [json.dumps(told).encode()]

    app = func.WsgiFunctionApp(app=web, http_auth_level=func.AuthLevel.ANONYMOUS)
"""
HEADER = "import azure.functions as func\n"

# An AsgiFunctionApp starts an event loop of its own when it is deleted, which fails where one is running.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:coroutine 'AsgiMiddleware:RuntimeWarning"),
]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    yield
    gc.collect()  # here, where its warnings are expected, and not in the middle of another module


@pytest.mark.parametrize(("code", "name"), [(ASGI, "asgi"), (WSGI, "wsgi")], ids=["ASGI", "WSGI"])
@pytest.mark.parametrize("path", ["/things/1", "/", "/deep/er/down"])
async def test_a_web_application_answers_every_path_under_an_empty_prefix(
    app: App, http: aiohttp.ClientSession, code: str, name: str, path: str
) -> None:
    app.host_file["extensions"] = {"http": {"routePrefix": ""}}
    app.write(code, HEADER)
    host = await app.start()
    async with http.post(f"{host.url}{path}?a=1", data="sent") as answer:
        assert (answer.status, answer.headers["x-app"]) == (201, name)
        assert await answer.json() == ["POST", path, "a=1", "sent"]


@pytest.mark.parametrize("code", [ASGI, WSGI], ids=["ASGI", "WSGI"])
async def test_under_a_prefix_its_route_begins_with_a_slash_and_stops_the_host_as_on_azure(app: App, code: str) -> None:
    app.write(code, HEADER)
    with pytest.raises(HostError, match="http_app_func"):
        await app.start()


@pytest.fixture
def packages() -> Iterator[None]:
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "azurefunctions"]:
        del sys.modules[name]


async def test_http_streams_are_refused_by_name(app: App, packages: None) -> None:
    base = app.directory / "azurefunctions" / "extensions" / "base"
    base.mkdir(parents=True)
    checker = "class HttpV2FeatureChecker:\n    @staticmethod\n    def http_v2_enabled():\n        return True\n"
    (base / "__init__.py").write_text(checker)
    app.write("import azurefunctions.extensions.base\n@app.route('a')\ndef f(req: func.HttpRequest) -> str: ...\n")
    with pytest.raises(HostError, match="HTTP streams"):
        await app.start()


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ("msg: Received", r"the SDK type Received \(azurefunctions-extensions-bindings"),
        ("msg: func.ServiceBusMessage, actions: Actions", "settling a message by 'actions'"),
    ],
)
async def test_sdk_types_and_settlement_are_refused_by_name(app: App, parameters: str, reason: str) -> None:
    app.settings["BUS"] = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=b"
    app.write(f"""
class SdkType: ...
class GrpcClientType: ...
class Received(SdkType): ...
class Actions(GrpcClientType): ...

@app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="BUS")
def f({parameters}): ...
""")
    with pytest.raises(HostError, match=reason):
        await app.start()
