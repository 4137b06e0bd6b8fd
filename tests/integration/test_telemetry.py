"""Spans and logs reach Application Insights by its own exporter, under one trace id."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PROGRAM = f"""
import logging
from shared.telemetry.log import Log, bound
from shared.telemetry.span import HTTP, dependency, request

logging.basicConfig(level=logging.INFO)
with request("orders", "place", "00-{TRACE}-00f067aa0ba902b7-00", trusted=False), bound(order_id="ord_a"):
    Log("orders").info("order.placed", lines=3)
    with dependency(HTTP, "provider", "host"):
        pass
"""


@pytest.fixture
def ingestion() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address that takes envelopes as Application Insights does, and what has come in."""
    received: list[dict[str, Any]] = []

    class Ingestion(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v2.1/track"
            envelopes = json.loads(gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))))
            received.extend(envelopes)
            answer = {"itemsReceived": len(envelopes), "itemsAccepted": len(envelopes), "errors": []}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ingestion)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_trace_id_is_on_every_span_and_log(ingestion: tuple[str, list[dict[str, Any]]]) -> None:
    address, received = ingestion
    key = "InstrumentationKey=00000000-0000-0000-0000-000000000001"
    settings = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": f"{key};IngestionEndpoint={address}",
    }
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, env={**os.environ, **settings}, check=True, timeout=60)
    kinds = {envelope["name"].rpartition(".")[2]: envelope for envelope in received}
    assert kinds.keys() == {"Request", "RemoteDependency", "Message"}
    assert len(received) == 3
    assert {envelope["tags"]["ai.operation.id"] for envelope in received} == {TRACE}
    assert kinds["Request"]["data"]["baseData"]["name"] == "place"
    properties = kinds["Message"]["data"]["baseData"]["properties"]
    assert properties == {"order_id": "ord_a", "lines": "3"}
    assert kinds["Message"]["data"]["baseData"]["message"] == "order.placed"
    span = kinds["Request"]["data"]["baseData"]["id"]
    assert kinds["Request"]["tags"]["ai.operation.parentId"] == "00f067aa0ba902b7"
    for kind in ("Message", "RemoteDependency"):
        assert kinds[kind]["tags"]["ai.operation.parentId"] == span
    assert {envelope["tags"]["ai.cloud.role"] for envelope in received} == {"orders"}


def test_without_a_connection_string_nothing_of_the_exporter_is_imported() -> None:
    program = "import sys; import function_app; from shared.telemetry.span import request\n"
    program += "with request('a', 'x', None): pass\n"
    check = "assert not [name for name in sys.modules if name.startswith('opencensus')]"
    settings = {"APPLICATIONINSIGHTS_CONNECTION_STRING": ""}
    subprocess.run(
        [sys.executable, "-c", program + check], cwd=ROOT, env={**os.environ, **settings}, check=True, timeout=60
    )
