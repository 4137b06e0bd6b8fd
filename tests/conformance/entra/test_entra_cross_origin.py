"""What a page in a browser may read: keys and discovery from anywhere, tokens from where public clients live."""

from __future__ import annotations

import pytest
import requests

from localazure.entra import TENANT
from tests.conformance.entra.browser import Browser
from tests.conformance.entra.conftest import Provider

OPEN = ["v2.0/.well-known/openid-configuration", "discovery/v2.0/keys"]
TOKEN = "oauth2/v2.0/token"
STRANGERS = ["https://evil.example", "http://localhost.evil.example", "https://localhost:5173", "null"]


def preflight(provider: Provider, path: str, origin: str, method: str) -> requests.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type,x-requested-with",
    }
    return requests.options(f"{provider.base}/{TENANT}/{path}", headers=headers, timeout=10)


@pytest.mark.parametrize("path", OPEN)
def test_discovery_and_keys_are_for_any_origin(provider: Provider, path: str) -> None:
    asked = preflight(provider, path, "https://any.example", "GET")
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (204, "*")
    answer = requests.get(f"{provider.base}/{TENANT}/{path}", headers={"Origin": "https://any.example"}, timeout=10)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://localhost:7071", "http://localhost"])
def test_a_public_clients_page_may_ask_for_tokens(provider: Provider, origin: str) -> None:
    answer = preflight(provider, TOKEN, origin, "POST")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    assert {"content-type", "x-requested-with"} <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", STRANGERS)
def test_a_strangers_preflight_is_refused_by_name(provider: Provider, origin: str) -> None:
    answer = preflight(provider, TOKEN, origin, "POST")
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [9002326])
    assert origin in answer.json()["error_description"]
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_tokens_and_refusals_are_readable_by_the_clients_page(provider: Provider) -> None:
    browser, address = Browser(provider), f"{provider.base}/{TENANT}/{TOKEN}"
    origin = {"Origin": "http://localhost:5173"}
    form = {
        "grant_type": "authorization_code",
        "client_id": "portal",
        "code": browser.code(),
        "redirect_uri": "http://localhost:5173/oauth2-redirect.html",
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    }
    for status in (200, 400):  # the second time the code is used up
        answer = requests.post(address, data=form, headers=origin, timeout=10)
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == origin["Origin"]


@pytest.mark.parametrize("origin", STRANGERS)
def test_a_strangers_page_gets_no_tokens(provider: Provider, origin: str) -> None:
    form = {"grant_type": "password", "client_id": "scripts", "username": "shopper", "password": "local-shopper"}
    answer = requests.post(f"{provider.base}/{TENANT}/{TOKEN}", data=form, headers={"Origin": origin}, timeout=10)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [9002326])
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_sign_in_page_is_for_no_other_origin(provider: Provider) -> None:
    assert "Access-Control-Allow-Origin" not in Browser(provider).open().headers
