"""The console's page and API answer the console alone, and show what they are told as what it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from localazure.insights.console import assets

from .conftest import Insights

API = "/console/api/about"
STRANGERS: list[dict[str, str]] = [
    {"Host": "console.attacker.example"},
    {"Host": "127.0.0.1.attacker.example:8083"},
    {"Origin": "https://attacker.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|javascript:")
SOURCES = sorted(file for file in assets.PAGE.rglob("*") if file.is_file() and file.parent == assets.PAGE)


@pytest.mark.parametrize("headers", STRANGERS, ids=str)
@pytest.mark.parametrize("path", [API, "/console/app.js", "/"])
async def test_another_origin_or_host_is_refused(insights: Insights, path: str, headers: dict[str, str]) -> None:
    async with insights.session.get(insights.url + path, headers=headers) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("headers", STRANGERS, ids=str)
@pytest.mark.parametrize("action", ["send-again", "terminate", "raise", "query", "documents"])
async def test_another_origin_cannot_act(insights: Insights, action: str, headers: dict[str, str]) -> None:
    url = f"{insights.url}/console/api/{action}"
    async with insights.session.post(url, json={}, headers=headers) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_a_form_can_send_does_nothing(insights: Insights, kind: str) -> None:
    url = f"{insights.url}/console/api/query"
    async with insights.session.post(url, data='{"query":"print 1"}', headers={"Content-Type": kind}) as answer:
        assert answer.status == 403


async def test_the_page_is_opened_from_a_link_anywhere_on_this_machine(insights: Insights) -> None:
    headers = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}
    async with insights.session.get(f"{insights.url}/", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
    async with insights.session.get(insights.url + API, headers=headers) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("path", ["/", "/console/app.js", API, "/console/api/nothing", "/console/api/live"])
async def test_every_answer_says_what_a_browser_may_do_with_it(insights: Insights, path: str) -> None:
    async with insights.session.get(insights.url + path) as answer:
        assert {name: answer.headers.get(name) for name in assets.HEADERS} == assets.HEADERS
    policy = dict(each.strip().partition(" ")[::2] for each in assets.SECURITY.split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"


async def test_everything_that_the_page_needs_comes_from_here(insights: Insights) -> None:
    page = (assets.PAGE / "index.html").read_text()
    named = re.findall(r'(?:src|href)="(/[^"]*)"', page)
    assert named, "the page has styles and scripts"
    for source in SOURCES:
        named += [f"/console/{name}" for name in re.findall(r'from "\./([^"]+)"', source.read_text())]
    for path in named:
        async with insights.session.get(insights.url + path) as answer:
            assert answer.status == 200, path


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_no_source_makes_markup_or_looks_elsewhere(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert not MARKUP.search(text)
    assert not [url for url in re.findall(r"https?://[^\s\"'`)]+", text) if "www.w3.org" not in url]
    assert not re.search(r"<[^>]+\s(style|on\w+)=", text) or source.suffix == ".js"


async def test_a_library_is_shipped_with_its_licence() -> None:
    vendor = assets.PAGE / "vendor"
    assert {file.stem.split("-")[0] for file in vendor.glob("*.js")} == {
        file.suffix.removeprefix(".") for file in vendor.glob("LICENSE.*")
    }


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{}", "query"),
        (b'{"query":1}', "query"),
        (b'{"query":"print 1","database":"d"}', "database"),
        (b"[" * 100_000, "nested"),
        (b'{"query":"' + b"x" * 200_000 + b'"}', "bytes"),
        (b'{"query":"requests | nonsense"}', ""),
        (b'{"query":"system_tables | count"}', "system_tables"),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_name(insights: Insights, body: bytes, told: str) -> None:
    headers = {"Content-Type": "application/json"}
    async with insights.session.post(f"{insights.url}/console/api/query", data=body, headers=headers) as answer:
        assert answer.status == 400
        assert told in (await answer.json())["error"]["message"]


async def test_a_part_that_does_not_run_has_no_tab_and_no_answer(insights: Insights) -> None:
    assert (await about(insights))["tabs"] == []
    for name in ("queues", "messages?entity=q", "workflows", "workflow", "containers"):
        async with insights.session.get(f"{insights.url}/console/api/{name}") as answer:
            assert answer.status == 404, name


async def test_pages_beyond_a_number_are_not_told_what_changes(
    insights: Insights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localazure.insights.console.live.MAX_WATCHERS", 1)
    url = f"{insights.url}/console/api/live?watch=telemetry"
    async with insights.session.get(url) as first:
        assert await first.content.readline() == b"retry: 2000\n"
        async with insights.session.get(url) as second:
            assert second.status == 429
    async with insights.session.get(f"{insights.url}/console/api/live?watch=weather") as answer:
        assert answer.status == 400


async def about(insights: Insights) -> dict[str, Any]:
    async with insights.session.get(insights.url + API) as answer:
        return dict(json.loads(await answer.text()))


async def test_the_part_stops_while_somebody_watches(insights: Insights) -> None:
    url = f"{insights.url}/console/api/live?watch=telemetry"
    async with aiohttp.ClientSession() as session, session.get(url) as watching:
        assert await watching.content.readline() == b"retry: 2000\n"
        await insights.server.stop()
        assert b"telemetry" in await watching.content.read()
