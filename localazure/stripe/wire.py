"""Stripe's HTTP: addresses, keys, form bodies, JSON. Decides nothing about money."""

from __future__ import annotations

import hmac
import json
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from localazure.faults import Desk, dropped
from localazure.json_text import read_as
from localazure.listening import HttpServer
from localazure.origins import own_machine
from localazure.part import Config, Server
from localazure.storage import open_database
from localazure.stripe import representation, webhooks
from localazure.stripe.api import Api, Route
from localazure.stripe.engine import Engine, Origin
from localazure.stripe.errors import ApiError, InvalidRequest, Unauthenticated, UnknownAddress, UnsupportedFeature
from localazure.stripe.execution import Execution, Outcome, encode
from localazure.stripe.faults import Faults
from localazure.stripe.form import decode
from localazure.stripe.ledger import ledger
from localazure.stripe.model import new_id
from localazure.stripe.store import SCHEMA, Store

RELEASE = representation.API_VERSION.partition(".")[2]  # versions of one release differ by additions alone
MAX_KEY = 255
WEBHOOK_EVENTS = (
    "payment_intent.amount_capturable_updated,payment_intent.succeeded,payment_intent.payment_failed,"
    "payment_intent.canceled,charge.captured,charge.refunded,charge.dispute.created,charge.dispute.closed"
)


def _event_types(config: Config) -> frozenset[str]:
    """Which events are sent. Raises ValueError for a file that does not say."""
    if chosen := config.options.get("webhook_events"):
        return frozenset(chosen.split(","))
    file = config.options.get("endpoint")
    if not file:
        return frozenset(WEBHOOK_EVENTS.split(","))
    try:
        return frozenset(map(str, json.loads(Path(file).read_bytes())["enabled_events"]))
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise ValueError(f"the option endpoint of stripe must name a file with enabled_events: {exc!r}") from exc


class _Disputed(msgspec.Struct, forbid_unknown_fields=True):
    payment_intent: str


class _Decided(msgspec.Struct, forbid_unknown_fields=True):
    status: Literal["won", "lost"]


T = TypeVar("T")


def _read(body: bytes, kind: type[T]) -> T:
    """Raises InvalidRequest, which names what is wrong."""
    try:
        return read_as(body, kind)
    except ValueError as exc:
        raise InvalidRequest(f"The request could not be understood: {exc}") from exc


