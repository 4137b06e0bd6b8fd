"""How long a client of any part may take, what its leaving leaves in the log, and what a crowd of idle ones does."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from localazure.part import Config, Timeouts
from localazure.stripe import PART

from .parts import LARGE, ROOT, running

PATIENCE = 20.0
PARTS = ("functions", "durable", "apim", "stripe", "easypost", "cosmos", "entra", "servicebus", "insights")
BODIES = {
    "functions": "/api/hello",
    "functions, admin": "/admin/functions/hello",
    "functions, durable": "/runtime/webhooks/durabletask/orchestrators/orchestrator",
    "durable": "/durabletask/orchestrators/orchestrator",
    "apim": "/v1/payments/webhooks/stripe",
    "stripe": "/v1/payment_intents",
    "stripe, local": "/_local/faults",
    "easypost": "/v2/trackers",
    "easypost, local": "/_local/faults",
    "cosmos": "/_local/faults",
    "entra": "/durable-commerce.local/oauth2/v2.0/token",
    "entra, local": "/_local/tokens",
    "insights": "/v2.1/track",
    "insights, asking": "/v1/apps/00000000-0000-0000-0000-000000000001/query",
    "insights, local": "/_local/faults",
}
"""Part → what reads a body there."""
JSON = [where for where in BODIES if where not in ("functions", "apim", "stripe", "easypost", "entra")]
FORMS = ("stripe", "entra")
SHORT = Timeouts(idle=3.0, header=0.4, grace=0.8)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, int]]:
    with running(tmp_path_factory.mktemp("app")) as found:
        yield found


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, int]]:
    with running(tmp_path_factory.mktemp("app"), SHORT) as found:
        yield found


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def head(ports: Mapping[str, int], where: str, *fields: str) -> bytes:
    port = ports[where.partition(",")[0]]
    kind = "application/x-www-form-urlencoded" if where in FORMS else "application/json"
    common = (f"Host: 127.0.0.1:{port}", f"Content-Type: {kind}", "Authorization: Bearer sk_test_local")
    signature = ("Stripe-Signature: t=1,v1=" + "0" * 64,)
    return "\r\n".join((f"POST {BODIES[where]} HTTP/1.1", *common, *signature, *fields, "", "")).encode()


def until_closed(connection: socket.socket) -> bytes:
    """Everything that comes before the server closes the connection."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            found += part
    return found


