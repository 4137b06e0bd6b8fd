"""Requests that policies make themselves: send-request, send-one-way-request, wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.conformance.apim.conftest import Files, Local

STATUS = "<return-response response-variable-name='answer' />"


def send(inside: str, attributes: str = "mode='new' response-variable-name='answer'") -> str:
    return f"<send-request {attributes}>{inside}</send-request>"


def test_an_answer_is_a_variable_and_may_be_the_answer(files: Files, local: Local) -> None:
    files.policy(
        send(
            f"<set-url>{local.backend}/side?a=b</set-url><set-method>PUT</set-method>"
            "<set-header name='X'><value>y</value></set-header><set-body>hello</set-body>"
        )
        + STATUS
    )
    local.statuses.append(207)
    answer = local.call()
    assert (answer.status, answer.json) == (207, {"name": "x"})
    seen = local.seen[0]
    assert (seen["method"], seen["path"], seen["body"], seen["headers"]["X"]) == ("PUT", "/side?a=b", "hello", "y")


def test_a_copy_takes_method_headers_and_body_along(files: Files, local: Local) -> None:
    files.policy(
        send(f"<set-url>{local.backend}/copy</set-url>", "mode='copy' response-variable-name='answer'") + STATUS
    )
    local.call("PUT", data="content", headers={"X": "1"})
    seen = local.seen[0]
    assert (seen["method"], seen["path"], seen["body"], seen["headers"]["X"]) == ("PUT", "/copy", "content", "1")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "ftp://127.0.0.1/", "no address", "http://[", ""])
def test_nobody_there_is_an_error_unless_errors_are_ignored(files: Files, local: Local, url: str) -> None:
    def of(ignore: str) -> str:
        return send(
            f'<set-url>@("{url}")</set-url>', f"mode='new' response-variable-name='answer' ignore-error='{ignore}'"
        )

    files.policy(of("false"), file="apis/shop/operations/things-list/policy.xml", backend="<base />")
    null = (
        "<choose><when condition='@(context.Variables[\"answer\"] == null)'><set-status code='299' /></when></choose>"
    )
    files.policy(of("true"), file="apis/shop/operations/things-get/policy.xml", backend="<base />", outbound=null)
    assert local.call(path="/shop/things").status == 500 and not local.seen
    assert local.call().status == 299


def test_a_request_that_takes_too_long_is_given_up(files: Files, local: Local) -> None:
    async def silent() -> tuple[asyncio.Server, int]:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(hold, "127.0.0.1", 0)
        return server, int(server.sockets[0].getsockname()[1])

    server, port = local.loop.run(silent())
    attributes = "mode='new' response-variable-name='answer' timeout-ms='50'"
    told = "<set-header name='Why'><value>@(context.LastError.Reason)</value></set-header>"
    files.policy(send(f"<set-url>http://127.0.0.1:{port}/</set-url>", attributes), on_error=told)
    assert local.call().headers["Why"] == "Timeout"
    server.close()


def test_an_answer_is_read_up_to_a_limit(files: Files, local: Local) -> None:
    told = "<set-header name='Why'><value>@(context.LastError.Reason)</value></set-header>"
    files.policy(send(f"<set-url>{local.backend}/</set-url>"), on_error=told)
    local.body = "x" * (2 * 1024 * 1024 + 1)
    assert local.call().headers["Why"] == "BodyTooLarge"
    local.body = "x" * (2 * 1024 * 1024)
    assert local.call().status == 200


def test_nobody_waits_for_a_one_way_request(files: Files, local: Local) -> None:
    files.policy(
        f"<send-one-way-request mode='new'><set-url>{local.backend}/aside</set-url><set-method>POST</set-method>"
        "</send-one-way-request><send-one-way-request><set-url>http://127.0.0.1:1</set-url></send-one-way-request>"
    )
    assert local.call().status == 200

    for _ in range(1000):
        if any(seen["path"] == "/aside" for seen in local.seen):
            return
        local.loop.run(asyncio.sleep(0.01))
    pytest.fail("the request has not arrived within ten seconds")


def test_wait_runs_its_policies_together(files: Files, local: Local) -> None:
    both = "".join(
        send(f"<set-url>{local.backend}/{name}</set-url>", f"mode='new' response-variable-name='{name}'")
        for name in ("one", "two")
    )
    files.policy(f"<wait for='all'>{both}</wait><return-response response-variable-name='two' />")
    assert local.call().status == 200
    assert sorted(seen["path"] for seen in local.seen) == ["/one", "/two"]


def test_certificates_and_proxies_are_refused_by_name(files: Files, refusal: Callable[[], str]) -> None:
    for name, attributes in (("proxy", "url='http://x'"), ("authentication-certificate", "thumbprint='x'")):
        files.policy(send(f"<set-url>http://x</set-url><{name} {attributes} />"))
        assert f"<{name}> is not supported" in refusal()
    files.policy(send("<set-method>GET</set-method>"))
    assert "a new request needs <set-url>" in refusal()
