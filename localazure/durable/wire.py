"""The task hub over HTTP: the management API that people use, and the address that the Python client calls.

Both are the same operations. Paths are in any letter case, with or without a slash at their end, and what stands
in them is decoded twice: once by the server, once by the extension.
Source: "HTTP APIs in Durable Functions" and `HttpApiHandler` of the Durable extension; its recorded answers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote, unquote_plus

from aiohttp import web

from localazure import newtonsoft
from localazure.durable import answers, queries, representation
from localazure.durable.engine import TaskHub
from localazure.durable.errors import InstanceRunning, UnknownInstance, WrongState
from localazure.durable.guard import guarded
from localazure.durable.links import PREFIX, client_binding, links
from localazure.durable.queries import Query
from localazure.durable.wire_entities import EntityApi

__all__ = ["PREFIX", "client_binding", "routes"]

Check = Callable[[web.Request], web.StreamResponse | None]
"""What the host asks of a caller: `None`, or the answer that refuses it."""

_PAGE, _MAX_PAGE = 100, 1000
"""Rows, unless the caller says how many; rows that Azure Table storage gives at most."""
_SHORTEST_PAUSE, _MAX_PAUSE = 0.01, 5.0
"""Seconds between two looks at an instance whose end a caller waits for."""
_UNDER_WAY = frozenset({"Pending", "Running", "Suspended"})


def routes(
    hub: TaskHub, prefix: str = PREFIX, *, code: str | None = None, check: Check | None = None
) -> list[web.RouteDef]:
    """What the functions host mounts: `code` is the key in the links that are given out."""
    api = _Api(hub, len(prefix), code, check)
    path = "/{_:(?i:" + re.escape(prefix.strip("/")) + ")}{tail:(?s:/.*)?}"
    return [web.route("*", path, guarded(api.answer))]


class _Api:
    def __init__(self, hub: TaskHub, skipped: int, code: str | None, check: Check | None) -> None:
        self._hub = hub
        self._skipped = skipped
        self._code = code
        self._check = check
        self._entities = EntityApi(hub)
        self._operations: dict[str, Callable[[str, Query], Awaitable[web.Response]]] = {
            "terminate": self._terminate,
            "suspend": self._suspend,
            "resume": self._resume,
            "rewind": self._rewind,
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Find what is asked for: the parts of the path below the API's own, and the method."""
        refusal = None if self._check is None else self._check(request)
        if refusal is not None:
            return refusal
        query = Query(request.rel_url.raw_query_string)
        hub = query.text("taskHub") or ""
        if hub.strip() and hub.strip().lower() != self._hub.name.lower():
            return answers.empty(404)
        path = request.rel_url.raw_path[self._skipped :].strip("/")
        match [unquote_plus(unquote(part)) for part in path.split("/")]:
            case [controller, *rest] if controller.lower() == "orchestrators":
                return await self._orchestrators(request, query, rest)
            case [controller, *rest] if controller.lower() == "entities":
                return await self._entities.answer(request, query, rest)
            case [controller, *rest] if controller.lower() == "instances":
                return await self._instances(request, query, rest)
        return answers.empty(404)

    async def _orchestrators(self, request: web.Request, query: Query, rest: list[str]) -> web.Response:
        match request.method, rest:
            case "POST", [name]:
                return await self._create(request, query, name, None)
            case "POST", [name, identifier]:
                return await self._create(request, query, name, identifier)
        return answers.empty(404)

    async def _instances(self, request: web.Request, query: Query, rest: list[str]) -> web.Response:
        match request.method, rest:
            case "GET", []:
                return self._find(request, query)
            case "DELETE", []:
                return self._purge_many(query)
            case "GET", [identifier]:
                return self._get(request, query, identifier)
            case "DELETE", [identifier]:
                return self._purge(identifier)
            case "POST", [identifier, operation] if operation.lower() in self._operations:
                return await self._operations[operation.lower()](identifier, query)
            case "POST", [identifier, operation] if operation.lower() == "restart":
                return await self._restart(request, query, identifier)
            case "POST", [identifier, operation, event] if operation.lower() == "raiseevent":
                return await self._raise_event(request, identifier, event)
        return answers.empty(404)

    async def _create(self, request: web.Request, query: Query, name: str, identifier: str | None) -> web.Response:
        body = (await request.read()).decode("utf-8", "replace")
        try:
            input_ = _input(body)
        except newtonsoft.JsonReaderException as exc:
            return answers.invalid_json(exc, answers.STARTING)
        started = self._hub.create(name, identifier, input_, query.text("version"))
        return await self._started(request, query, started)

    def _get(self, request: web.Request, query: Query, identifier: str) -> web.Response:
        show_input = query.flag("showInput", default=True)
        item = self._hub.look(identifier)
        if item is None:
            return answers.empty(404)
        document = representation.row(item, show_input)
        state = document["runtimeStatus"]
        if query.flag("showHistory") and state != "Pending":
            document["historyEvents"] = self._history(identifier, query, show_input)
        if state in _UNDER_WAY:
            here = f"{request.scheme}://{request.host}{request.raw_path}"
            return answers.document(document, 202, {"Location": here, "Retry-After": "5"})
        failed = state == "Failed" and query.flag("returnInternalServerErrorOnFailure")
        return answers.document(document, 500 if failed else 200)

    def _history(self, identifier: str, query: Query, show_input: bool) -> list[dict[str, object]]:
        try:
            instance = self._hub.get(identifier)
        except UnknownInstance:  # it is an entity, whose operations the hub does not keep
            return []
        unread = self._hub.unread(identifier) if instance.status == "Suspended" else []
        return representation.history(instance, unread, show_input, query.flag("showHistoryOutput"))

    def _find(self, request: web.Request, query: Query) -> web.Response:
        show_input = query.flag("showInput", default=True)
        size = query.page_size(_PAGE, _MAX_PAGE)
        first = queries.begins(request.headers.get(queries.CONTINUATION))
        found = self._hub.find(query.instances(), first, size + 1)
        headers = queries.following(self._hub.identifier(found[size])) if len(found) > size else {}
        return answers.document([representation.row(item, show_input) for item in found[:size]], 200, headers)

    def _purge(self, identifier: str) -> web.Response:
        item = self._hub.look(identifier)
        if item is None:
            return answers.empty(404)
        state = representation.row(item, show_input=False)["runtimeStatus"]
        try:
            self._hub.purge(identifier)
        except (InstanceRunning, UnknownInstance):
            told = f"but the orchestration with instance ID {identifier} has status {state}."
            return answers.document(f"Only orchestrations in a terminal state can be purged, {told}", 412)
        return answers.document({"instancesDeleted": 1})

    def _purge_many(self, query: Query) -> web.Response:
        since = query.moment("createdTimeFrom")
        if since is None:
            return answers.document("Please provide value for 'createdTimeFrom' parameter.", 400)
        named = query.statuses()
        if unfinished := sorted(set(named) - set(queries.finished_only(named))):
            # the extension drops them, and where none is left it deletes the instances of every status
            raise ValueError(f"instances that are {', '.join(unfinished)} are not purged by the local task hub")
        if not named and query.text("runtimeStatus"):
            return answers.empty(404)  # words that name no status are no reason to delete what they did not mean
        deleted = self._hub.purge_many(query.instances())
        return answers.document({"instancesDeleted": deleted}) if deleted else answers.empty(404)

    async def _raise_event(self, request: web.Request, identifier: str, name: str) -> web.Response:
        self._hub.check_open(identifier)
        if request.content_type.lower() != "application/json" or "Content-Type" not in request.headers:
            return answers.error("Only application/json request content is supported", 400)
        body = (await request.read()).decode("utf-8", "replace")
        try:
            data = newtonsoft.written(newtonsoft.read(body, whole=False))
        except newtonsoft.JsonReaderException as exc:
            return answers.invalid_json(exc, answers.RAISING)
        self._hub.raise_event(identifier, name, data)
        return answers.empty(202)

    async def _terminate(self, identifier: str, query: Query) -> web.Response:
        self._hub.terminate(identifier, query.text("reason"))
        return answers.empty(202)

    async def _suspend(self, identifier: str, query: Query) -> web.Response:
        try:
            self._hub.suspend(identifier, query.text("reason"))
        except WrongState as exc:
            return answers.failed(str(exc), answers.SUSPENDING)
        return answers.empty(202)

    async def _resume(self, identifier: str, query: Query) -> web.Response:
        try:
            self._hub.resume(identifier, query.text("reason"))
        except WrongState as exc:
            return answers.failed(str(exc), answers.RESUMING)
        return answers.empty(202)

    async def _rewind(self, identifier: str, query: Query) -> web.Response:
        item = self._hub.look(identifier)
        if item is None:
            return answers.document(f'No orchestration with instance ID "${identifier}" found.', 404)
        state = representation.row(item, show_input=False)["runtimeStatus"]
        if state != "Failed":
            told = 'but only orchestrations in the "Failed" state can be rewound.'
            return answers.document(f"This orchestration has status {state}, {told}", 412)
        self._hub.rewind(identifier, query.text("reason") or "")
        return answers.empty(202)

    async def _restart(self, request: web.Request, query: Query, identifier: str) -> web.Response:
        try:
            again = self._hub.restart(identifier, with_new_id=query.flag("restartWithNewInstanceId", default=True))
        except UnknownInstance:
            message = "InstanceId does not match a valid orchestration instance."
            told = f"No instance with ID '{identifier}' was found. (Parameter 'instanceId')"
            return answers.exception(message, 400, told, "System.ArgumentException", answers.RESTARTING)
        except InstanceRunning as exc:
            message = "A non-terminal instance with this instance ID already exists."
            kind = "DurableTask.Core.Exceptions.OrchestrationAlreadyExistsException"
            return answers.exception(message, 409, str(exc), kind, answers.HANDLING)
        return await self._started(request, query, again)

    async def _started(self, request: web.Request, query: Query, identifier: str) -> web.Response:
        """Links at once, or what became of the instance where it ends within the time that the caller waits."""
        timeout, interval = query.seconds("timeout"), query.seconds("pollingInterval")
        if timeout is not None and interval is not None:
            if interval > timeout:
                told = f"Total timeout {timeout:g} should be bigger than retry timeout {interval:g}"
                return answers.argument(told)
            if await self._ends(request, identifier, timeout, interval):
                instance = self._hub.get(identifier)
                if instance.status == "Completed":
                    return answers.document(representation.loaded(instance.output))
                return self._get(request, query, identifier)
        root = f"{request.scheme}://{request.host}{PREFIX}"
        found = links(root, identifier, self._hub.name, self._code)
        headers = {"Location": found["statusQueryGetUri"], "Retry-After": "10"}
        return answers.document(found, 202, headers)

    async def _ends(self, request: web.Request, identifier: str, timeout: float, interval: float) -> bool:
        """Look every so often whether the instance has finished, until the time is over or the caller gone."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while not self._hub.get(identifier).finished:
            left = end - loop.time()
            if left <= 0 or request.transport is None or request.transport.is_closing():
                return False
            await asyncio.sleep(min(max(interval, _SHORTEST_PAUSE), _MAX_PAUSE, left))
        return True


def _input(body: str) -> str | None:
    """What a start gives the orchestrator: the JSON that was sent, none for nothing or null.

    Raises JsonReaderException.
    """
    if not body:
        return None
    if not body.strip():
        return '""'  # blanks are no value, and no orchestrator can decode them
    value = newtonsoft.read(body)
    return None if value is None else newtonsoft.written(value)
