"""From the sign-in page to tokens: what a code is good for, how often, for how long and for whom."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from localazure.clock import ManualClock
from localazure.entra import PART, TENANT
from localazure.part import Config
from localazure.testing import serving
from tests.conformance.entra.browser import REDIRECT, VERIFIER, Browser, answer_of
from tests.conformance.entra.conftest import ACCOUNTS, AUDIENCE, KNOWN, Provider

WEB = {
    "name": "web",
    "client_id": "8f7b2c15-4d3a-4e0b-a1c2-7d5e9f3b6aff",
    "oid": "d2e9a6b3-1f70-4c8d-b5a4-2c6f8e1d7bff",
    "secret": "local-web",
    "grants": ["authorization_code"],
    "redirect_uris": ["https://web.example/done?from=entra", "http://localhost/oauth2-redirect.html"],
}


@pytest.fixture
def browser(provider: Provider) -> Browser:
    return Browser(provider)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Browser]:
    """A provider that also knows an application with a secret."""
    directory = json.loads(ACCOUNTS.read_text())
    directory["clients"].append(WEB)
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps(directory))
    with serving(PART, Config(options={"accounts": str(path)})) as server:
        yield Browser(Provider(server.url))


def refused(answer: requests.Response) -> tuple[int, str, int]:
    body = answer.json()
    return answer.status_code, body["error"], body["error_codes"][0]


def unverified(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_a_sign_in_gives_a_code_and_the_code_gives_tokens(browser: Browser) -> None:
    told = answer_of(browser.submit(browser.open()))
    assert set(told) == {"code", "state"}
    assert told["state"] == "state-1"
    answer = browser.redeem(told["code"])
    body = answer.json()
    claims = browser.provider.verify(body["access_token"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert body["scope"] == f"{AUDIENCE}/orders.read"
    assert claims["preferred_username"] == "shopper@durable-commerce.local"
    assert (claims["scp"], claims["azpacr"]) == ("orders.read", "0")
    identity = unverified(body["id_token"])
    assert identity["nonce"] == "nonce-1"
    assert identity["aud"] == claims["azp"]
    assert identity["sub"] == claims["sub"]
    assert "nonce" not in claims


@pytest.mark.parametrize("name", ["shopper", "shopper2", "staff", "admin"])
def test_each_account_signs_in_at_the_page(browser: Browser, name: str) -> None:
    body = browser.redeem(browser.code(name, scope=f"{AUDIENCE}/.default")).json()
    assert browser.provider.verify(body["access_token"])["preferred_username"] == f"{name}@durable-commerce.local"


def test_the_portal_may_ask_for_every_scope_of_the_api(browser: Browser) -> None:
    claims = browser.provider.verify(
        browser.redeem(browser.code("admin", scope=f"{AUDIENCE}/.default")).json()["access_token"]
    )
    asked = " ".join(f"{AUDIENCE}/{scope}" for scope in claims["scp"].split())
    again = browser.redeem(browser.code("admin", scope=asked)).json()
    assert again["scope"] == asked
    assert f"{AUDIENCE}/stock.write" in asked.split()


def test_a_scope_beyond_the_role_is_left_out(browser: Browser) -> None:
    body = browser.redeem(browser.code(scope=f"{AUDIENCE}/orders.read {AUDIENCE}/stock.write")).json()
    assert body["scope"] == f"{AUDIENCE}/orders.read"


def test_no_openid_no_id_token_and_no_offline_access_no_refresh_token(browser: Browser) -> None:
    body = browser.redeem(browser.code(scope=f"{AUDIENCE}/orders.read")).json()
    assert set(body) == {"token_type", "scope", "expires_in", "ext_expires_in", "access_token"}


def test_without_a_nonce_the_id_token_has_none(browser: Browser) -> None:
    assert "nonce" not in unverified(browser.redeem(browser.code(nonce=None)).json()["id_token"])


def test_the_refresh_token_of_a_sign_in_gives_new_tokens(browser: Browser) -> None:
    first = browser.redeem(browser.code()).json()
    second = browser.provider.ask(
        grant_type="refresh_token", client_id="portal", refresh_token=first["refresh_token"]
    ).json()
    assert browser.provider.verify(second["access_token"])["scp"] == "orders.read"
    assert "nonce" not in unverified(second["id_token"])


def test_the_token_request_may_repeat_or_narrow_the_scopes_but_not_widen_them(browser: Browser) -> None:
    asked = f"openid offline_access {AUDIENCE}/orders.read {AUDIENCE}/carts.read"
    code = browser.code(scope=asked)
    for wider in (f"{AUDIENCE}/orders.write", f"{AUDIENCE}/.default", f"profile {AUDIENCE}/orders.read"):
        assert refused(browser.redeem(code, scope=wider)) == (400, "invalid_scope", 70011)
    body = browser.redeem(code, scope=f"{AUDIENCE}/carts.read").json()
    assert body["scope"] == f"{AUDIENCE}/carts.read"
    assert "refresh_token" not in body
    assert browser.redeem(browser.code(scope=asked), scope=asked).status_code == 200
    default = browser.code(scope=f"{AUDIENCE}/.default")
    assert browser.redeem(default, scope=f"{AUDIENCE}/carts.read").json()["scope"] == f"{AUDIENCE}/carts.read"


def test_a_code_shown_again_is_refused_and_ends_every_session_that_came_of_it(browser: Browser) -> None:
    provider, code = browser.provider, browser.code()
    bystander = browser.redeem(browser.code()).json()["refresh_token"]
    first = browser.redeem(code).json()["refresh_token"]
    second = provider.ask(grant_type="refresh_token", client_id="portal", refresh_token=first).json()["refresh_token"]
    assert refused(browser.redeem(code)) == (400, "invalid_grant", 54005)
    for token in (first, second):
        answer = provider.ask(grant_type="refresh_token", client_id="portal", refresh_token=token)
        assert refused(answer) == (400, "invalid_grant", 9002313)
    other = provider.ask(grant_type="refresh_token", client_id="portal", refresh_token=bystander)
    assert other.status_code == 200


def test_a_code_lives_ten_minutes() -> None:
    clock = ManualClock()
    with serving(PART, Config(options=KNOWN, clock=clock)) as server:
        browser = Browser(Provider(server.url))
        late, timely = browser.code(), browser.code()
        asyncio.run(clock.advance(599))
        assert browser.redeem(timely).status_code == 200
        asyncio.run(clock.advance(1))
        assert refused(browser.redeem(late)) == (400, "invalid_grant", 70008)


def test_a_used_code_shown_long_after_still_ends_its_sessions() -> None:
    clock = ManualClock()
    with serving(PART, Config(options=KNOWN, clock=clock)) as server:
        browser = Browser(Provider(server.url))
        code = browser.code()
        token = browser.redeem(code).json()["refresh_token"]
        asyncio.run(clock.advance(7 * 86_400))
        browser.code()  # clears away the codes of former days
        assert refused(browser.redeem(code)) == (400, "invalid_grant", 9002313)
        answer = browser.provider.ask(grant_type="refresh_token", client_id="portal", refresh_token=token)
        assert refused(answer) == (400, "invalid_grant", 9002313)


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        ({"code_verifier": VERIFIER[::-1]}, "invalid_grant", 501481),
        ({"code_verifier": "short"}, "invalid_grant", 501481),
        ({"code_verifier": f"{VERIFIER}\n"}, "invalid_grant", 501481),
        ({"code_verifier": None}, "invalid_request", 900144),
        ({"redirect_uri": "http://localhost:5174/oauth2-redirect.html"}, "invalid_grant", 500112),
        ({"redirect_uri": None}, "invalid_request", 900144),
        ({"code": "1.invented"}, "invalid_grant", 9002313),
        ({"code": None}, "invalid_request", 900144),
        ({"client_id": "scripts"}, "unauthorized_client", 700021),
    ],
)
def test_a_code_presented_wrongly_is_refused_and_stays_good(
    browser: Browser, change: dict[str, str | None], error: str, code: int
) -> None:
    good = browser.code()
    assert refused(browser.redeem(good, **change)) == (400, error, code)
    assert browser.redeem(good).status_code == 200


def test_a_code_is_of_no_use_to_another_client(web: Browser) -> None:
    answer = web.redeem(web.code(), client_id="web", client_secret="local-web")
    assert refused(answer) == (400, "invalid_grant", 70000)


def test_a_client_with_a_secret_needs_it_and_may_do_without_proof(web: Browser) -> None:
    plain = {"client_id": "web", "code_challenge": None, "code_challenge_method": None}
    code = web.code(**plain)
    assert refused(web.redeem(code, client_id="web", code_verifier=None)) == (401, "invalid_client", 7000218)
    body = web.redeem(code, client_id="web", client_secret="local-web", code_verifier=None).json()
    assert web.provider.verify(body["access_token"])["azpacr"] == "1"


def test_a_client_with_a_secret_that_sent_a_challenge_owes_the_proof(web: Browser) -> None:
    secret = {"client_id": "web", "client_secret": "local-web"}
    code = web.code(client_id="web")
    assert refused(web.redeem(code, code_verifier=None, **secret)) == (400, "invalid_request", 900144)
    assert web.redeem(code, **secret).status_code == 200


def test_a_proof_nobody_asked_for_is_refused(web: Browser) -> None:
    code = web.code(client_id="web", code_challenge=None, code_challenge_method=None)
    answer = web.redeem(code, client_id="web", client_secret="local-web")
    assert refused(answer) == (400, "invalid_grant", 501481)


def test_the_answer_joins_the_query_an_address_already_has(web: Browser) -> None:
    address = "https://web.example/done?from=entra"
    page = web.open(client_id="web", redirect_uri=address)
    told = answer_of(web.submit(page), address)
    assert set(told) == {"from", "code", "state"}
    assert "form-action 'self' https://web.example;" in page.headers["Content-Security-Policy"]


def test_a_code_and_an_open_page_outlive_a_restart(tmp_path: Path) -> None:
    with serving(PART, Config(options=KNOWN, state=tmp_path)) as server:
        browser, port = Browser(Provider(server.url)), server.port
        code, page = browser.code(), browser.open()
    with serving(PART, Config(options=KNOWN, state=tmp_path, port=port)):
        assert browser.redeem(code).status_code == 200
        assert browser.redeem(answer_of(browser.submit(page))["code"]).status_code == 200


def test_neither_codes_nor_page_ids_are_in_the_file(tmp_path: Path) -> None:
    with serving(PART, Config(options=KNOWN, state=tmp_path)) as server:
        browser = Browser(Provider(server.url))
        page, code = browser.open(), browser.code()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert code.encode() not in kept
    assert page.text.split('name="transaction" value="')[1].split('"')[0].encode() not in kept


def test_a_file_from_before_there_were_codes_keeps_its_sessions(tmp_path: Path) -> None:
    with serving(PART, Config(options=KNOWN, state=tmp_path)) as server:
        token = Provider(server.url).password(scope=f"{AUDIENCE}/orders.read offline_access").json()["refresh_token"]
    database = sqlite3.connect(tmp_path / "entra.sqlite3")
    with database:
        database.executescript("ALTER TABLE refresh_tokens DROP COLUMN family; DROP TABLE codes; DROP TABLE sign_ins;")
    database.close()
    with serving(PART, Config(options=KNOWN, state=tmp_path)) as server:
        browser = Browser(Provider(server.url))
        again = browser.provider.ask(grant_type="refresh_token", client_id="scripts", refresh_token=token)
        assert again.status_code == 200
        assert browser.redeem(browser.code()).status_code == 200


def test_the_domain_stands_for_the_tenant_here_too(provider: Provider) -> None:
    browser = Browser(provider, "durable-commerce.local")
    assert unverified(browser.redeem(browser.code()).json()["access_token"])["tid"] == TENANT


def test_signing_out_shows_a_page_or_returns_to_a_registered_address(browser: Browser) -> None:
    address = browser.provider.discovery()["end_session_endpoint"]
    plain = browser.visit(address)
    assert (plain.status_code, "You are signed out" in plain.text) == (200, True)
    back = browser.visit(f"{address}?post_logout_redirect_uri={REDIRECT}&state=s%201")
    assert (back.status_code, back.headers["Location"]) == (302, f"{REDIRECT}?state=s%201")
    bare = browser.visit(f"{address}?post_logout_redirect_uri={REDIRECT}")
    assert bare.headers["Location"] == REDIRECT
    stranger = browser.visit(f"{address}?post_logout_redirect_uri=https://elsewhere.example/")
    assert (stranger.status_code, "AADSTS50011" in stranger.text) == (400, True)
    assert "Location" not in stranger.headers
