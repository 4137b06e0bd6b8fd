"""Host keys in files, as Azure's host keeps them: who may call what."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from localazure.functions.errors import InvalidApp

from .conftest import App

CODE = """
@app.route("anyone")
def anyone(req: func.HttpRequest) -> str:
    return "anyone"

@app.route("staff", auth_level=func.AuthLevel.FUNCTION)
def staff(req: func.HttpRequest) -> str:
    return "staff"

@app.route("other", auth_level=func.AuthLevel.FUNCTION)
def other(req: func.HttpRequest) -> str:
    return "other"

@app.route("owner", auth_level=func.AuthLevel.ADMIN)
def owner(req: func.HttpRequest) -> str:
    return "owner"
"""


def _entry(name: str, value: str) -> dict[str, object]:
    return {"name": name, "value": value, "encrypted": False}


HOST_FILE: dict[str, Any] = {
    "masterKey": _entry("master", "the-master"),
    "functionKeys": [_entry("default", "the-function")],
    "systemKeys": [_entry("durabletask_extension", "the-system")],
}


def _secrets(app: App, document: Any = HOST_FILE, **functions: str) -> Path:
    directory = app.directory / "state" / "functions" / "secrets"
    directory.mkdir(parents=True)
    (directory / "host.json").write_text(json.dumps(document))
    for name, key in functions.items():
        (directory / f"{name}.json").write_text(json.dumps({"keys": [_entry("default", key)]}))
    return directory


async def _status(http: aiohttp.ClientSession, url: str, key: str | None = None, code: str | None = None) -> int:
    headers = {} if key is None else {"x-functions-key": key}
    async with http.get(url, headers=headers, params={} if code is None else {"code": code}) as answer:
        return answer.status


async def test_without_a_file_nobody_is_asked_for_a_key(app: App, http: aiohttp.ClientSession) -> None:
    app.write(CODE)
    host = await app.start()
    for path in ("api/staff", "api/owner", "admin/functions", "admin/host/keys"):
        assert await _status(http, f"{host.url}/{path}") == 200, path
    assert not (app.directory / "state" / "functions" / "secrets").exists()


@pytest.mark.parametrize(
    ("path", "opened_by"),
    [
        ("api/anyone", {"", "the-master", "the-function", "the-system", "own", "wrong", "é"}),
        ("api/staff", {"the-master", "the-function", "own"}),
        ("api/other", {"the-master", "the-function"}),
        ("api/owner", {"the-master"}),
    ],
)
async def test_a_level_is_opened_by_its_keys_alone(
    app: App, http: aiohttp.ClientSession, path: str, opened_by: set[str]
) -> None:
    _secrets(app, staff="own")
    app.write(CODE)
    host = await app.start()
    for key in ("", "the-master", "the-function", "the-system", "own", "wrong", "é"):
        expected = 200 if key in opened_by else 401
        assert await _status(http, f"{host.url}/{path}", key=key) == expected, key
        assert await _status(http, f"{host.url}/{path}", code=key) == expected, key


async def test_the_header_counts_before_the_query_and_the_query_in_any_letters(
    app: App, http: aiohttp.ClientSession
) -> None:
    _secrets(app)
    app.write(CODE)
    host = await app.start()
    assert await _status(http, f"{host.url}/api/staff", key="wrong", code="the-function") == 401
    assert await _status(http, f"{host.url}/api/staff", key="the-function", code="wrong") == 200
    assert await _status(http, f"{host.url}/api/staff?CODE=the-function") == 200
    assert await _status(http, f"{host.url}/api/staff?c%6Fde=the%2Dfunction") == 200


async def test_a_key_is_taken_in_other_letters_once_it_was_right(app: App, http: aiohttp.ClientSession) -> None:
    _secrets(app)
    app.write(CODE)
    host = await app.start()
    statuses = [
        await _status(http, f"{host.url}/api/owner", key=key) for key in ("THE-MASTER", "the-master", "THE-MASTER")
    ]
    assert statuses == [401, 200, 200]


async def test_the_masters_pages_want_the_master_key(app: App, http: aiohttp.ClientSession) -> None:
    _secrets(app)
    app.write(CODE)
    host = await app.start()
    for path in ("host/status", "host/keys", "functions", "functions/staff", "functions/staff/keys", "host/config"):
        statuses = [
            await _status(http, f"{host.url}/admin/{path}", key=key) for key in ("", "the-function", "the-master")
        ]
        assert statuses == [401, 403, 200], path
    async with http.get(f"{host.url}/ADMIN/host/status") as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert await _status(http, f"{host.url}/admin/host/ping") == 200


async def test_keys_are_told_to_the_master(app: App, http: aiohttp.ClientSession) -> None:
    _secrets(app, staff="own")
    app.write(CODE)
    host = await app.start()
    told = {}
    for path in (
        "host/keys",
        "host/functionkeys",
        "host/systemkeys",
        "functions/staff/keys",
        "host/systemkeys/_master",
    ):
        async with http.get(f"{host.url}/admin/{path}", headers={"x-functions-key": "the-master"}) as answer:
            told[path] = await answer.json()
            assert told[path].pop("links") == [{"rel": "self", "href": f"{host.url}/admin/{path}"}]
    assert told["host/keys"] == told["host/functionkeys"] == {"keys": [{"name": "default", "value": "the-function"}]}
    assert told["host/systemkeys"] == {"keys": [{"name": "durabletask_extension", "value": "the-system"}]}
    assert told["functions/staff/keys"] == {"keys": [{"name": "default", "value": "own"}]}
    assert told["host/systemkeys/_master"] == {"name": "_master", "value": "the-master"}


async def test_what_a_file_leaves_out_is_made_once_and_only_its_owner_can_read_it(
    app: App, http: aiohttp.ClientSession
) -> None:
    directory = _secrets(app, {"masterKey": _entry("master", "the-master"), "functionKeys": [_entry("mine", "m")]})
    app.write(CODE)
    await app.start()
    made = json.loads((directory / "host.json").read_text())
    own = json.loads((directory / "staff.json").read_text())["keys"]
    assert [entry["name"] for entry in made["functionKeys"]] == ["mine"]
    assert [entry["name"] for entry in made["systemKeys"]] == ["durabletask_extension"]
    assert stat.S_IMODE((directory / "staff.json").stat().st_mode) == 0o600
    await app.stop()
    host = await app.start()
    assert json.loads((directory / "host.json").read_text()) == made
    assert await _status(http, f"{host.url}/api/staff", key=own[0]["value"]) == 200
    assert await _status(http, f"{host.url}/api/other", key=own[0]["value"]) == 401


async def test_a_disabled_function_runs_for_the_master_alone(app: App, http: aiohttp.ClientSession) -> None:
    _secrets(app)
    app.settings["AzureWebJobs.staff.Disabled"] = "true"
    app.write(CODE)
    host = await app.start()
    keys = ("", "the-function", "the-master")
    assert [await _status(http, f"{host.url}/api/staff", key=key) for key in keys] == [401, 404, 200]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "must hold a JSON object"),
        ({"masterKey": {"name": "master", "value": "x", "encrypted": True}}, "'master' is encrypted"),
        ({"masterKey": _entry("master", "x"), "functionKeys": {}}, "keys must be a list"),
        ({"masterKey": _entry("master", "")}, "an object with a name and a value"),
    ],
)
async def test_a_file_that_cannot_be_read_stops_the_start(app: App, document: Any, reason: str) -> None:
    _secrets(app, document)
    app.write(CODE)
    with pytest.raises(InvalidApp, match=re.escape(reason)):
        await app.start()
