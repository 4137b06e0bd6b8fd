"""The console's HTTP: the page, and its API below `/console/api`. Decides nothing.

Beyond what the part refuses to strangers, the console answers its own page alone: a page of another port of this
machine is another origin. What acts is a POST of JSON, which no form and no image can send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from localazure import json_text
from localazure.clock import Clock, utc
from localazure.insights import representation
from localazure.insights.console import assets
from localazure.insights.console.configuration import Configuration, SavedQuery
from localazure.insights.console.documents import Documents
from localazure.insights.console.errors import BadRequest, ConsoleError, Forbidden, Missing
from localazure.insights.console.live import Live
from localazure.insights.console.queues import Queues
from localazure.insights.console.reading import Reader
from localazure.insights.console.services import MAX_MINUTES, Services
from localazure.insights.console.traces import Traces
from localazure.insights.console.workflows import Workflows
from localazure.insights.engine import Engine
from localazure.insights.errors import QueryError, Throttled

API = "/console/api"
MAX_BODY = 128 * 1024
"""Bytes of what a person sends: a query of 64 KiB, escaped, has room."""

T = TypeVar("T")
Text = Annotated[str, msgspec.Meta(max_length=64 * 1024)]
Id = Annotated[str, msgspec.Meta(max_length=400)]


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    query: Text
    timespan: Id | None = None


class Find(msgspec.Struct, forbid_unknown_fields=True):
    database: Id
    container: Id
    query: Text
    continuation: Text | None = None


class Again(msgspec.Struct, forbid_unknown_fields=True):
    entity: Id
    sequence: Annotated[int, msgspec.Meta(ge=1)]


class Terminate(msgspec.Struct, forbid_unknown_fields=True):
    host: Id
    id: Id
    reason: Id = ""


class Raise(msgspec.Struct, forbid_unknown_fields=True):
    host: Id
    id: Id
    name: Id
    data: Any = None


class Console:
    """What the page asks for. A part that does not run has no tab: its field is `None`."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        application: str,
        configuration: Configuration,
        saved: Callable[[], list[SavedQuery]],
        queues: Queues | None,
        workflows: Workflows | None,
        documents: Documents | None,
    ) -> None:
        self._engine, self._clock, self._application = engine, clock, application
        self._configuration, self._saved = configuration, saved
        self._queues, self._workflows, self._documents = queues, workflows, documents
        self._reader = Reader(engine.store, application)
        self._traces = Traces(self._reader, configuration)
        self._services = Services(self._reader, clock)
        looks: dict[str, Callable[[], Awaitable[Any]]] = {"telemetry": self._newest}
        if queues is not None:
            looks["queues"] = queues.depths
        if workflows is not None:
            looks["workflows"] = self._counts
        self._live = Live(looks)

    def routes(self) -> list[web.RouteDef]:
        get: dict[str, Callable[[web.Request], Awaitable[Any]]] = {
            "about": self._about,
            "search": self._search,
            "subject": self._subject,
            "trace": self._trace,
            "services": self._map,
            "percentiles": self._percentiles,
            "queues": self._depths,
            "messages": self._messages,
            "workflows": self._instances,
            "workflow": self._instance,
            "containers": self._containers,
        }
        post: dict[str, Callable[[web.Request], Awaitable[Any]]] = {
            "documents": self._documents_found,
            "send-again": self._send_again,
            "terminate": self._terminate,
            "raise": self._raise,
        }
        return [
            *assets.routes(),
            *(web.get(f"{API}/{name}", _answered(handler)) for name, handler in get.items()),
            *(web.post(f"{API}/{name}", _answered(handler)) for name, handler in post.items()),
            web.post(f"{API}/query", self._query),
            web.get(f"{API}/live", self._live.stream),
        ]

    def let_go(self) -> None:
        """End what goes on for as long as somebody looks."""
        self._live.stop()

    async def stop(self) -> None:
        for behind in (self._queues, self._workflows, self._documents):
            if behind is not None:
                await behind.stop()
        self._reader.stop()

    async def _about(self, _: web.Request) -> Any:
        tabs = {"queues": self._queues, "workflows": self._workflows, "data": self._documents}
        return {
            "title": self._configuration.title,
            "lookups": [lookup.title for lookup in self._configuration.lookups if self._documents is not None],
            "measures": self._configuration.measures,
            "tabs": [name for name, behind in tabs.items() if behind is not None],
            "queries": await asyncio.to_thread(self._saved),
        }

    # Items by what they are about

    async def _search(self, request: web.Request) -> Any:
        text = request.query.get("text", "").strip()
        if not text:
            return {"trace": None, "subjects": await self._traces.latest(self._engine.newest)}
        found = await self._traces.search(text)
        if not found["trace"] and not found["subjects"] and self._documents is not None:
            for lookup in self._configuration.lookups:
                if subjects := await self._documents.subjects(lookup, text):
                    known = await self._traces.summaries(subjects)
                    return {"trace": None, "by": lookup.title, "subjects": known}
        return found

    async def _subject(self, request: web.Request) -> Any:
        return await self._traces.of_subject(request.query.get("id", ""))

    async def _trace(self, request: web.Request) -> Any:
        return await self._traces.told(request.query.get("id", ""))

    async def _newest(self) -> Any:
        return {"sequence": self._engine.newest}

    # Services

    async def _map(self, request: web.Request) -> Any:
        return await self._services.map(_minutes(request))

    async def _percentiles(self, request: web.Request) -> Any:
        asked = request.query
        return await self._services.percentiles(_minutes(request), asked.get("role", ""), asked.get("name", ""))

    # Queues

    async def _depths(self, _: web.Request) -> Any:
        return await _running(self._queues).depths()

    async def _messages(self, request: web.Request) -> Any:
        asked = request.query
        since = asked.get("since", "1")
        if not since.isdecimal() or len(since) > 18:
            raise BadRequest("since is a sequence number")
        return await _running(self._queues).peek(asked.get("entity", ""), asked.get("dead") == "true", int(since))

    async def _send_again(self, request: web.Request) -> Any:
        sent = await _sent(request, Again)
        return {"id": await _running(self._queues).send_again(sent.entity, sent.sequence)}

    # Workflows

    async def _instances(self, request: web.Request) -> Any:
        asked = request.query
        since = (utc(self._clock) - timedelta(minutes=_minutes(request))).isoformat()
        workflows = _running(self._workflows)
        return await workflows.instances(asked.get("status", ""), asked.get("prefix", ""), since)

    async def _counts(self) -> Any:
        since = (utc(self._clock) - timedelta(hours=1)).isoformat(timespec="minutes")
        found = await _running(self._workflows).instances("", "", since)
        return {"counts": found["counts"], "updated": max((each["updated"] for each in found["instances"]), default="")}

    async def _instance(self, request: web.Request) -> Any:
        return await _running(self._workflows).instance(request.query.get("host", ""), request.query.get("id", ""))

    async def _terminate(self, request: web.Request) -> Any:
        sent = await _sent(request, Terminate)
        await _running(self._workflows).terminate(sent.host, sent.id, sent.reason)
        return {}

    async def _raise(self, request: web.Request) -> Any:
        sent = await _sent(request, Raise)
        await _running(self._workflows).raise_event(sent.host, sent.id, sent.name, sent.data)
        return {}

    # Data and queries

    async def _containers(self, _: web.Request) -> Any:
        return await _running(self._documents).containers()

    async def _documents_found(self, request: web.Request) -> Any:
        sent = await _sent(request, Find)
        found = _running(self._documents)
        return await found.query(sent.database, sent.container, sent.query, sent.continuation)

    async def _query(self, request: web.Request) -> web.Response:
        sent = await _sent(request, Ask)
        table = await self._engine.query(self._application, sent.query, sent.timespan)
        content = await asyncio.to_thread(representation.answer, table)
        return web.Response(body=content, content_type="application/json", charset="utf-8")


