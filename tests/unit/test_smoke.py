"""The smoke test of a deployment: what counts as a service's own answer, and how long it is waited for."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from blueprints import SERVICES
from scripts.declared import operations
from scripts.release.smoke import PATIENCE, PAUSE, Gateway, Unwell, buy, check, reads

PROBLEM, JSON = "application/problem+json", "application/json"
PIPELINES = (Path(__file__).parents[2] / "docs" / "pipelines.md").read_text(encoding="utf-8")
Reply = tuple[int, str, object]
"""Status, content type, body."""


class Time:
    """A clock that its own pauses turn."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@contextmanager
def answering(reply: Callable[[str, str], Reply]) -> Iterator[tuple[Gateway, Time, list[str]]]:
    """A gateway that answers a method and a path with `reply`; the clock, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            assert self.headers["Authorization"] == "Bearer token"
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, kind, body = reply(self.command, self.path)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server, clock = HTTPServer(("127.0.0.1", 0), Handler), Time()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Gateway(f"http://127.0.0.1:{server.server_port}", "token", clock.sleep, lambda: clock.now), clock, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_reads_that_name_what_is_not_there(service: str) -> None:
    assert list(reads(service))
    assert not [path for path in reads(service) if "{" in path]


@pytest.mark.parametrize("answer", [(200, JSON, {}), (404, PROBLEM, {})], ids=["found", "not found"])
def test_a_services_own_answer_is_well(answer: Reply) -> None:
    with answering(lambda _, __: answer) as (gateway, _, asked):
        check(gateway, "orders")
    assert asked == [f"GET /v1{path}" for path in reads("orders")]


@pytest.mark.parametrize(
    "answer",
    [
        (404, JSON, {"message": "Resource not found"}),
        (503, PROBLEM, {}),
        (500, "text/plain", ""),
        (401, PROBLEM, {}),
        (403, PROBLEM, {}),
    ],
    ids=["no route", "away", "broken", "no token", "no right"],
)
def test_an_answer_of_somebody_else_is_not_well(answer: Reply) -> None:
    with (
        answering(lambda _, __: answer) as (gateway, clock, _),
        pytest.raises(Unwell, match=f"GET {next(iter(reads('orders')))}: {answer[0]}"),
    ):
        check(gateway, "orders")
    assert clock.now >= PATIENCE


def test_a_service_that_was_never_asked_is_not_well() -> None:
    refused = (403, JSON, {"type": "urn:problem:insufficient-scope"})
    with answering(lambda _, __: refused) as (gateway, _, __), pytest.raises(Unwell, match="was not asked"):
        check(gateway, "notifications")


@pytest.mark.parametrize("service", SERVICES)
def test_the_identity_that_deploys_may_ask_every_service(service: str) -> None:
    (line,) = re.findall(r"At the API it needs the application roles (.+?)\.\n", PIPELINES, re.DOTALL)
    given = set(re.findall(r"`([a-z.]+)`", line))
    scopes = [
        operation.scope for operation in operations() if operation.service == service and operation.method == "GET"
    ]
    assert any(scope is None or (scope.name in given and given & set(scope.roles)) for scope in scopes)


def test_instances_may_be_replaced_while_it_asks() -> None:
    failures = [(503, PROBLEM, {}), (502, "text/plain", "")]
    with answering(lambda _, __: failures.pop() if failures else (200, JSON, {})) as (gateway, clock, _):
        check(gateway, "catalog")
    assert clock.now == 2 * PAUSE


def test_nobody_there_is_not_well() -> None:
    with answering(lambda _, __: (200, JSON, {})) as (gateway, clock, _):
        pass
    with pytest.raises(Unwell, match="GET /catalog/imports: 0"):
        check(gateway, "catalog")
    assert clock.now >= PATIENCE


def order(status: str) -> Callable[[str, str], Reply]:
    return lambda method, _: (202, JSON, {"id": "ord_1"}) if method == "POST" else (200, JSON, {"status": status})


def test_an_order_has_to_be_confirmed() -> None:
    with answering(order("confirmed")) as (gateway, _, asked):
        buy(gateway, "85123A")
    assert asked == ["POST /v1/orders", "GET /v1/orders/ord_1"]


@pytest.mark.parametrize(("status", "message"), [("cancelled", "/orders/ord_1 is cancelled"), ("placed", "200")])
def test_an_order_that_is_not_confirmed_in_time_is_not_well(status: str, message: str) -> None:
    with answering(order(status)) as (gateway, _, __), pytest.raises(Unwell, match=message):
        buy(gateway, "85123A")


def test_an_order_that_is_refused_is_not_well() -> None:
    with (
        answering(lambda _, __: (422, PROBLEM, {})) as (gateway, _, __),
        pytest.raises(Unwell, match="POST /orders: 422"),
    ):
        buy(gateway, "85123A")
