"""`/admin/*`: what the host says of itself, its keys, its functions, and how one is run by hand.

Where keys are asked for, the master key opens all of it but `ping` and `warmup`: no key is 401, a lesser one 403.
Source: the controllers of the Functions host; what the local host does not have of it is refused by name.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from localazure import json_text
from localazure.functions import answers
from localazure.functions.cosmos_account import FeedError
from localazure.functions.http import shown
from localazure.functions.indexing import Function, script_name
from localazure.functions.keys import Keys, Level
from localazure.functions.targets import Target

log = logging.getLogger("localazure.functions")

VERSION = "4.1037.0"
"""The Functions host that this one is held against."""
_NOT_STORED = {"Cache-Control": "no-store,no-cache", "Pragma": "no-cache"}
_NO_BUNDLE = "{} not found within the extension bundle or extension bundle is not configured for the function app."
_JSON = re.compile(r"(?:application|text)/(?:[^;\s]+\+)?json", re.IGNORECASE)
_MISSING = (
    ("POST", re.compile(r"host/(?:drain|resume|scale/status|log|debug|synctriggers|restart)")),
    ("GET", re.compile(r"host/(?:drain/status|extensions(?:/.*)?)")),
    ("PUT", re.compile(r"host/state|functions/[^/]+")),
    ("DELETE", re.compile(r"functions/[^/]+")),
    ("GET", re.compile(r"functions/download")),
    ("(?:POST|PUT|DELETE)", re.compile(r"(?:host/(?:keys|functionkeys|systemkeys)|functions/[^/]+/keys)/[^/]+")),
)
"""What Azure's host has under /admin and this one has not."""

Endpoint = Callable[[web.Request, re.Match[str]], Awaitable[web.Response]]
Run = Callable[[Function, str | None], Awaitable[None]]


class NotByHand(Exception):
    """A function of a kind that cannot be run by hand here."""


def refusal(keys: Keys, request: web.Request, target: Target, system: str = "") -> web.Response | None:
    """Why the caller may not: 401 without a key, 403 with one that is neither the master key nor the system key
    `system`; None where it may."""
    if not keys.asked:
        return None
    grant = shown(keys, request, target)
    if grant.level is Level.ADMIN or (grant.level is Level.SYSTEM and system and grant.name.lower() == system):
        return None
    return answers.empty(403) if grant.level else answers.empty(401, WWW_Authenticate="Bearer")


