"""HTTP triggers: which function a request is for, and the request and answer as the worker's converters want them.

Routes are those of ASP.NET Core, as far as function apps use them: literal segments, `{name}`, `{name?}`,
`{name:int}`, `{*rest}`. A literal wins over a parameter, whatever the order of registration.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from azure.functions.meta import Datum
from multidict import CIMultiDict

from localazure.clock import Clock
from localazure.functions.engine import Invoker
from localazure.functions.errors import InvalidFunction, Unsupported
from localazure.functions.indexing import Function
from localazure.functions.processes import WorkerExited
from localazure.functions.retry import Policy, invoke_with_retries, policy_of

log = logging.getLogger("localazure.functions")

LARGEST_BODY = 104_857_600
"""Bytes: the limit of the Functions host."""

_ALL_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
_PARAMETER = re.compile(r"\{(\*{0,2})([A-Za-z_][A-Za-z0-9_]*)(?::([a-z]+))?(\?)?\}")
_CONSTRAINTS = {
    "int": r"-?\d+",
    "alpha": r"[A-Za-z]+",
    "guid": r"[0-9a-fA-F-]{36}",
    "bool": r"true|false",
    "long": r"-?\d+",
}


@dataclass(frozen=True)
class Route:
    """One HTTP function's route. `rank` orders routes from the most to the least literal."""

    function: Function
    methods: frozenset[str]
    pattern: re.Pattern[str]
    rank: tuple[int, ...]
    level: str
    policy: Policy


def route_of(function: Function, prefix: str) -> Route:
    """Raises InvalidFunction for a route template that cannot be read."""
    options = function.trigger.options
    template = "/".join(part for part in (prefix, (options.get("route") or function.name).strip("/")) if part)
    pattern, rank = "", []
    for segment in template.split("/"):
        text, place = _segment(function.name, segment)
        pattern += text
        rank.append(place)
    methods = [str(getattr(method, "value", method)).upper() for method in options.get("methods") or _ALL_METHODS]
    level = str(getattr(options.get("authLevel"), "value", options.get("authLevel") or "FUNCTION")).upper()
    return Route(
        function, frozenset(methods), re.compile(pattern + "/?", re.IGNORECASE), tuple(rank), level, policy_of(function)
    )


def _segment(name: str, segment: str) -> tuple[str, int]:
    match = _PARAMETER.fullmatch(segment)
    if match is None:
        if "{" in segment or "}" in segment:
            raise Unsupported(name, f"the route segment '{segment}' mixes text and parameters")
        return "/" + re.escape(segment), 0
    star, parameter, constraint, optional = match.groups()
    if star:
        return f"(?:/(?P<{parameter}>.*))?", 3
    if constraint and constraint not in _CONSTRAINTS:
        raise Unsupported(name, f"the route constraint '{constraint}'")
    value = _CONSTRAINTS[constraint] if constraint else "[^/]+"
    text = f"/(?P<{parameter}>{value})"
    return (f"(?:{text})?", 2) if optional else (text, 1)


class Router:
    """All HTTP functions of the app."""

    def __init__(
        self, functions: list[Function], prefix: str, keys: Mapping[str, str], invoker: Invoker, clock: Clock
    ) -> None:
        self.routes = sorted((route_of(function, prefix) for function in functions), key=lambda route: route.rank)
        self._keys = keys
        self._invoker, self._clock = invoker, clock
        seen: dict[tuple[str, str], str] = {}
        for route in self.routes:
            for method in route.methods:
                other = seen.setdefault((method, re.sub(r"\?P<\w+>", "", route.pattern.pattern)), route.function.name)
                if other != route.function.name:
                    raise InvalidFunction(route.function.name, f"'{other}' has the same route and method")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request as the host would: 404 for no route, 401 without a key, 500 for an exception, 502 where
        the worker process died of it or beside it."""
        for route in self.routes:
            match = route.pattern.fullmatch(request.rel_url.raw_path)
            if match is not None and request.method in route.methods and not route.function.disabled:
                break
        else:
            return web.Response(status=404)
        if not self._allowed(route.level, request):
            return web.Response(status=401)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        params = {name: unquote(value) for name, value in match.groupdict().items() if value is not None}
        try:
            answer = await invoke_with_retries(
                self._invoker,
                self._clock,
                route.function,
                route.policy,
                _request_datum(request, params, body),
                traceparent=request.headers.get("traceparent", ""),
                one_id=False,
            )
            return _response(answer)
        except WorkerExited as exc:
            log.error("%s; '%s' has no answer", exc, route.function.name)
            return web.Response(status=502)
        except Exception:
            log.exception("function '%s' failed", route.function.name)
            return web.Response(status=500)

    def _allowed(self, level: str, request: web.Request) -> bool:
        if level == "ANONYMOUS":
            return True
        given = request.headers.get("x-functions-key") or request.query.get("code") or ""
        accepted = [self._keys["master"]] + ([self._keys["default"]] if level == "FUNCTION" else [])
        return any(secrets.compare_digest(given.encode(), key.encode()) for key in accepted)


def _text(value: str) -> Datum:
    return Datum(value, "string")


def _request_datum(request: web.Request, params: Mapping[str, str], body: bytes) -> Datum:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    query: dict[str, str] = {}
    for name, value in request.query.items():
        query[name] = f"{query[name]},{value}" if name in query else value
    return Datum(
        {
            "method": _text(request.method),
            "url": _text(str(request.url)),
            "headers": {name: _text(value) for name, value in headers.items()},
            "query": {name: _text(value) for name, value in query.items()},
            "params": {name: _text(value) for name, value in params.items()},
            "body": Datum(body, "bytes"),
        },
        "http",
    )


def _response(datum: Datum | None) -> web.Response:
    if datum is None:
        return web.Response(status=204)
    if datum.type == "string":
        return web.Response(text=datum.value)
    answer: dict[str, Any] = datum.value
    headers = CIMultiDict({name: value.value for name, value in answer["headers"].items()})
    for cookie in answer["cookies"] or []:
        for morsel in cookie.values():
            headers.add("Set-Cookie", morsel.OutputString())
    status = int(answer["status_code"].value)
    body = answer["body"].value
    if status in (204, 304):
        headers.popall("content-type", None)
        body = None
    return web.Response(status=status, headers=headers, body=body)
