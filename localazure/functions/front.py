"""Who answers a request: the host itself, an extension, or a function. In this order, as in Azure's host."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from aiohttp import web

from localazure.connections import unspoken
from localazure.functions import answers, targets
from localazure.functions.admin import Admin, refusal
from localazure.functions.http import Router
from localazure.functions.keys import Keys
from localazure.functions.server import MAX_HEADER_BYTES, Handler
from localazure.functions.targets import BadTarget, Target
from localazure.origins import PRIVATE
from localazure.origins import refusal as refusal_of_strangers

_WEBHOOKS = "/runtime/webhooks/"
_WEBHOOK_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS"})
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%-]*(?::\d*)?|\[[0-9A-Fa-f:.]+\](?::\d*)?")
_NO_HOME = "AzureWebJobsDisableHomepage"
_HOME = """<!DOCTYPE html>
<html>
<head>
    <title>Your Azure Function App is up and running.</title>
</head>
<body>
    <h1>Your Azure Function App is up and running.</h1>
</body>
</html>
"""


class Front:
    """What the server hands requests to."""

    def __init__(
        self,
        router: Router,
        admin: Admin,
        keys: Keys,
        extensions: Mapping[str, Handler],
        headers: Mapping[str, str],
    ) -> None:
        """`extensions` answer below /runtime/webhooks/NAME; `headers` are on every answer that has none of the name."""
        self._router, self._admin, self._keys = router, admin, keys
        self._extensions, self._headers = extensions, headers
        self.leaving = False
        """Whether this host is about to end: every answer then ends its connection; the next call goes elsewhere."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if (status := unspoken(request)) is not None:
            return answers.closing(status)
        host = request.headers.get("Host", "")
        try:
            target = targets.read(request.raw_path, host)
        except BadTarget:
            return answers.closing(400)
        if (status := _unreadable(request, host)) is not None:
            return answers.closing(status)
        answer = await self._dispatch(request, target)
        for name, value in self._headers.items():
            answer.headers.setdefault(name, value)
        if self.leaving and not answer.prepared:
            answer.force_close()
        return answer

    async def _dispatch(self, request: web.Request, target: Target) -> web.StreamResponse:
        path = target.path
        start = path[:19].lower()
        if start.startswith(PRIVATE) and (foreign := refusal_of_strangers(request, path)) is not None:
            return foreign
        if start.startswith("/admin/"):
            return await self._admin.answer(request, target)
        if start.startswith(_WEBHOOKS) and request.method in _WEBHOOK_METHODS:
            return await self._extension(request, target)
        answer = await self._router.answer(request, target)
        if answer is None and path == "/":
            return _home()
        return answer or answers.empty(404)

    async def _extension(self, request: web.Request, target: Target) -> web.StreamResponse:
        name = target.path[len(_WEBHOOKS) :].partition("/")[0].lower()
        if not name:
            return answers.empty(404)
        if (refused := refusal(self._keys, request, target, f"{name}_extension")) is not None:
            return refused
        handler = self._extensions.get(name)
        return answers.empty(404) if handler is None else await handler(request)


def _home() -> web.Response:
    if os.environ.get(_NO_HOME, "").lower() == "true":
        return answers.empty(204)
    return web.Response(body=_HOME.encode(), headers={"Content-Type": "text/html"})


def _unreadable(request: web.Request, host: str) -> int | None:
    """The status of a request whose headers the server refuses."""
    if _HOST.fullmatch(host) is None:
        return 400
    size = 0
    for name, value in request.raw_headers:
        size += len(name) + len(value) + 4
        if not value.isascii():
            try:
                value.decode()
            except UnicodeDecodeError:
                return 400
    return 431 if size > MAX_HEADER_BYTES else None
