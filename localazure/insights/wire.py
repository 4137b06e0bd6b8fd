"""Application Insights' HTTP: ingestion at `/v2.1/track`, queries at `/v1/apps/{id}/query`, the console at `/`.

Decides nothing."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from localazure import json_text
from localazure.certificate import CERTIFICATE
from localazure.faults import Desk, dropped
from localazure.insights import representation
from localazure.insights.console import configuration
from localazure.insights.console.documents import Documents
from localazure.insights.console.queues import Queues
from localazure.insights.console.wire import Console, guarded
from localazure.insights.console.workflows import Workflows
from localazure.insights.engine import Engine
from localazure.insights.errors import (
    BadArgument,
    ItemRefused,
    QueryError,
    Throttled,
    UnknownPath,
    Unsupported,
)
from localazure.insights.faults import Fault, Faults
from localazure.insights.store import Store
from localazure.listening import HttpServer
from localazure.origins import own_machine_alone
from localazure.part import Config, Server
from localazure.parts import FUNCTIONS

DEFAULT_KEY = "00000000-0000-0000-0000-000000000001"
MAX_BODY = 10 * 1024 * 1024
"""Bytes, unpacked: a batch of the SDK's hundred items of 64 KB has room."""
MAX_ITEMS = 10_000
"""Envelopes of one batch."""
_INGESTION = ("/v2/track", "/v2.1/track")
_QUERIES = ("/v1/apps/{app}/query", r"/v1/{resource:subscriptions/.+}/query")
_COMPONENT = re.compile(
    r"subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.insights/components/([^/]+)", re.IGNORECASE
)
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d{1,4})(?:$|[,;\s])")


def _number(config: Config, option: str, default: float) -> float:
    """An option that is a positive number. Raises ValueError, naming it."""
    text = config.options.get(option) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < 1e12:
        raise ValueError(f"the option {option} of insights must be a positive number, not {text!r}")
    return number


