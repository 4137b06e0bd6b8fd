"""EasyPost's HTTP: addresses, keys, JSON. Decides nothing about parcels."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from localazure.easypost import representation
from localazure.easypost.body import read_body
from localazure.easypost.engine import Engine
from localazure.easypost.errors import ApiError, Injected, Invalid, NotFound, TooLarge, Unauthenticated, Unsupported
from localazure.easypost.faults import Faults, Operation
from localazure.easypost.model import Status, Tracker, new_id
from localazure.easypost.store import SCHEMA, Store
from localazure.easypost.webhooks import Webhooks
from localazure.faults import Desk, dropped
from localazure.listening import HttpServer
from localazure.origins import own_machine
from localazure.part import Config, Server
from localazure.storage import open_database

PAGE, MAX_PAGE = 20, 100

_Code = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class _New(msgspec.Struct, forbid_unknown_fields=True):
    tracking_code: _Code
    carrier: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] | None = None


class _Create(msgspec.Struct, forbid_unknown_fields=True):
    tracker: _New


class _Say(msgspec.Struct, forbid_unknown_fields=True):
    status: Status
    message: str | None = None


@dataclass(frozen=True)
class _Call:
    """One request to the API, read and found good."""

    operation: Operation
    tracking_code: str
    effect: Callable[[], Mapping[str, Any]]
    status: int = 200


class EasyPostServer(HttpServer):
    """The listening socket, the webhooks that leave, and the file behind both."""

    def __init__(self, config: Config) -> None:
        options = config.options
        self._key = options.get("key") or "EZTK_local"
        self._clock = config.clock
        self._store = Store(open_database(config.file("easypost.sqlite3"), SCHEMA))
        self._faults = Faults()
        self._webhooks = Webhooks(
            self._store,
            self._faults,
            config.clock,
            url=options.get("webhook_url", ""),
            secret=options.get("webhook_secret") or "easypost_local",
        )
        self._engine = Engine(self._store, config.clock, self._webhooks.on_event)
        self._desk = Desk(self._faults)
        super().__init__(self._application(), config)

    async def listen(self) -> None:
        await super().listen()
        self._webhooks.start()

    async def stop(self) -> None:
        self._desk.stop()
        await self._runner.cleanup()
        await self._webhooks.stop()
        self._store.close()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[own_machine, _errors])
        application.router.add_post("/v2/trackers", partial(self._answer, self._create))
        application.router.add_get("/v2/trackers", partial(self._answer, self._list))
        application.router.add_get("/v2/trackers/{id}", partial(self._answer, self._retrieve))
        application.router.add_routes(self._desk.routes())
        application.router.add_get("/_local/trackers", self._trackers)
        application.router.add_post("/_local/trackers/{code}", self._say)
        return application

    async def _answer(self, read: Callable[[web.Request, bytes], _Call], request: web.Request) -> web.StreamResponse:
        self._check_key(request)
        call = read(request, await request.read())
        fault = self._faults.take(call.operation, call.tracking_code)
        if fault is not None and fault.kind == "status":
            raise Injected(fault.status)
        if fault is not None and fault.kind == "latency":
            # The effect happens even if the caller has gone by then.
            return await asyncio.shield(asyncio.ensure_future(self._later(call, fault.seconds)))
        answer = self._carried_out(call)
        if fault is None:
            return answer
        return await self._desk.hang(request) if fault.kind == "hang" else dropped(request)

    async def _later(self, call: _Call, seconds: float) -> web.Response:
        await self._clock.sleep(seconds)
        return self._carried_out(call)

    def _carried_out(self, call: _Call) -> web.Response:
        with self._store.transaction():
            answer = _json(call.effect(), call.status)
        self._webhooks.notice()
        return answer

    def _create(self, _request: web.Request, body: bytes) -> _Call:
        new = read_body(body, _Create).tracker
        return _Call(
            "create",
            new.tracking_code,
            lambda: representation.tracker(self._engine.create(new.tracking_code, new.carrier)),
            201,
        )

    def _retrieve(self, request: web.Request, _body: bytes) -> _Call:
        tracker = self._store.get(request.match_info["id"])
        return _Call("retrieve", tracker.tracking_code, lambda: representation.tracker(self._store.get(tracker.id)))

    def _list(self, request: web.Request, _body: bytes) -> _Call:
        query = dict(request.query)
        size, before = query.pop("page_size", str(PAGE)), query.pop("before_id", None)
        code, carrier = query.pop("tracking_code", None), query.pop("carrier", None)
        if query:
            raise Unsupported(f"the parameter {next(iter(query))}", next(iter(query)))
        if not size.isdecimal() or len(size) > 9 or not 1 <= int(size) <= MAX_PAGE:
            raise Invalid(f"page_size must be from 1 to {MAX_PAGE}", "page_size")

        def effect() -> Mapping[str, Any]:
            found = self._store.page(int(size) + 1, before, code, carrier)
            shown = [representation.tracker(tracker) for tracker in found[: int(size)]]
            return {"trackers": shown, "has_more": len(found) > int(size)}

        return _Call("list", code or "", effect)

    def _check_key(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(errors="replace"), self._key.encode()):
            raise Unauthenticated("The API key is missing or not one of this account.")

    # What only exists here

    async def _trackers(self, _request: web.Request) -> web.Response:
        found = self._store.page(10_000, None, None, None)
        return _json({"trackers": [representation.tracker(tracker) for tracker in found]})

    async def _say(self, request: web.Request) -> web.Response:
        said = read_body(await request.read(), _Say)
        with self._store.transaction():
            moved: list[Tracker] = self._engine.say(request.match_info["code"], said.status, said.message)
        self._webhooks.notice()
        return _json({"trackers": [representation.tracker(tracker) for tracker in moved]})


async def start(config: Config) -> Server:
    """Open the part's file, listen, and go on with the webhooks that are still to be delivered."""
    server = EasyPostServer(config)
    await server.listen()
    return server


def _json(content: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), status=status, content_type="application/json")


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as exc:
        refused = exc
    except web.HTTPRequestEntityTooLarge:
        refused = TooLarge("The request is too large.")
    except web.HTTPException:
        refused = NotFound(
            f"There is no {request.method} {request.path} here: localazure has trackers alone (create, retrieve, list)."
        )
    answer = _json(representation.error(refused), refused.http_status)
    answer.headers["x-ep-request-uuid"] = new_id("req")
    return answer