def _answered(handler: Callable[[web.Request], Awaitable[Any]]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        content = msgspec.json.encode(await handler(request))
        return web.Response(body=content, content_type="application/json", charset="utf-8")

    return answer


def _running(behind: T | None) -> T:
    if behind is None:
        raise Missing("the part behind this does not run")
    return behind


def _minutes(request: web.Request) -> float:
    try:
        minutes = float(request.query.get("minutes", "60"))
    except ValueError:
        minutes = 0
    if not 0 < minutes <= MAX_MINUTES:
        raise BadRequest(f"minutes is a number up to {MAX_MINUTES}")
    return minutes


async def _sent(request: web.Request, kind: type[T]) -> T:
    """The body as a `kind`. Raises BadRequest."""
    if (request.content_length or 0) > MAX_BODY or request.content_length is None:
        raise BadRequest(f"the body has {MAX_BODY} bytes at most, and says how many")
    try:
        return json_text.read_as(await request.read(), kind)
    except ValueError as exc:
        raise BadRequest(f"the body is not what is asked for: {exc}") from exc


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The console's errors and headers, and the refusal of other pages; what is not the console's passes through."""
    if request.path != "/" and not request.path.startswith("/console/"):
        return await handler(request)
    response: web.StreamResponse
    try:
        _own_page(request)
        response = await handler(request)
    except ConsoleError as exc:
        response = _refused(str(exc), exc.status)
    except QueryError as exc:
        place = {} if exc.line is None else {"line": exc.line, "column": exc.column}
        response = _refused(str(exc), exc.status, **place)
    except Throttled:
        response = _refused("too many queries are under way; try again in a moment", 429)
    except web.HTTPException as exc:
        response = _refused(exc.reason, exc.status)
    if not response.prepared:
        response.headers.update({name: value for name, value in assets.HEADERS.items() if name not in response.headers})
    return response


def _own_page(request: web.Request) -> None:
    """Raises Forbidden for what another origin sends. Programs send none of these headers."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none").lower()
    if origin is not None and origin.lower() != f"http://{request.host}".lower():
        raise Forbidden("the console answers its own page alone: the Origin is another")
    opened = request.method == "GET" and request.path == "/" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if site not in {"same-origin", "none"} and not opened:
        raise Forbidden("the console answers its own page alone: another one asks (Sec-Fetch-Site)")
    if request.method == "POST" and request.content_type != "application/json":
        raise Forbidden("the console takes JSON alone")


def _refused(message: str, status: int, **place: int | None) -> web.Response:
    content = msgspec.json.encode({"error": {"message": message, **place}})
    return web.Response(status=status, body=content, content_type="application/json", charset="utf-8")
