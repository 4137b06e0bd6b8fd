"""What a request may look like on the wire, and what the server makes of it: bytes in, bytes out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from localazure.functions.wire import Host
from localazure.part import HOST

from .conftest import App

ECHO = """
import json

@app.route("echo")
def echo(req: func.HttpRequest) -> func.HttpResponse:
    said = {
        "method": req.method, "url": req.url, "params": dict(req.params), "route": dict(req.route_params),
        "header": req.headers.get("x-a"), "body": req.get_body().decode("latin-1"),
    }
    return func.HttpResponse(json.dumps(said), mimetype="application/json")

@app.route("only", methods=["GET"])
def only(req: func.HttpRequest) -> str:
    return "only"

@app.route("seg/{a}")
def seg(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.route_params["a"])

@app.route("answer/{kind}")
def answer(req: func.HttpRequest) -> func.HttpResponse:
    match req.route_params["kind"]:
        case "length":
            return func.HttpResponse("abc", headers={"Content-Length": "7"})
        case "name":
            return func.HttpResponse("abc", headers={"X A": "1"})
        case "control":
            return func.HttpResponse("abc", headers={"X-A": chr(1)})
        case "status":
            return func.HttpResponse("abc", status_code=int(req.params["code"]))
        case "cookie":
            return func.HttpResponse("abc", headers={"Set-Cookie": req.get_body().decode()})
        case "exit":
            raise SystemExit(3)
    raise AssertionError(req.route_params)