class InsightsServer(HttpServer):
    """The listening socket and the file behind it."""

    def __init__(self, config: Config) -> None:
        keys = [key.strip() for key in (config.options.get("keys") or DEFAULT_KEY).split(",")]
        shown = configuration.read(config.options.get("console", ""))
        retention = timedelta(days=_number(config, "retention_days", 30))
        most = int(_number(config, "max_items", 1_000_000))
        self._engine = Engine(
            Store(config.file("insights.duckdb"), shown.dimension), config.clock, frozenset(keys), retention, most
        )
        self._console = _console(config, self._engine, keys[0], shown)
        self._faults = Faults()
        self._clock = config.clock
        self._desk = Desk(self._faults)
        super().__init__(self._application(), config)

    async def stop(self) -> None:
        self._desk.stop()
        self._console.let_go()
        await self._runner.cleanup()
        await self._console.stop()
        await self._engine.stop()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[own_machine_alone, _errors, guarded], client_max_size=MAX_BODY)
        router = application.router
        for path in _INGESTION:
            router.add_post(path, self._track)
        for path in _QUERIES:
            router.add_get(path, self._ask_by_get)
            router.add_post(path, self._ask_by_post)
        router.add_routes(self._desk.routes())
        router.add_get("/_local/counts", self._counts)
        router.add_routes(self._console.routes())
        return application

    # Ingestion

    async def _track(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        fault = self._faults.take()
        if fault is not None and fault.kind == "latency":
            await self._clock.sleep(fault.seconds)
        if fault is not None and fault.kind in {"drop", "status"}:
            return dropped(request) if fault.kind == "drop" else _struck(fault)
        items = await asyncio.to_thread(_items, body)
        verdict = await self._engine.track(items, _refused(fault, len(items)))
        if fault is not None and fault.kind == "hang":
            return await self._desk.hang(request)
        status = 200 if not verdict.refused else 206 if verdict.accepted else 400
        return _json(representation.verdict(verdict), status)

    # Queries

    async def _ask_by_get(self, request: web.Request) -> web.Response:
        return await self._ask(request, request.query.get("query"), request.query.get("timespan"))

    async def _ask_by_post(self, request: web.Request) -> web.Response:
        try:
            body = json_text.read(await request.read())
        except ValueError as exc:
            raise BadArgument(f"the body is not JSON: {exc}") from exc
        if not isinstance(body, dict):
            raise BadArgument("the body must be an object with a query")
        for name in ("applications", "workspaces"):
            if body.get(name):
                raise Unsupported(f"queries across resources ({name})")
        return await self._ask(request, body.get("query"), body.get("timespan", request.query.get("timespan")))

    async def _ask(self, request: web.Request, query: Any, timespan: Any) -> web.Response:
        if not isinstance(query, str) or not query.strip():
            raise BadArgument("Query should not be empty")
        if timespan is not None and not isinstance(timespan, str):
            raise BadArgument("the timespan must be a text")
        wait = _WAIT.search(request.headers.get("Prefer", ""))
        seconds = float(wait[1]) if wait else None
        table = await self._engine.query(_application_of(request), query, timespan, seconds)
        return _json(await asyncio.to_thread(representation.answer, table))

    # What only exists here

    async def _counts(self, _request: web.Request) -> web.Response:
        return _json(msgspec.json.encode(await asyncio.to_thread(self._engine.counts)))


def _console(config: Config, engine: Engine, application: str, shown: configuration.Configuration) -> Console:
    """The console over what runs beside this part. Raises ValueError for addresses that cannot be read."""
    options = config.options
    try:
        addresses = {str(name): str(url) for name, url in json.loads(options.get("addresses") or "{}").items()}
    except (ValueError, AttributeError) as exc:
        raise ValueError(f"the option addresses of insights must be a JSON object of texts: {exc}") from exc
    hosts = {name: url for name, url in addresses.items() if name.partition("-")[0] == FUNCTIONS}
    broker, account = addresses.get("servicebus"), addresses.get("cosmos")
    return Console(
        engine,
        config.clock,
        application,
        shown,
        lambda: configuration.saved_queries(options.get("queries", "")),
        Queues(broker, config.file(CERTIFICATE)) if broker else None,
        Workflows(hosts, config.state) if hosts else None,
        Documents(account) if account else None,
    )


async def start(config: Config) -> Server:
    """Open the part's file and listen. Raises ValueError for an option that cannot be read."""
    server = InsightsServer(config)
    await server.listen()
    return server


def _items(body: bytes) -> list[Any]:
    """The envelopes of a body: an array, one object, or one a line. Raises BadBatch."""
    text = body.strip()
    try:
        try:
            found = json_text.read(text)
        except ValueError:
            lines = text.splitlines()
            if len(lines) < 2:
                raise
            found = [json_text.read(line) for line in lines[: MAX_ITEMS + 1] if line.strip()]
    except ValueError as exc:
        raise BadBatch(f"101: Invalid JSON: {exc}") from exc
    items = found if isinstance(found, list) else [found]
    if len(items) > MAX_ITEMS:
        raise BadBatch(f"104: Too many items. Expected: {MAX_ITEMS}")
    return items


class BadBatch(ItemRefused):
    """A body of which nothing can be kept."""


def _refused(fault: Fault | None, count: int) -> dict[int, ItemRefused]:
    if fault is None or fault.kind != "partial":
        return {}
    refused = ItemRefused("a fault was ordered", fault.status)
    return dict.fromkeys(range(fault.every - 1, count, fault.every), refused)


def _application_of(request: web.Request) -> str:
    if (app := request.match_info.get("app")) is not None:
        return app
    component = _COMPONENT.fullmatch(request.match_info["resource"])
    if component is None:
        raise UnknownPath("only components of Application Insights are resources here")
    return component[1]


def _struck(fault: Fault) -> web.Response:
    answer = _json(b'{"itemsReceived": 0, "itemsAccepted": 0, "errors": []}', fault.status)
    if fault.seconds:
        answer.headers["Retry-After"] = f"{fault.seconds:g}"
    return answer


def _json(content: bytes, status: int = 200) -> web.Response:
    return web.Response(status=status, body=content, content_type="application/json", charset="utf-8")


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    refused: QueryError
    try:
        return await handler(request)
    except BadBatch as exc:
        message = msgspec.json.encode([{"index": 0, "statusCode": 400, "message": str(exc)}])
        return _json(b'{"itemsReceived": 0, "itemsAccepted": 0, "errors": ' + message + b"}", 400)
    except Throttled:
        answer = _json(b'{"error": {"code": "ThrottledError", "message": "Too many requests are under way"}}', 429)
        answer.headers["Retry-After"] = "1"
        return answer
    except QueryError as exc:
        refused = exc
    except web.HTTPRequestEntityTooLarge:
        return _json(b'{"error": {"code": "RequestTooLarge", "message": "The body is too large"}}', 413)
    except web.HTTPException as exc:
        if exc.status < 400:
            raise
        refused = UnknownPath("no such address")
    return _json(representation.error(refused), refused.status)