class StripeServer(HttpServer):
    """The listening socket, the webhooks that leave, and the file behind both."""

    def __init__(self, config: Config) -> None:
        options = config.options
        self._key = options.get("key") or "sk_test_local"
        self._store = Store(open_database(config.file("stripe.sqlite3"), SCHEMA))
        self._webhooks = webhooks.Webhooks(
            self._store,
            config.clock,
            url=options.get("webhook_url", ""),
            secret=options.get("webhook_secret") or "whsec_local",
            types=_event_types(config),
        )
        self._faults = Faults()
        self._execution = Execution(self._store, self._faults, config.clock, self._webhooks.notice)
        self._engine = Engine(self._store, config.clock, self._webhooks.on_event)
        self._api = Api(self._store, self._engine)
        self._desk = Desk(self._faults)
        super().__init__(self._application(), config)

    async def listen(self) -> None:
        await super().listen()
        self._webhooks.start()

    async def stop(self) -> None:
        self._execution.stop()
        self._desk.stop()
        await self._runner.cleanup()
        await self._webhooks.stop()
        self._store.close()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[own_machine, _errors])
        for route in self._api.routes():
            application.router.add_route(route.method, route.path, partial(self._call, route))
        application.router.add_routes(self._desk.routes())
        application.router.add_get("/_local/ledger", self._ledger)
        application.router.add_post("/_local/disputes", self._dispute)
        application.router.add_post("/_local/disputes/{id}", self._close_dispute)
        return application

    async def _call(self, route: Route, request: web.Request) -> web.StreamResponse:
        self._check_key(request)
        _check_headers(request)
        text = request.query_string if request.method == "GET" else await _form(request)
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if key is not None and not 0 < len(key) <= MAX_KEY:
            raise InvalidRequest(f"An idempotency key has from 1 to {MAX_KEY} characters, not {len(key)}.")
        call = route.prepare(request.path, request.match_info, decode(text), key)
        outcome = await self._execution.run(call)
        if outcome.fate == "hang":
            return await self._desk.hang(request)
        if outcome.fate != "answer":
            return dropped(request)
        return _answer(outcome, key)

    def _check_key(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise Unauthenticated(
                "You did not provide an API key. You need to provide your API key in the Authorization header, "
                "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
            )
        given = given.encode(errors="replace").decode()  # bytes that are not UTF-8 are surrogates
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            raise Unauthenticated(
                f"Invalid API Key provided: {given[:7]}{'*' * max(0, len(given) - 11)}{given[11:][-4:]}"
            )

    # What only exists here

    async def _ledger(self, _request: web.Request) -> web.Response:
        return _json(ledger(self._store, self._execution.calls))

    async def _dispute(self, request: web.Request) -> web.Response:
        asked = _read(await request.read(), _Disputed)
        with self._store.transaction():
            dispute = self._engine.dispute(asked.payment_intent, _here())
        self._webhooks.notice()
        return _json(representation.dispute(dispute))

    async def _close_dispute(self, request: web.Request) -> web.Response:
        asked = _read(await request.read(), _Decided)
        with self._store.transaction():
            dispute = self._engine.close_dispute(request.match_info["id"], asked.status, _here())
        self._webhooks.notice()
        return _json(representation.dispute(dispute))


def _here() -> Origin:
    """What happens at the provider itself, and is asked for by no call of the API."""
    return Origin(new_id("req"), None)


async def start(config: Config) -> Server:
    """Open the part's file, listen, and go on with the webhooks that are still to be delivered."""
    server = StripeServer(config)
    await server.listen()
    return server


def _check_headers(request: web.Request) -> None:
    for header in ("Stripe-Account", "Stripe-Context"):
        if header in request.headers:
            raise UnsupportedFeature(f"connected accounts (the header {header})")
    version = request.headers.get("Stripe-Version")
    if version is not None and version.partition(".")[2] != RELEASE:
        raise UnsupportedFeature(f"the API version {version}; it speaks {representation.API_VERSION}")


async def _form(request: web.Request) -> str:
    if request.can_read_body and request.content_type != "application/x-www-form-urlencoded":
        raise InvalidRequest(
            f"Invalid request: the content type must be application/x-www-form-urlencoded, not {request.content_type}."
        )
    try:
        return (await request.read()).decode()
    except UnicodeDecodeError:
        raise InvalidRequest("Invalid request: the body is not UTF-8.") from None


def _answer(outcome: Outcome, key: str | None) -> web.Response:
    headers = {"Request-Id": outcome.request, "Stripe-Version": representation.API_VERSION}
    if key is not None:
        headers |= {"Idempotency-Key": key, "Original-Request": outcome.answer.request}
    if outcome.replayed:
        headers["Idempotent-Replayed"] = "true"
    return web.Response(
        status=outcome.answer.status, body=outcome.answer.body, headers=headers, content_type="application/json"
    )


def _json(content: object) -> web.Response:
    return web.Response(body=encode(content), content_type="application/json")


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as exc:
        refused = exc
    except web.HTTPRequestEntityTooLarge:
        refused = InvalidRequest("The request is too large.")
    except web.HTTPException:
        refused = UnknownAddress(
            f"Unrecognized request URL ({request.method}: {request.path}). localazure has payment intents, refunds, "
            "charges (retrieve) and events; see COMPATIBILITY.md."
        )
    headers = {"Request-Id": new_id("req"), "Stripe-Version": representation.API_VERSION}
    return web.Response(
        status=refused.http_status,
        body=encode(representation.error(refused)),
        headers=headers,
        content_type="application/json",
    )