class Admin:
    """The endpoints of one host. `state` says how the host is, `pids` which processes run the app, `run` runs a
    function with an input, `counters` says what was counted and `reset` forgets it,
    `waiting` what waits at the triggers."""

    def __init__(
        self,
        functions: Collection[Function],
        keys: Keys,
        prefix: str,
        *,
        state: Callable[[], str],
        site: Callable[[], str],
        pids: Callable[[], list[int]],
        run: Run,
        counters: Callable[[], Mapping[str, Any]],
        reset: Callable[[], None],
        waiting: Callable[[], Awaitable[list[dict[str, Any]]]],
    ) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._keys, self._prefix = keys, prefix
        self._state, self._site, self._pids, self._run_function = state, site, pids, run
        self._counters, self._reset, self._waiting = counters, reset, waiting
        self._began = time.monotonic()
        self._running: set[asyncio.Task[None]] = set()
        name, keys_of = "functions/(?P<function>[^/]+)", "host/(?P<scope>keys|functionkeys|systemkeys)"
        self._open: list[tuple[str, re.Pattern[str], Endpoint]] = _table(
            ("GET|POST", "host/ping", self._ping),
            (".*", "warmup", self._warmup),
        )
        self._guarded: list[tuple[str, re.Pattern[str], Endpoint]] = _table(
            ("GET", "host/status", self._status),
            ("GET", "host/processes", self._processes),
            ("GET", "host/config", self._config),
            ("GET", "host/extensionBundle/v1/(?P<what>templates|bindings|resources)", self._bundle),
            ("GET", keys_of, self._host_keys),
            ("GET", f"{keys_of}/(?P<key>[^/]+)", self._host_key),
            ("GET", "functions", self._list),
            ("GET", name, self._one),
            ("POST", name, self._run),
            ("GET", f"{name}/status", self._status_of),
            ("GET", f"{name}/keys", self._function_keys),
            ("GET", f"{name}/keys/(?P<key>[^/]+)", self._function_key),
            ("GET", "localazure/counters", self._counted),
            ("DELETE", "localazure/counters", self._forget),
            ("GET", "localazure/waiting", self._waits),
        )

    async def answer(self, request: web.Request, target: Target) -> web.Response:
        """The answer to a request whose path begins with /admin/."""
        path = target.path.removesuffix("/")[len("/admin/") :]
        for method, pattern, endpoint in self._open:
            if (match := pattern.fullmatch(path)) and re.fullmatch(method, request.method):
                return await endpoint(request, match)
        for method, pattern, endpoint in self._guarded:
            if (match := pattern.fullmatch(path)) and re.fullmatch(method, request.method):
                return refusal(self._keys, request, target) or await endpoint(request, match)
        if re.match(r"(?:vfs|zip)(?:/|$)", path, re.IGNORECASE):
            return answers.empty(401) if refusal(self._keys, request, target) else _refused(request, path)
        for method, pattern in _MISSING:
            if pattern.fullmatch(path) and re.fullmatch(method, request.method):
                return refusal(self._keys, request, target) or _refused(request, path)
        return answers.empty(404)

    async def drain(self) -> None:
        """Wait for what was run by hand."""
        if self._running:
            await asyncio.wait(self._running)

    async def _ping(self, _: web.Request, __: re.Match[str]) -> web.Response:
        return web.Response(headers=_NOT_STORED)

    async def _warmup(self, _: web.Request, __: re.Match[str]) -> web.Response:
        return answers.empty(200)

    async def _status(self, request: web.Request, _: re.Match[str]) -> web.Response:
        return _json(
            {
                "id": f"localazure-{_port(request)}",
                "state": self._state(),
                "version": f"{VERSION}.0",
                "versionDetails": VERSION,
                "platformVersion": "",
                "instanceId": "",
                "computerName": "",
                "processUptime": int((time.monotonic() - self._began) * 1000),
                "functionAppContentEditingState": "Unknown",
            }
        )

    async def _processes(self, _: web.Request, __: re.Match[str]) -> web.Response:
        """The host's own process, then those that run the app."""
        names = [(os.getpid(), "localazure"), *((pid, "python") for pid in self._pids())]
        told = [
            {"processId": pid, "processName": name, "debugEngine": "", "isEligibleForOpenInBrowser": False}
            for pid, name in names
        ]
        return _json({"processes": told})

    async def _config(self, _: web.Request, __: re.Match[str]) -> web.Response:
        http = {
            "dynamicThrottlesEnabled": False,
            "enableChunkedRequestBinding": False,
            "maxConcurrentRequests": -1,
            "maxOutstandingRequests": -1,
            "routePrefix": self._prefix,
        }
        concurrency = {
            "dynamicConcurrencyEnabled": False,
            "maximumFunctionConcurrency": 500,
            "cpuThreshold": 0.8,
            "snapshotPersistenceEnabled": True,
        }
        document = {"extensions": {"http": http}, "concurrency": concurrency}
        return web.Response(text=json.dumps(document, indent=2), content_type="text/plain")

    async def _bundle(self, _: web.Request, match: re.Match[str]) -> web.Response:
        what = match["what"].lower()
        named = {"templates": "Templates", "bindings": "Binding metadata", "resources": "Resources metadata"}[what]
        return web.Response(status=404, text=_NO_BUNDLE.format(named), content_type="text/plain")

    async def _host_keys(self, request: web.Request, match: re.Match[str]) -> web.Response:
        return _keys(request, self._scope(match["scope"]))

    async def _host_key(self, request: web.Request, match: re.Match[str]) -> web.Response:
        scope = dict(self._scope(match["scope"]))
        if match["scope"].lower() == "systemkeys":
            scope["_master"] = self._keys.master
        return _key(request, scope, match["key"])

    def _scope(self, name: str) -> Mapping[str, str]:
        return self._keys.system if name.lower() == "systemkeys" else self._keys.host

    async def _function_keys(self, request: web.Request, match: re.Match[str]) -> web.Response:
        found = self._keys.functions.get(match["function"].lower())
        return answers.empty(404) if found is None else _keys(request, found)

    async def _function_key(self, request: web.Request, match: re.Match[str]) -> web.Response:
        return _key(request, self._keys.functions.get(match["function"].lower(), {}), match["key"])

    async def _list(self, _: web.Request, __: re.Match[str]) -> web.Response:
        functions = sorted(self._functions.values(), key=lambda function: function.name.lower())
        return _json([self._described(function, self._site(), "https") for function in functions])

    async def _one(self, request: web.Request, match: re.Match[str]) -> web.Response:
        function = self._functions.get(match["function"].lower())
        if function is None:
            return answers.empty(404)
        return _json(self._described(function, request.host, "http"))

    def _described(self, function: Function, site: str, scheme: str) -> dict[str, Any]:
        base, file = f"{scheme}://{site}", str(function.directory / script_name()).lstrip("/")
        prefix = f"/{self._prefix.rstrip('/')}" if self._prefix else ""
        route = f"{base}{prefix}/{function.trigger.options.get('route') or function.name}".lower()
        test_data = Path("/tmp/FunctionsData") / f"{function.name}.dat"  # noqa: S108 - where Azure's host keeps it
        bindings = (function.trigger, *function.inputs, *function.outputs)
        return {
            "name": function.name,
            "script_root_path_href": None,
            "script_href": f"{base}/admin/vfs/{file}",
            "config_href": None,
            "test_data_href": f"{base}/admin/vfs{test_data}",
            "href": f"{base}/admin/functions/{function.name}",
            "invoke_url_template": route if function.trigger.type == "httpTrigger" else None,
            "language": "python",
            "config": {
                "name": function.name,
                "entryPoint": function.call.__name__,
                "scriptFile": script_name(),
                "language": "python",
                "functionDirectory": str(function.directory),
                "bindings": [binding.options for binding in bindings],
            },
            "files": None,
            "test_data": "",
            "isDisabled": function.disabled,
            "isDirect": False,
            "isProxy": False,
        }

    async def _status_of(self, _: web.Request, match: re.Match[str]) -> web.Response:
        return _json({}) if match["function"].lower() in self._functions else answers.empty(404)

    async def _run(self, request: web.Request, match: re.Match[str]) -> web.Response:
        """Have a function run with an input, as the portal's "Run" does; how it ends is in the log alone."""
        if _JSON.match(request.headers.get("Content-Type", "")) is None:
            return answers.empty(415)
        try:
            document = json_text.read(await request.read())
        except (ValueError, web.HTTPRequestEntityTooLarge):
            return answers.empty(400)
        if not isinstance(document, dict):
            return answers.empty(400)
        function = self._functions.get(match["function"].lower())
        if function is None or function.disabled:
            return answers.empty(404)
        given = next((value for name, value in document.items() if name.lower() == "input"), None)
        task = asyncio.get_running_loop().create_task(self._by_hand(function, None if given is None else str(given)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return answers.empty(202)

    async def _by_hand(self, function: Function, given: str | None) -> None:
        try:
            await self._run_function(function, given)
        except NotByHand as exc:
            log.error("%s", exc)
        except Exception:
            log.exception("function '%s', run by hand, failed", function.name)

    async def _counted(self, _: web.Request, __: re.Match[str]) -> web.Response:
        return _json(self._counters())

    async def _waits(self, _: web.Request, __: re.Match[str]) -> web.Response:
        try:
            return _json(await self._waiting())
        except FeedError as exc:
            return _json({"message": str(exc)}, 503)

    async def _forget(self, _: web.Request, __: re.Match[str]) -> web.Response:
        self._reset()
        return answers.empty(204)


def _table(*rows: tuple[str, str, Endpoint]) -> list[tuple[str, re.Pattern[str], Endpoint]]:
    return [(method, re.compile(path, re.IGNORECASE), endpoint) for method, path, endpoint in rows]


def _refused(request: web.Request, path: str) -> web.Response:
    return _json({"message": f"{request.method} /admin/{path} is not supported by the local host"}, 501)


def _port(request: web.Request) -> int:
    """The port that was asked, whatever the caller calls it."""
    return 0 if request.transport is None else int(request.transport.get_extra_info("sockname")[1])


def _json(document: Any, status: int = 200) -> web.Response:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, default=str)
    return web.Response(status=status, text=text, content_type="application/json")


def _linked(request: web.Request, document: dict[str, Any]) -> web.Response:
    here = f"http://{request.host}{request.raw_path.partition('?')[0]}"
    return _json({**document, "links": [{"rel": "self", "href": here}]})


def _keys(request: web.Request, keys: Mapping[str, str]) -> web.Response:
    return _linked(request, {"keys": [{"name": name, "value": value} for name, value in keys.items()]})


def _key(request: web.Request, keys: Mapping[str, str], name: str) -> web.Response:
    return _linked(request, {"name": name, "value": keys[name]}) if name in keys else answers.empty(404)