"""
CLOSE = "Host: localhost\r\nConnection: close\r\n"


async def _ask(host: Host, request: str | bytes) -> tuple[int, dict[str, str], bytes]:
    """One request as it stands; status, headers and body of the last answer on its connection."""
    reader, writer = await asyncio.open_connection(HOST, host.port)
    writer.write(request if isinstance(request, bytes) else request.encode())
    async with asyncio.timeout(15):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.rpartition(b"\r\n\r\n")
    first, *lines = head.split(b"HTTP/1.")[-1].decode("latin-1").split("\r\n")
    return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


async def _echoed(host: Host, target: str, headers: str = "", body: str = "", method: str = "GET") -> Any:
    status, _, said = await _ask(host, f"{method} {target} HTTP/1.1\r\n{CLOSE}{headers}\r\n{body}")
    assert status == 200, (status, said)
    return json.loads(said)


@pytest.fixture
async def host(app: App) -> Host:
    app.write(ECHO)
    return await app.start()


@pytest.mark.parametrize(
    ("method", "told"),
    [("FOO", "FOO"), ("TRACE", "TRACE"), ("get", "GET"), ("patch", "PATCH"), ("M-SEARCH", "M-SEARCH"), ("a", "A")],
)
async def test_any_word_is_a_method(host: Host, method: str, told: str) -> None:
    body = "Content-Length: 2\r\n"
    said = await _echoed(host, "/api/echo", body, "hi", method)
    assert (said["method"].upper(), said["body"]) == (told, "hi")


async def test_a_route_with_methods_takes_them_in_any_letters_and_no_others(host: Host) -> None:
    statuses = []
    for method in ("get", "GET", "FOO", "POST", "HEAD"):
        statuses.append((await _ask(host, f"{method} /api/only HTTP/1.1\r\n{CLOSE}\r\n"))[0])
    assert statuses == [200, 200, 404, 404, 404]


async def test_an_odd_method_may_follow_another_request_on_the_same_connection(host: Host) -> None:
    reader, writer = await asyncio.open_connection(HOST, host.port)
    for method in ("GET", "FOO", "GET"):
        writer.write(f"{method} /api/echo HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        async with asyncio.timeout(15):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            assert json.loads(await reader.readexactly(length))["method"] == method
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("/api/seg/../echo", "/api/echo"),
        ("/api/seg/%2e%2E/./echo/", "/api/echo/"),
        ("/../api/echo?", "/api/echo?"),
        ("/API/ECHO?a=%20|", "/API/ECHO?a=%20|"),
        ("http://localhost/api/echo?b=1", "/api/echo?b=1"),
    ],
)
async def test_dot_segments_are_gone_before_a_route_is_looked_for(host: Host, target: str, address: str) -> None:
    assert (await _echoed(host, target))["url"] == f"http://localhost{address}"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("a%2Fb", "a%2Fb"),
        ("a%252Fb", "a%2Fb"),
        ("%C3%A9%FF", "é%FF"),
        ('a|"{x}', 'a|"{x}'),
        ("a%3Fb%25", "a?b%"),
        ("%ED%A0%80", "%ED%A0%80"),
    ],
)
async def test_a_path_is_decoded_once_as_utf8_but_for_slashes(host: Host, sent: str, told: str) -> None:
    status, _, said = await _ask(host, f"GET /api/seg/{sent} HTTP/1.1\r\n{CLOSE}\r\n")
    assert (status, said.decode()) == (200, told)


async def test_query_names_are_the_same_in_any_letters_and_empty_values_are_left_out(host: Host) -> None:
    said = await _echoed(host, "/api/echo?A=1&a=2&a=&b=&c&%C3%A9=%C3%A9+%FF&=x&d=e=f&&g=1;h=2")
    assert said["params"] == {"A": "1,2", "é": "é %FF", "": "x", "d": "e=f", "g": "1;h=2"}


async def test_a_body_without_a_length_is_empty_for_the_function(host: Host) -> None:
    said = await _echoed(host, "/api/echo", "Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n", "POST")
    assert said["body"] == ""


async def test_a_compressed_body_is_given_as_it_came(host: Host) -> None:
    said = await _echoed(host, "/api/echo", "Content-Encoding: gzip\r\nContent-Length: 4\r\n", "junk", "POST")
    assert said["body"] == "junk"


@pytest.mark.parametrize("expected", ["100-continue", "something-else"])
async def test_what_a_client_expects_is_no_reason_to_refuse(host: Host, expected: str) -> None:
    said = await _echoed(host, "/api/echo", f"Expect: {expected}\r\nContent-Length: 2\r\n", "hi", "POST")
    assert said["body"] == "hi"


GET = f"GET /api/echo HTTP/1.1\r\n{CLOSE}"
REFUSED: dict[str, tuple[str | bytes, int]] = {
    "a fragment": (f"GET /api/echo#x HTTP/1.1\r\n{CLOSE}\r\n", 400),
    "a fragment behind a query": (f"GET /api/echo?a#x HTTP/1.1\r\n{CLOSE}\r\n", 400),
    "a null in the path": (f"GET /api/seg/a%00 HTTP/1.1\r\n{CLOSE}\r\n", 400),
    "a target beyond ASCII": (f"GET /api/seg/é HTTP/1.1\r\n{CLOSE}\r\n", 400),
    "another host's address": (f"GET http://other/api/echo HTTP/1.1\r\n{CLOSE}\r\n", 400),
    "no host": ("GET /api/echo HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
    "no host and an odd method": ("FOO /api/echo HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
    "two hosts": (f"{GET}Host: localhost\r\n\r\n", 400),
    "a host that is none": ("GET /api/echo HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n", 400),
    "a method that is no word": (f"G(T /api/echo HTTP/1.1\r\n{CLOSE}\r\n", 400),
    "version 2.0": (f"GET /api/echo HTTP/2.0\r\n{CLOSE}\r\n", 505),
    "version 1.2": (f"GET /api/echo HTTP/1.2\r\n{CLOSE}\r\n", 505),
    "no version": ("GET /api/echo\r\n\r\n", 400),
    "a header that is no UTF-8": (GET.encode() + b"X-A: \xff\r\n\r\n", 400),
    "a header without a colon": (f"{GET}X-A\r\n\r\n", 400),
    "a length that is no number": (f"{GET}Content-Length: x\r\n\r\n", 400),
    "a length and chunks": (f"{GET}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a long request line": (f"GET /api/echo?{'a' * 9000} HTTP/1.1\r\n{CLOSE}\r\n", 414),
    "a long header": (f"{GET}X-A: {'a' * 33_000}\r\n\r\n", 431),
    "long headers together": (GET + "".join(f"X-{n}: {'a' * 9000}\r\n" for n in range(4)) + "\r\n", 431),
    "many headers": (GET + "".join(f"X-{n}: 1\r\n" for n in range(110)) + "\r\n", 431),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_the_server_refuses_without_a_body_and_closes(host: Host, what: str) -> None:
    request, expected = REFUSED[what]
    status, headers, body = await _ask(host, request)
    assert (status, body) == (expected, b"")
    assert "content-type" not in headers


async def test_an_answer_that_the_server_does_not_write_is_a_bare_500(host: Host) -> None:
    for target in ("length", "name", "control", "status?code=1000", "exit"):
        status, headers, body = await _ask(host, f"GET /api/answer/{target} HTTP/1.1\r\n{CLOSE}\r\n")
        assert (status, body, "content-type" in headers) == (500, b"", False), target
    assert (await _ask(host, f"GET /api/only HTTP/1.1\r\n{CLOSE}\r\n"))[0] == 200


async def test_a_length_beyond_the_limit_is_a_bare_500(host: Host) -> None:
    status, _, body = await _ask(host, f"POST /api/echo HTTP/1.1\r\n{CLOSE}Content-Length: 104857601\r\n\r\n")
    assert (status, body) == (500, b"")


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("a=b", "a=b; domain=; path="),
        ("a=b; Path=/; HttpOnly", "a=b; domain=; path=/; httponly"),
        (
            "c=d; Max-Age=100; Secure; SameSite=Lax; Domain=example.com; Expires=Thu, 12 Jan 2030 13:55:08 GMT",
            "c=d; expires=Sat, 12 Jan 2030 13:55:08 GMT; max-age=100; domain=example.com; path=; secure; samesite=lax",
        ),
        ('a="b c"; SameSite=None', "a=b%20c; domain=; path=; samesite=none"),
        ("a=b; Expires=2030-01-12T13:55:08+01:00", "a=b; expires=Sat, 12 Jan 2030 12:55:08 GMT; domain=; path="),
    ],
)
async def test_a_cookie_is_taken_apart_and_written_anew(host: Host, sent: str, written: str) -> None:
    request = f"POST /api/answer/cookie HTTP/1.1\r\n{CLOSE}Content-Length: {len(sent)}\r\n\r\n{sent}"
    status, headers, _ = await _ask(host, request)
    assert (status, headers["set-cookie"]) == (200, written)


@pytest.mark.parametrize("sent", ["a=b; Max-Age=-1", "a=b; Max-Age=x", "a=b; Expires=never"])
async def test_a_cookie_that_cannot_be_written_is_a_bare_500(host: Host, sent: str) -> None:
    request = f"POST /api/answer/cookie HTTP/1.1\r\n{CLOSE}Content-Length: {len(sent)}\r\n\r\n{sent}"
    status, headers, _ = await _ask(host, request)
    assert (status, "set-cookie" in headers) == (500, False)


async def test_strangers_reach_the_hosts_own_pages_by_no_detour(host: Host) -> None:
    for target in ("/admin/functions", "/api/../ADMIN/functions", "/%61dmin/functions", "/x/%2e%2e/admin/functions"):
        status, _, _ = await _ask(host, f"GET {target} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert status == 403, target


async def test_what_the_local_host_does_not_have_under_admin_is_refused_by_name(host: Host) -> None:
    for method, target in (("POST", "host/drain"), ("GET", "vfs/"), ("PUT", "functions/echo"), ("POST", "host/keys/a")):
        status, _, body = await _ask(host, f"{method} /admin/{target} HTTP/1.1\r\n{CLOSE}\r\n")
        assert status == 501 and target.strip("/") in json.loads(body)["message"], target
    assert (await _ask(host, f"GET /admin/nothing HTTP/1.1\r\n{CLOSE}\r\n"))[0] == 404
