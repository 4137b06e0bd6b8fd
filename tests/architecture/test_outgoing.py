"""Whom the app asks over HTTP: what its settings name, in these modules, and no address that a caller sends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.test_imports import DEPLOYED, ids, imports, within

CLIENTS = ("aiohttp", "easypost", "httpx", "http.client", "requests", "stripe", "urllib.request")
ASKING = {
    "blueprints/payments/provider.py",
    "blueprints/payments/webhook.py",
    "blueprints/shipping/provider.py",
    "shared/telemetry/transport.py",
    "shared/web/auth.py",
}
"""Providers, the issuer of the tokens, and telemetry: each at an address of a setting."""


def clients(path: Path) -> list[str]:
    return [name for name in imports(path) if any(within(name, client) for client in CLIENTS)]


@pytest.mark.parametrize("path", [path for path in DEPLOYED if ids(path) not in ASKING], ids=ids)
def test_no_other_module_asks_anybody_over_http(path: Path) -> None:
    assert clients(path) == []


def test_who_is_let_ask_does() -> None:
    assert {ids(path) for path in DEPLOYED if clients(path)} == ASKING
