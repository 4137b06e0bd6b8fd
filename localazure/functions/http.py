"""HTTP triggers: which function a request is for, and the request as the worker's converters want it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aiohttp import web
from azure.functions.meta import Datum

from localazure.clock import Clock
from localazure.functions import answers, targets
from localazure.functions.engine import Invoker
from localazure.functions.indexing import Function
from localazure.functions.keys import NOBODY, Grant, Keys, Level
from localazure.functions.processes import WorkerExited
from localazure.functions.retry import invoke_with_retries, policy_of
from localazure.functions.routing import Route, routes_of
from localazure.functions.server import MAX_BODY
from localazure.functions.targets import Target

log = logging.getLogger("localazure.functions")

_LEVELS = {"ANONYMOUS": Level.ANONYMOUS, "FUNCTION": Level.FUNCTION, "ADMIN": Level.ADMIN}


class Router:
    """All HTTP functions of the app. Raises InvalidFunction for a route or a policy that Azure refuses."""

    def __init__(self, functions: list[Function], prefix: str, keys: Keys, invoker: Invoker, clock: Clock) -> None:
        self.routes: list[Route] = routes_of(functions, prefix)
        self._tries = [(route, route.methods, route.template.pattern.fullmatch) for route in self.routes]
        self._policies = {function.name: policy_of(function) for function in functions}
        self._levels = {function.name: _level(function) for function in functions}
        self._keys, self._invoker, self._clock = keys, invoker, clock

    async def answer(self, request: web.Request, target: Target) -> web.Response | None:
        """None for no route, 401 without a key that the function asks for, 500 where the function raises, returns what
        cannot be written, takes too long, or its process died of it or beside it."""
        route, params = self._route(request.method, target.path)
        if route is None:
            return None
        function = route.function
        grant = shown(self._keys, request, target, function.name)
        level = self._levels[function.name]
        if self._keys.asked and grant.level is not Level.ADMIN and level not in (Level.ANONYMOUS, grant.level):
            return answers.empty(401)
        if function.disabled and not (self._keys.asked and grant.level is Level.ADMIN):
            return answers.empty(404)
        try:
            body = await _body(request)
        except web.HTTPRequestEntityTooLarge as exc:
            log.error("'%s' has no answer: %s", function.name, exc)
            return answers.empty(500)
        try:
            answer = await invoke_with_retries(
                self._invoker,
                self._clock,
                function,
                self._policies[function.name],
                _request_datum(request, target, params, body),
                traceparent=request.headers.get("traceparent", ""),
                one_id=False,
            )
            return answers.response(answer)
        except (WorkerExited, answers.InvalidAnswer) as exc:
            log.error("'%s' has no answer: %s", function.name, exc)
        except Exception:
            log.exception("function '%s' failed", function.name)
        return answers.empty(500)

    def _route(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        upper = method.upper()
        for route, methods, fits in self._tries:
            if (methods is None or upper in methods) and (found := fits(path)) is not None:
                params = route.template.values(found)
                if params is not None:
                    return route, params
        return None, {}


def shown(keys: Keys, request: web.Request, target: Target, function: str = "") -> Grant:
    """What the caller's key may do: that of the header, else that of the query."""
    if not keys.asked:
        return NOBODY
    given = request.headers.get("x-functions-key")
    if given is None:
        given = targets.first(target.query, "code")
    return keys.grant(given or "", function)


def _level(function: Function) -> Level:
    given = function.trigger.options.get("authLevel")
    return _LEVELS[str(getattr(given, "value", given or "FUNCTION")).upper()]


async def _body(request: web.Request) -> bytes:
    """Only a body whose length was told beforehand is given to a function. Raises HTTPRequestEntityTooLarge."""
    length = request.content_length
    if not length:
        return b""
    if length > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, length)
    if request.headers.get("expect", "").lower() == "100-continue" and request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    return await request.read()


def _text(value: str) -> Datum:
    return Datum(value, "string")


def _request_datum(request: web.Request, target: Target, params: Mapping[str, str], body: bytes) -> Datum:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        headers[lower] = targets.joined([headers[lower], value]) if lower in headers else value
    query = targets.values(target.query) if target.query else {}
    told = {name: targets.joined(given) for name, given in query.items()}
    return Datum(
        {
            "method": _text(request.method),
            "url": _text(f"http://{request.headers.get('Host', '')}{target.address}"),
            "headers": {name: _text(value) for name, value in headers.items()},
            "query": {name: _text(value) for name, value in told.items() if value},
            "params": {name: _text(value) for name, value in params.items()},
            "body": Datum(body, "bytes"),
        },
        "http",
    )
