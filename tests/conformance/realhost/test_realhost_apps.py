"""Small apps, right and wrong, and what Microsoft's host made of each: its functions, its state, its answers.

Azure leaves a host running without a function that is in error, or without any, or answers 503 to everything; the
reason is in its log alone. Here the start is refused, with the reason: whoever develops locally reads it at once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from localazure.functions import PART
from localazure.functions.errors import HostError
from localazure.functions.wire import Host
from localazure.part import HOST, Config
from tests.conformance.functions.process import restored

from .comparing import compare, load

REFUSED = {
    "dup_names_deco": "does not have a unique function name",
    "import_error": "RuntimeError: at import",
    "syntax_error": "SyntaxError: invalid syntax (function_app.py, line 6)",
    "extra_param": "parameters without a binding: other",
    "missing_param": "bindings without a parameter: req",
    "wrong_annotation": "which httpTrigger cannot provide",
    "bad_return": "annotated to return <class 'int'>, which http cannot be",
    "opt_return": "return annotation is not a type: typing.Optional[azure.functions._http.HttpResponse]",
    "name_space": "'with space' is not a valid function name.",
    "name_host": "'host' is not a valid function name.",
    "bad_hostjson": "Unable to parse host configuration file",
    "version1": "'1.0' is an invalid value for host.json 'version' property.",
    "timeout_bad": "Failed to convert configuration value at 'AzureFunctionsJobHost:FunctionTimeout' to type "
    "'System.TimeSpan'. nonsense is not a valid value for TimeSpan.",
    "auth_env": "Can not parse str '%LEVEL%' to AuthLevel.",
    "dup_route_methods": "The route specified conflicts with the route defined by function 'a'.",
    "slash_route": "'api//lead' is not valid: The route template separator character '/' cannot appear consecutively.",
    "bad_route": "the route template 'api/a/{b' is not valid: There is an incomplete parameter in the route template.",
    "bad_catchall": "A catch-all parameter can only appear as the last segment of the route template.",
    "admin_route": "The specified route conflicts with one or more built in routes.",
    "blob": "the binding type blobTrigger ('b') is not supported by the local host",
}
"""Apps that do not start here → the reason given. Azure runs none of their functions, or all but the one in error."""

DIFFERENT = {
    "empty_prefix": "the start page is another one",
}
"""Apps that start here and behave otherwise → why."""


@pytest.fixture
async def hosts() -> AsyncIterator[list[Host]]:
    started: list[Host] = []
    with restored():
        yield started
        for host in started:
            await host.stop()


async def _start(recording: dict[str, Any], directory: Path, hosts: list[Host]) -> Host:
    app = directory / "app"
    app.mkdir()
    for name, text in recording["files"].items():
        (app / name).write_text(text, encoding="utf-8")
    settings = {"IsEncrypted": False, "Values": recording["settings"]}
    (app / "local.settings.json").write_text(json.dumps(settings), encoding="utf-8")
    host = cast(Host, await PART.start(Config(state=directory / "state", options={"app": str(app)})))
    hosts.append(host)
    return host


async def _differences(recording: dict[str, Any], host: Host) -> list[str]:
    recorded = {item["name"].lower(): item.get("disabled", False) for item in recording["functions"]}
    given = {function.name.lower(): function.disabled for function in host.functions}
    found = [] if recorded == given else [f"functions: recorded {recorded}, given {given}"]
    if recording["host"]["state"] != "Running" or any("error" in item for item in recording["functions"]):
        found.append(f"host: recorded {recording['host']}")
    for exchange in recording["requests"]:
        differences = await asyncio.to_thread(compare, exchange, (HOST, host.port))
        found += [f"{exchange['request']['target']} {difference}" for difference in differences]
    return found


@pytest.mark.parametrize("recording", load("apps.jsonl"), ids=lambda recording: recording["id"])
async def test_an_app_behaves_as_on_microsofts_host_or_does_not_start_and_says_why(
    recording: dict[str, Any], tmp_path: Path, hosts: list[Host]
) -> None:
    identifier = recording["id"]
    if identifier in REFUSED:
        with pytest.raises(HostError) as refused:
            await _start(recording, tmp_path, hosts)
        assert REFUSED[identifier] in str(refused.value)
        return
    try:
        found = await _differences(recording, await _start(recording, tmp_path, hosts))
    except HostError as exc:
        found = [f"the start is refused: {exc}"]
    if identifier in DIFFERENT:
        assert found, f"{identifier} agrees now and leaves the table"
    else:
        assert not found, "\n".join(found)
