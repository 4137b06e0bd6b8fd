"""No page of a stranger acts on a part, under whatever name it reaches this machine; programs and own pages do."""

from __future__ import annotations

import http.client
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from .parts import ROOT, running

UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
PRIVATE = {
    "functions": ("GET", "/admin/host/status"),
    "functions, invoking": ("POST", "/admin/functions/hello"),
    "apim": ("GET", "/_local/metrics"),
    "stripe": ("GET", "/_local/ledger"),
    "easypost": ("GET", "/_local/trackers"),
    "cosmos": ("GET", "/_local/charges"),
    "servicebus": ("GET", "/_local/counters"),
    "entra": ("POST", "/_local/tokens"),
    "insights": ("GET", "/_local/counts"),
    "insights, asking": ("GET", "/v1/apps/00000000-0000-0000-0000-000000000001/query?query=requests"),
    "insights, telling": ("POST", "/v2.1/track"),
}
FOREIGN: tuple[dict[str, str], ...] = (
    {"Host": "evil.example"},
    {"Host": "evil.example:8080"},
    {"Host": "localhost.evil.example"},
    {"Host": "[::1"},
    {"Host": "localhost:99999999"},
    {"Host": "localhost:" + "9" * 5_000},
    {"Host": "localhost:²"},
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
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, int]]:
    with running(tmp_path_factory.mktemp("app")) as found:
        yield found


def asked(port: int, method: str, path: str, headers: dict[str, str]) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
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
def test_a_strangers_page_is_refused(ports: Mapping[str, int], part: str, headers: dict[str, str]) -> None:
    method, path = PRIVATE[part]
    for spelled in (path, path.upper() if part == "functions" else path):
        status, text = asked(ports[part.partition(",")[0]], method, spelled, headers)
        assert status in (400, 403), text
        assert status == 400 or "is for this machine" in text


@pytest.mark.parametrize("part", [name for name in PRIVATE if "invoking" not in name])
@pytest.mark.parametrize("headers", OWN, ids=str)
def test_a_program_or_a_page_of_this_machine_is_served(
    ports: Mapping[str, int], part: str, headers: dict[str, str]
) -> None:
    method, path = PRIVATE[part]
    status, text = asked(ports[part.partition(",")[0]], method, path, headers)
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