def eventually(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: "], ids=["a letter", "a header"])
def test_a_request_whose_headers_do_not_end_is_given_up(hasty: Mapping[str, int], part: str, sent: bytes) -> None:
    with connected(hasty[part]) as connection:
        connection.sendall(sent)
        assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("part", PARTS)
def test_a_header_that_comes_letter_by_letter_is_given_up_as_well(hasty: Mapping[str, int], part: str) -> None:
    with connected(hasty[part]) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        connection.settimeout(0.05)
        end, found = time.monotonic() + PATIENCE, b""
        while not found and time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                connection.sendall(b"a")
                found = connection.recv(100)
        assert found.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("part", PARTS)
def test_a_connection_without_a_request_is_closed(hasty: Mapping[str, int], part: str) -> None:
    with connected(hasty[part]) as connection:
        assert until_closed(connection) == b""


@pytest.mark.parametrize("where", ["functions", "durable", "cosmos", "entra", "stripe"])
def test_a_body_that_does_not_come_is_given_up(hasty: Mapping[str, int], where: str) -> None:
    with connected(hasty[where]) as connection:
        connection.sendall(head(hasty, where, "Content-Length: 100000") + b"a")
        assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_comes_too_slowly_is_given_up_and_a_steady_one_is_read(hasty: Mapping[str, int]) -> None:
    for size, total, status in ((1, 100_000, b"408"), (5_000, 150_000, b"200")):
        with connected(hasty["functions"]) as connection:
            connection.sendall(head(hasty, "functions", f"Content-Length: {total}", "Connection: close"))
            connection.settimeout(0.05)
            answer, sent = b"", 0
            while not answer:
                if sent < total:
                    connection.sendall(b"a" * size)
                    sent += size
                with contextlib.suppress(TimeoutError):
                    answer = connection.recv(1_000)
            assert answer.split(b" ")[1] == status, answer


def test_an_answer_that_nobody_reads_is_given_up(hasty: Mapping[str, int], caplog: pytest.LogCaptureFixture) -> None:
    with connected(hasty["functions"]) as connection, caplog.at_level(logging.INFO):
        connection.sendall(b"GET /api/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: "an answer is not read" in caplog.text)
        assert len(until_closed(connection)) < LARGE


def test_a_client_may_ask_again_and_again_on_one_connection(hasty: Mapping[str, int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", hasty["entra"], timeout=PATIENCE)
    end = time.monotonic() + 2 * SHORT.header
    while time.monotonic() < end:
        connection.request("GET", "/durable-commerce.local/discovery/v2.0/keys")
        assert connection.getresponse().read()
    connection.close()


@pytest.mark.parametrize("where", BODIES)
@pytest.mark.parametrize("ending", ["closed", "reset"])
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_an_aborted_upload_leaves_no_error_in_the_log(
    ports: Mapping[str, int], caplog: pytest.LogCaptureFixture, where: str, ending: str, framing: str
) -> None:
    port = ports[where.partition(",")[0]]
    with connected(port) as connection, caplog.at_level(logging.INFO):
        connection.sendall(head(ports, where, framing) + (b'5\r\n{"a":\r\n' if "chunked" in framing else b'{"a":'))
        eventually(lambda: _is_read(connection))
        if ending == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        _served(port)
        assert [record.getMessage() for record in caplog.records if record.exc_info] == []
        assert len(caplog.records) <= 1


def _is_read(connection: socket.socket) -> bool:
    """Whether the server has taken everything that was sent to it: nothing waits in its end of the connection."""
    mine, its = (f":{name[1]:04X}" for name in (connection.getsockname(), connection.getpeername()))
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[1].endswith(its) and row[2].endswith(mine) and row[4].endswith(":00000000") for row in rows)


def _served(port: int) -> None:
    """Ask for something, so that what came before has been dealt with."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for _ in range(3):
        connection.request("GET", "/nothing-here")
        connection.getresponse().read()
    connection.close()


@pytest.mark.parametrize("where", BODIES)
@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (("Transfer-Encoding: chunked",), b"ZZ\r\nsecret-value\r\n"),
        (("Content-Encoding: gzip", "Content-Length: 12"), b"secret-value"),
        (("Content-Length: 12", "Content-Length: 13"), b"secret-value"),
        (("Content-Length: secret-value",), b""),
        (("X-A: \x00secret-value",), b""),
        (("Content-Length: 0", "Host: a:99999999"), b""),
    ],
    ids=["chunks", "gzip", "two lengths", "no length", "a header", "two hosts"],
)
def test_what_cannot_be_read_is_refused_without_an_error_or_an_echo(
    ports: Mapping[str, int], caplog: pytest.LogCaptureFixture, where: str, fields: tuple[str, ...], body: bytes
) -> None:
    with connected(ports[where.partition(",")[0]]) as connection, caplog.at_level(logging.INFO):
        connection.sendall(head(ports, where, "Connection: close", *fields) + body)
        answer = until_closed(connection)
        assert re.match(rb"HTTP/1\.[01] [24]\d\d ", answer), answer
        assert b"secret-value" not in answer
        assert [record.getMessage() for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize("where", FORMS)
@pytest.mark.parametrize(("charset", "body"), [("utf-8", b"a=\xff\xfe"), ("utf-99", b"a=b"), ("utf-16", b"a=b")])
def test_a_form_in_letters_that_are_none_is_refused(
    ports: Mapping[str, int], where: str, charset: str, body: bytes
) -> None:
    with connected(ports[where]) as connection:
        sent = head(ports, where, f"Content-Length: {len(body)}", "Connection: close")
        connection.sendall(sent.replace(b"urlencoded", f"urlencoded; charset={charset}".encode()) + body)
        assert until_closed(connection).startswith(b"HTTP/1.1 40")


@pytest.mark.parametrize("where", JSON)
@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"a":' * 50_000, b"[" * 400 + b"]" * 400, b"[" * 3_000_000])
def test_json_that_is_too_deep_is_refused(ports: Mapping[str, int], where: str, body: bytes) -> None:
    with connected(ports[where.partition(",")[0]]) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(head(ports, where, f"Content-Length: {len(body)}", "Connection: close") + body)
        assert re.match(rb"HTTP/1\.1 4(00|13) ", until_closed(connection))


@pytest.mark.parametrize("part", ["apim", "stripe", "easypost", "cosmos", "entra", "servicebus", "insights"])
@pytest.mark.parametrize(("version", "status"), [("HTTP/2.0", b"505"), ("HTTP/0.9", b"400")])
def test_another_version_of_http_is_refused_in_one_that_is_spoken(
    ports: Mapping[str, int], part: str, version: str, status: bytes
) -> None:
    with connected(ports[part]) as connection:
        connection.sendall(f"GET / {version}\r\nHost: localhost\r\n\r\n".encode())
        assert until_closed(connection).startswith(b"HTTP/1.1 " + status)


PLAIN = {
    "functions": "/api/hello",
    "apim": "/v1/products",
    "stripe": "/v1/payment_intents/pi_1",
    "easypost": "/v2/trackers/trk_1",
    "cosmos": "/dbs",
    "entra": "/durable-commerce.local/v2.0/.well-known/openid-configuration",
    "bus": "/$Resources/Queues",
}


@pytest.mark.parametrize("part", PLAIN)
@pytest.mark.parametrize(
    "field",
    [
        "Host: a:99999999",
        "Host: a:" + "9" * 5_000,
        "Host: a:",
        "Host: [::1",
        "Host: \xff",
        "Host: localhost\r\nContent-Type: a/b; charset=utf-99",
        "Host: localhost\r\nContent-Type: ;;;===",
        "Host: localhost\r\nCookie: a=\xff; =; b",
        "Host: localhost\r\nAuthorization: Basic !!!",
        "Host: localhost\r\nAuthorization: \xff\xfe",
        "Host: localhost\r\nRange: bytes=9-1",
        "Host: localhost\r\nIf-Modified-Since: \xff",
        "Host: localhost\r\nAccept-Encoding: ;q=x",
        "Host: localhost\r\nExpect: 200-nothing",
        "Host: localhost\r\nExpect: \xff",
        "Host: localhost\r\nAuthorization: Bearer \xff\xfe",
        "Host: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, close",
        "Host: localhost\r\nx-ms-date: \xff\r\nx-ms-max-item-count: 9" + "9" * 5_000,
    ],
    ids=lambda field: ascii(field)[:60],
)
def test_a_header_that_is_read_late_is_no_error(
    ports: Mapping[str, int], caplog: pytest.LogCaptureFixture, part: str, field: str
) -> None:
    with connected(ports[part]) as connection, caplog.at_level(logging.INFO):
        request = f"GET {PLAIN[part]} HTTP/1.1\r\n{field}\r\n"
        connection.sendall((request + "Connection: close\r\n\r\n").encode("latin-1"))
        answer = until_closed(connection)
        assert answer[9:10] in (b"2", b"4"), answer
        assert [record.getMessage() for record in caplog.records if record.exc_info] == []


def _processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_who_comes_while_it_stops_is_let_in_and_then_let_go(tmp_path: Path) -> None:
    server = await PART.start(Config(state=tmp_path))
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), PATIENCE) as client:
        await server.stop()
        client.setblocking(False)
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("part", ["entra", "apim"])
def test_a_crowd_of_idle_connections_keeps_nobody_out(tmp_path: Path, part: str) -> None:
    command = [
        "sh",
        "-c",
        'ulimit -n 256 && exec "$0" "$@"',
        sys.executable,
        "-m",
        "localazure",
        part,
        "--port",
        "0",
        "--state",
        str(tmp_path / "state"),
    ]
    if part == "apim":
        values = '{"entra": "http://localhost:1", "functions": "http://localhost:1"}'
        options = {"artifacts": "apim", "configuration": "apim/configuration.local.json", "addresses": values}
        command += [argument for name, value in options.items() for argument in ("--option", f"{name}={value}")]
    log = tmp_path / "log"
    with log.open("w") as written:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    crowd: list[socket.socket] = []
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        for number in range(300):
            crowd.append(connected(port))
            if number % 2:
                crowd[-1].sendall(b"GET / HTTP/1.1\r\nX-A: ")
        for _ in range(20):
            _served(port)
        began, end = _processor_time(process.pid), time.monotonic() + 1.0
        eventually(lambda: time.monotonic() > end)
        assert _processor_time(process.pid) - began < 0.5  # a loop that turns in a circle takes all of the second
        lines = log.read_text().splitlines()
        assert len(lines) < 20, lines
    finally:
        for connection in crowd:
            connection.close()
        process.terminate()
        process.communicate()
