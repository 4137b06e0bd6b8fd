"""The authorize endpoint: what its page is like, what is refused on a page and what at the client's address."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from localazure.clock import ManualClock
from localazure.entra import PART
from localazure.entra.errors import DirectoryError
from localazure.part import Config
from localazure.testing import serving
from tests.conformance.entra.browser import CHALLENGE, REDIRECT, REQUEST, VERIFIER, Browser, Form, answer_of
from tests.conformance.entra.conftest import ACCOUNTS, AUDIENCE, KNOWN, Provider

HOSTILE = "\"><script>alert('1')</script>&amp;"


@pytest.fixture
def browser(provider: Provider) -> Browser:
    return Browser(provider)


def refused_on_a_page(answer: requests.Response, code: int) -> None:
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Location" not in answer.headers
    form = Form(answer.text)
    assert f"AADSTS{code}: " in form.text
    assert not form.all("form")


def refused_at_the_client(answer: requests.Response, error: str, code: int, named: str = "") -> None:
    told = answer_of(answer)
    assert set(told) == {"error", "error_description", "state"}
    assert (told["error"], told["state"]) == (error, "state-1")
    assert told["error_description"].startswith(f"AADSTS{code}: ")
    assert named in told["error_description"]


def test_the_page_names_the_client_the_scopes_and_the_accounts(browser: Browser) -> None:
    page = browser.open()
    assert page.status_code == 200
    form = Form(page.text)
    assert "Developer portal" in form.text
    for scope in REQUEST["scope"].split():
        assert scope in form.text
    assert "Accounts: shopper, shopper2, staff, admin; the password is local-<name>." in form.text


def test_the_page_is_accessible(browser: Browser) -> None:
    form = Form(browser.open().text)
    assert form.all("html") == [{"lang": "en"}]
    assert len(form.all("main")) == len(form.all("h1")) == len(form.all("title")) == 1
    labelled = {label["for"] for label in form.all("label")}
    shown = [each for each in form.all("input") if each.get("type") != "hidden"]
    assert {each["id"] for each in shown} == labelled == {"username", "password"}
    assert {each["autocomplete"] for each in shown} == {"username", "current-password"}
    assert [each["name"] for each in shown if "autofocus" in each] == ["username"]


def test_the_page_loads_nothing_and_runs_nothing(browser: Browser) -> None:
    page = browser.open()
    form = Form(page.text)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in form.elements}
    assert not [
        name for _, attributes in form.elements for name in attributes if name.startswith(("on", "src", "style"))
    ]
    (style,) = re.findall("<style>(.*?)</style>", page.text, re.DOTALL)
    assert "url(" not in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.headers["Content-Security-Policy"]


def test_the_headers_keep_the_page_to_itself_and_let_the_form_lead_to_the_client(browser: Browser) -> None:
    headers = browser.open().headers
    policy = dict(rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["form-action"] == "'self' http://localhost:5173"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_redirect_is_as_discreet_as_the_page(browser: Browser) -> None:
    headers = browser.submit(browser.open()).headers
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")


def test_a_wrong_password_shows_the_page_again_and_says_so(browser: Browser) -> None:
    again = browser.submit(browser.open(), password="guess")
    assert again.status_code == 400
    form = Form(again.text)
    assert [each["role"] for each in form.all("p") if "role" in each] == ["alert"]
    assert "The username or the password is wrong." in form.text
    assert form.inputs()["username"] == "shopper"
    assert form.inputs()["password"] == ""
    assert "guess" not in again.text
    assert answer_of(browser.submit(again))["state"] == "state-1"


def test_a_name_nobody_has_gets_the_very_same_answer(browser: Browser) -> None:
    def shown(page: requests.Response, name: str) -> str:
        return page.text.replace(Form(page.text).inputs()["transaction"], "").replace(f'"{name}"', "")

    wrong = browser.submit(browser.open(), "shopper", password="guess")
    unknown = browser.submit(browser.open(), "nobody")
    assert unknown.status_code == wrong.status_code
    assert shown(unknown, "nobody") == shown(wrong, "shopper")


def test_a_login_hint_fills_the_name_in(browser: Browser) -> None:
    form = Form(browser.open(login_hint="staff").text)
    assert form.inputs()["username"] == "staff"
    assert [each["name"] for each in form.all("input") if "autofocus" in each] == ["password"]


@pytest.mark.parametrize("prompt", ["login", "select_account"])
def test_a_prompt_for_the_page_shows_the_page(browser: Browser, prompt: str) -> None:
    assert browser.open(prompt=prompt).status_code == 200


def test_hostile_text_is_text(browser: Browser) -> None:
    page = browser.open(state=HOSTILE, login_hint=HOSTILE, nonce=HOSTILE)
    form = Form(page.text)
    assert "<script" not in page.text
    assert escape(HOSTILE) in page.text
    assert form.inputs()["username"] == HOSTILE
    again = browser.submit(page, username=HOSTILE)
    assert "<script" not in again.text
    assert Form(again.text).inputs()["username"] == HOSTILE
    assert answer_of(browser.submit(again))["state"] == HOSTILE


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_hostile_text_in_a_refusal_is_text(browser: Browser, name: str) -> None:
    page = browser.open(**{name: HOSTILE})
    assert "<script" not in page.text
    assert HOSTILE in Form(page.text).text


def test_a_state_cannot_break_out_of_the_redirect(browser: Browser) -> None:
    state = "a b&code=forged#x\r\nSet-Cookie: a=b é %00"
    told = answer_of(browser.submit(browser.open(state=state)))
    assert told["state"] == state
    assert told["code"] != "forged"


def test_without_a_state_none_is_sent(browser: Browser) -> None:
    assert set(answer_of(browser.submit(browser.open(state=None)))) == {"code"}


def test_who_cancels_is_sent_back_without_a_code(browser: Browser) -> None:
    refused_at_the_client(browser.submit(browser.open(), decision="cancel"), "access_denied", 65004)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"client_id": "stranger"}, 700016),
        ({"client_id": None}, 900144),
        ({"redirect_uri": None}, 900144),
        ({"client_id": "scripts"}, 50011),  # has registered none
    ],
)
def test_an_unknown_client_or_no_address_is_refused_on_a_page(
    browser: Browser, change: dict[str, str | None], code: int
) -> None:
    refused_on_a_page(browser.open(**change), code)


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:5173/oauth2-redirect.html?more=1",
        "http://localhost:5173/oauth2-redirect.html#part",
        "http://localhost:5173/oauth2-redirect.html/",
        "http://localhost:5173/OAUTH2-redirect.html",
        "http://localhost:5173/elsewhere/../oauth2-redirect.html",
        "http://localhost:5173/",
        "https://localhost:5173/oauth2-redirect.html",
        "http://127.0.0.1:5173/oauth2-redirect.html",
        "http://localhost.evil.example/oauth2-redirect.html",
        "http://localhost:5173@evil.example/oauth2-redirect.html",
        "http://localhost@evil.example/oauth2-redirect.html",
        "http://localhost:/oauth2-redirect.html",
        "http://localhost:5173\\@evil.example/oauth2-redirect.html",
        "http://localhost:5173/oauth2-redirect.html\n",
        "//localhost/oauth2-redirect.html",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_is_not_registered_is_refused_on_a_page(browser: Browser, address: str) -> None:
    refused_on_a_page(browser.open(redirect_uri=address), 50011)


@pytest.mark.parametrize("port", ["", ":80", ":7071", ":65535"])
def test_the_port_of_localhost_does_not_matter(browser: Browser, port: str) -> None:
    address = f"http://localhost{port}/oauth2-redirect.html"
    page = browser.open(redirect_uri=address)
    assert f"form-action 'self' http://localhost{port};" in page.headers["Content-Security-Policy"]
    assert "code" in answer_of(browser.submit(page), f"{address}?")


def test_another_tenant_is_refused_on_a_page(provider: Provider) -> None:
    refused_on_a_page(Browser(provider, "common").open(), 90002)


@pytest.mark.parametrize(
    ("change", "error", "code", "named"),
    [
        ({"response_type": None}, "invalid_request", 900144, "'response_type'"),
        ({"response_type": "token"}, "unsupported_response_type", 700054, "'token'"),
        ({"response_type": "code id_token"}, "unsupported_response_type", 700054, "'code id_token'"),
        ({"response_mode": "fragment"}, "invalid_request", 90023, "'fragment'"),
        ({"response_mode": "form_post"}, "invalid_request", 90023, "'form_post'"),
        ({"scope": None}, "invalid_request", 900144, "'scope'"),
        ({"scope": f"{AUDIENCE}/orders.burn"}, "invalid_scope", 70011, "orders.burn"),
        ({"scope": "https://graph.microsoft.com/User.Read"}, "invalid_scope", 70011, "graph.microsoft.com"),
        ({"scope": "openid"}, "invalid_scope", 70011, "at least one scope"),
        ({"code_challenge": None}, "invalid_request", 9002325, "'code_challenge'"),
        ({"code_challenge": "short"}, "invalid_request", 50147, "'code_challenge'"),
        ({"code_challenge": f"{CHALLENGE[:-1]}="}, "invalid_request", 50147, "'code_challenge'"),
        ({"code_challenge_method": "plain", "code_challenge": VERIFIER}, "invalid_request", 90023, "'plain'"),
        ({"code_challenge_method": None}, "invalid_request", 90023, "'plain'"),
        ({"prompt": "none"}, "login_required", 50058, "silent"),
        ({"prompt": "consent"}, "invalid_request", 90023, "'consent'"),
        ({"prompt": "login consent"}, "invalid_request", 90023, "'login consent'"),
        ({"request": "ey.ey.ey"}, "request_not_supported", 90023, "'request'"),
        ({"request_uri": "https://x.example"}, "request_uri_not_supported", 90023, "'request_uri'"),
        ({"registration": "{}"}, "invalid_request", 90023, "'registration'"),
        ({"claims": "{}"}, "invalid_request", 90023, "'claims'"),
        ({"max_age": "0"}, "invalid_request", 90023, "'max_age'"),
        ({"acr_values": "mfa"}, "invalid_request", 90023, "'acr_values'"),
        ({"id_token_hint": "ey.ey.ey"}, "invalid_request", 90023, "'id_token_hint'"),
        ({"resource": "https://x.example"}, "invalid_request", 90023, "'resource'"),
    ],
)
def test_a_request_that_is_wrong_otherwise_is_refused_at_the_client(
    browser: Browser, change: dict[str, str | None], error: str, code: int, named: str
) -> None:
    refused_at_the_client(browser.open(**change), error, code, named)


def test_a_description_keeps_to_the_characters_it_may_have(browser: Browser) -> None:
    told = answer_of(browser.open(prompt='"é\\\r\n'))
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", told["error_description"])


def test_an_account_that_may_have_none_of_the_scopes_is_refused_at_the_client(browser: Browser) -> None:
    page = browser.open(scope=f"{AUDIENCE}/stock.write")
    refused_at_the_client(browser.submit(page, "shopper"), "invalid_scope", 70011)


def test_a_parameter_nobody_knows_is_ignored(browser: Browser) -> None:
    assert browser.open(client_info="1", domain_hint="organizations").status_code == 200


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_an_address_given_twice_is_refused_on_a_page(browser: Browser, name: str) -> None:
    twice = [*REQUEST.items(), (name, REQUEST[name])]
    refused_on_a_page(browser.visit(f"{browser.authorize}?{urlencode(twice)}"), 90015)


def test_another_parameter_given_twice_is_refused_at_the_client(browser: Browser) -> None:
    twice = [*REQUEST.items(), ("scope", "openid")]
    refused_at_the_client(browser.visit(f"{browser.authorize}?{urlencode(twice)}"), "invalid_request", 90015, "'scope'")


def test_a_page_is_submitted_once(browser: Browser) -> None:
    page = browser.open()
    assert browser.submit(page).status_code == 302
    refused_on_a_page(browser.submit(page), 165000)


def test_a_wrong_try_uses_the_page_up_as_well(browser: Browser) -> None:
    page = browser.open()
    browser.submit(page, password="guess")
    refused_on_a_page(browser.submit(page), 165000)


def test_a_forged_page_is_refused(browser: Browser) -> None:
    refused_on_a_page(browser.submit(browser.open(), transaction="invented"), 165000)


def test_a_page_left_open_too_long_is_refused() -> None:
    clock = ManualClock()
    with serving(PART, Config(options=KNOWN, clock=clock)) as server:
        browser = Browser(Provider(server.url))
        page, late = browser.open(), browser.open()
        asyncio.run(clock.advance(899))
        assert browser.submit(page).status_code == 302
        asyncio.run(clock.advance(1))
        refused_on_a_page(browser.submit(late), 165000)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_submitted_from_another_site_is_refused(browser: Browser, site: str) -> None:
    page = browser.open()
    refused_on_a_page(browser.submit(page, headers={"Sec-Fetch-Site": site}), 900561)
    assert browser.submit(page, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 302


def test_an_authorization_request_by_post_is_refused_by_name(browser: Browser) -> None:
    answer = requests.post(browser.authorize, data=REQUEST, allow_redirects=False, timeout=10)
    refused_on_a_page(answer, 900561)
    assert "by POST" in answer.text


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("/oauth2-redirect.html", "is not absolute"),
        ("https://app.example/#done", "has a fragment"),
        ("https://*.app.example/", "has a character"),
        ("https://[app/", "is malformed"),
    ],
)
def test_an_address_that_cannot_be_registered_stops_the_start(tmp_path: Path, address: str, complaint: str) -> None:
    directory = json.loads(ACCOUNTS.read_text())
    directory["clients"][-1]["redirect_uris"] = [address]
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps(directory))
    with (
        pytest.raises(DirectoryError, match=complaint),
        serving(PART, Config(options={"accounts": str(path)})),
    ):
        pass


def test_a_private_scheme_can_be_registered_and_the_policy_lets_the_form_lead_there(tmp_path: Path) -> None:
    directory = json.loads(ACCOUNTS.read_text())
    directory["clients"][-1] |= {"redirect_uris": ["com.example.shop:/done"]}
    directory["accounts"][0]["password"] = "other"
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps(directory))
    with serving(PART, Config(options={"accounts": str(path)})) as server:
        page = Browser(Provider(server.url)).open(redirect_uri="com.example.shop:/done")
    assert "form-action 'self' com.example.shop:;" in page.headers["Content-Security-Policy"]
    assert "the passwords are in the accounts file" in page.text
    assert "other" not in page.text
    assert REDIRECT not in page.text
