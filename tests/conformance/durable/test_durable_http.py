"""`call_http` against a real server: what is sent, what comes back, and what the package leaves to the orchestrator."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from azure.durable_functions import DurableOrchestrationClient as Client

from tests.conformance.durable.conftest import finished


class Server:
    """Remembers what it was sent; its long job is done when it is asked for the third time."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], str]] = []
        self.url = ""

    async def echo(self, request: web.Request) -> web.Response:
        self.seen.append((request.method, request.path, dict(request.headers), await request.text()))
        headers = [("X-Many", "a"), ("X-Many", "b"), ("X-One", "c")]
        return web.json_response({"ok": True}, headers=headers, status=int(request.query.get("status", "200")))

    async def odd(self, request: web.Request) -> web.StreamResponse:
        """What a server may say that knows little of HTTP."""
        status = request.query["status"]
        assert request.transport is not None
        request.transport.write(
            f"HTTP/1.1 {status} So\r\nServer: BaseHTTP/0.6 Python/3.11.7 (a note)\r\nVary: a, b\r\nX-One: a, b\r\n"
            "Content-Length: 4\r\nConnection: close\r\n\r\nbody".encode()
        )
        request.transport.close()
        return web.Response()

    async def moved(self, request: web.Request) -> web.Response:
        return web.Response(status=int(request.query["status"]), headers={"Location": "/echo"})

    async def job(self, request: web.Request) -> web.Response:
        self.seen.append((request.method, request.path, {}, ""))
        if len(self.seen) == 4:
            return web.Response(text="done")
        return web.Response(status=202, headers={"Location": f"{self.url}/job", "Retry-After": "0"})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server, app = Server(), web.Application()
    for name in ("echo", "job", "odd", "moved"):
        app.router.add_route("*", f"/{name}", getattr(server, name))
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


async def output(client: Client, name: str, input_: Any) -> Any:
    status = await finished(client, await client.start_new(name, None, input_))
    assert status.runtime_status.name == "Completed", status.output
    return status.output


async def test_the_answer_has_status_headers_and_content(client: Client, server: Server) -> None:
    answer = await output(client, "fetches", {"method": "GET", "uri": f"{server.url}/echo"})
    assert (answer["statusCode"], json.loads(answer["content"])) == (200, {"ok": True})
    assert (answer["headers"]["X-Many"], answer["headers"]["X-One"]) == (["a", "b"], "c")
    assert "Content-Type" not in answer["headers"]


async def test_content_and_headers_are_sent_as_given(client: Client, server: Server) -> None:
    headers = {"Content-Type": "application/json", "X-Mine": "yes"}
    request = {"method": "PUT", "uri": f"{server.url}/echo", "content": {"a": 1}, "headers": headers}
    await output(client, "fetches", request)
    [(method, _, sent, body)] = server.seen
    assert (method, json.loads(body)) == ("PUT", {"a": 1})
    assert (sent["Content-Type"], sent["X-Mine"]) == ("application/json", "yes")


async def test_content_without_a_type_is_plain_text(client: Client, server: Server) -> None:
    await output(client, "fetches", {"method": "POST", "uri": f"{server.url}/echo", "content": "words"})
    [(_, _, sent, body)] = server.seen
    assert (sent["Content-Type"], body) == ("text/plain", '"words"')


async def test_a_request_has_nothing_but_what_dotnet_says_of_itself(client: Client, server: Server) -> None:
    await output(client, "fetches", {"method": "GET", "uri": f"{server.url}/echo"})
    [(_, _, sent, _)] = server.seen
    assert sent == {
        "Host": server.url.removeprefix("http://"),
        "User-Agent": "Microsoft.Azure.WebJobs.Extensions.DurableTask/3.19.0",
    }


async def test_values_that_dotnet_tells_apart_are_lists(client: Client, server: Server) -> None:
    answer = await output(client, "fetches", {"method": "GET", "uri": f"{server.url}/odd?status=200"})
    assert answer["headers"]["Server"] == ["BaseHTTP/0.6", "Python/3.11.7", "(a note)"]
    assert (answer["headers"]["Vary"], answer["headers"]["X-One"]) == (["a", "b"], "a, b")


async def test_a_body_where_none_may_be_is_passed_over(client: Client, server: Server) -> None:
    answer = await output(client, "fetches", {"method": "GET", "uri": f"{server.url}/odd?status=204"})
    assert (answer["statusCode"], answer["content"]) == (204, "")


@pytest.mark.parametrize(
    ("status", "asked"),
    [(301, ("GET", "")), (303, ("GET", "")), (307, ("POST", '"words"')), (304, ("POST", '"words"'))],
)
async def test_the_call_goes_where_it_is_sent(
    client: Client, server: Server, status: int, asked: tuple[str, str]
) -> None:
    request = {"method": "POST", "uri": f"{server.url}/moved?status={status}", "content": "words"}
    answer = await output(client, "fetches", request)
    assert answer["statusCode"] == (304 if status == 304 else 200)
    if status != 304:
        [(method, _, _, body)] = server.seen
        assert (method, body) == asked


async def test_an_error_status_is_an_answer(client: Client, server: Server) -> None:
    answer = await output(client, "fetches", {"method": "GET", "uri": f"{server.url}/echo?status=503"})
    assert answer["statusCode"] == 503


async def test_a_server_that_is_not_there_fails_the_call(client: Client, unused_tcp_port: int) -> None:
    uri = f"http://127.0.0.1:{unused_tcp_port}/"
    status = await finished(client, await client.start_new("fetches", None, {"method": "GET", "uri": uri}))
    assert status.runtime_status.name == "Failed"
    assert (
        status.output == f"Orchestrator function 'fetches' failed: Connection refused (127.0.0.1:{unused_tcp_port}) \n "
    )


async def test_multipart_content_is_refused(client: Client, server: Server) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    request = {"method": "POST", "uri": f"{server.url}/echo", "content": "x", "headers": headers}
    status = await finished(client, await client.start_new("fetches", None, request))
    assert "Multipart content is not supported" in status.output


async def test_a_202_is_handed_to_the_orchestrator_which_can_poll_by_its_headers(
    client: Client, server: Server
) -> None:
    answers = await output(client, "polls", f"{server.url}/job")
    assert answers == [[202, ""], [202, ""], [202, ""], [200, "done"]]
    assert [method for method, *_ in server.seen] == ["POST", "GET", "GET", "GET"]


async def test_the_status_of_an_instance_can_be_polled(client: Client, host: Any) -> None:
    instances = f"{host.url}/runtime/webhooks/durabletask/instances"
    await client.start_new("all_at_once", "polled", ["a"])
    await finished(client, "polled")
    answer = await output(client, "fetches", {"method": "GET", "uri": f"{instances}/polled"})
    assert json.loads(answer["content"])["runtimeStatus"] == "Completed"
    await client.start_new("collects", "open", [1, []])
    answer = await output(client, "fetches", {"method": "GET", "uri": f"{instances}/open"})
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (202, "5")
    assert answer["headers"]["Location"].endswith("/instances/open")


async def test_a_token_source_is_refused_by_name(client: Client, server: Server) -> None:
    status = await finished(client, await client.start_new("fetches_as_somebody", None, server.url))
    assert "call_http with a token source is not supported" in status.output
    assert server.seen == []
