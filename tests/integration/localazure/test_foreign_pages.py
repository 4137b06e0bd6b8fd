"""No page of a stranger acts on a part, under whatever name it reaches this machine; programs and own pages do."""

from __future__ import annotations

import http.client
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from localazure import apim, cosmos, entra, functions, servicebus, stripe
from localazure.part import Config
from localazure.servicebus.wire import ServiceBusServer
from localazure.testing import serving

ROOT = Path(__file__).parents[3]
APP = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
@app.route(route="hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello")
"""
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
PRIVATE = {
    "functions": ("GET", "/admin/host/status"),
    "functions, invoking": ("POST", "/admin/functions/hello"),
    "apim": ("GET", "/_local/metrics"),
    "stripe": ("GET", "/_local/ledger"),
    "cosmos": ("GET", "/_local/charges"),
    "servicebus": ("GET", "/_local/counters"),
    "entra": ("POST", "/_local/tokens"),
}
FOREIGN: tuple[dict[str, str], ...] = (
    {"Host": "evil.example"},
    {"Host": "evil.example:8080"},
    {"Host": "localhost.evil.example"},
    {"Host": "[::1"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://evil.example@"},
    {"Sec-Fetch-Site": "cross-site"},
)
OWN: tuple[dict[str, str], ...] = (
    {},
    {"Host": "127.0.0.1:5000"},
    {"Host": "[::1]:1"},
    {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
)


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("app")
    (folder / "function_app.py").write_text(APP)
    (folder / "host.json").write_text('{"version": "2.0"}')
    gateway = {
        "artifacts": str(ROOT / "apim"),
        "configuration": str(ROOT / "apim" / "configuration.local.json"),
        "addresses": '{"entra": "http://localhost:1", "functions": "http://localhost:1"}',
    }
    with ExitStack() as running:
        found: dict[str, str] = {}
        for name, part, options in (
            ("functions", functions.PART, {"app": str(folder)}),
            ("apim", apim.PART, gateway),
            ("stripe", stripe.PART, {}),
            ("cosmos", cosmos.PART, {}),
            ("entra", entra.PART, {}),
        ):
            found[name] = running.enter_context(serving(part, Config(options=options))).url
        bus = running.enter_context(serving(servicebus.PART))
        assert isinstance(bus, ServiceBusServer)
        found["servicebus"] = f"http://localhost:{bus.admin_port}"
        yield found


def asked(address: str, method: str, path: str, headers: dict[str, str]) -> Any:
    where = urlsplit(address)
    connection = http.client.HTTPConnection("127.0.0.1", where.port or 0, timeout=10)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        body = b"{}" if method == "POST" else b""
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("part", PRIVATE)
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_strangers_page_is_refused(addresses: dict[str, str], part: str, headers: dict[str, str]) -> None:
    method, path = PRIVATE[part]
    for spelled in (path, path.upper() if part == "functions" else path):
        status, text = asked(addresses[part.partition(",")[0]], method, spelled, headers)
        assert status in (400, 403), text
        assert status == 400 or "is for this machine" in text


@pytest.mark.parametrize("part", [name for name in PRIVATE if "invoking" not in name])
@pytest.mark.parametrize("headers", OWN, ids=str)
def test_a_program_or_a_page_of_this_machine_is_served(
    addresses: dict[str, str], part: str, headers: dict[str, str]
) -> None:
    method, path = PRIVATE[part]
    status, text = asked(addresses[part], method, path, headers)
    assert status != 403, text


def test_what_a_part_keeps_is_for_nobody_else_on_the_machine(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "localazure", "entra", "--port", "0", "--state", str(tmp_path / "state")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **UNBUFFERED})
    try:
        assert process.stdout is not None
        assert "is at http" in process.stdout.readline()
        files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    finally:
        process.terminate()
        process.communicate()
