"""The app's identity, asked for as App Service gives it: at an address of the machine, by client id."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.identity import own_credential

Asked = list[dict[str, list[str]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """What the identity endpoint of a Function App was asked for."""
    found: Asked = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.append(parse_qs(urlsplit(self.path).query))
            expires = str(int(time.time()) + 3600)
            body = json.dumps({"access_token": "t", "expires_on": expires, "resource": "r", "token_type": "Bearer"})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_port}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "h")
        yield found
        server.shutdown()


@pytest.mark.parametrize(("client_id", "named"), [("c-1", ["c-1"]), ("", None)], ids=["user-assigned", "system's"])
async def test_an_identity_is_asked_for_by_its_client_id(asked: Asked, client_id: str, named: list[str] | None) -> None:
    async with own_credential(client_id) as credential:
        assert (await credential.get_token("https://servicebus.azure.net/.default")).token == "t"
    assert [question.get("client_id") for question in asked] == [named]
