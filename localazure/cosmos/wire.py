"""The REST API of Cosmos DB for NoSQL, as the official Python client speaks it: a port, routes, and who may ask.

Sources: "Azure Cosmos DB: REST API Reference"; the source of azure-cosmos 4.17.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web

from localazure.certificate import ServerCertificate
from localazure.connections import Runner
from localazure.cosmos import EMULATOR_KEY, requests
from localazure.cosmos.access import Access, Entra
from localazure.cosmos.answers import error_response
from localazure.cosmos.charges import FAILED_WRITE
from localazure.cosmos.declared import declare
from localazure.cosmos.documents import Documents
from localazure.cosmos.engine import Account
from localazure.cosmos.errors import BadRequest, CosmosError, NotFound, TooLarge, Unauthorized
from localazure.cosmos.local import Local
from localazure.cosmos.resources import Resources
from localazure.cosmos.service import Handler, Routes, Service
from localazure.cosmos.signing import Signatures
from localazure.cosmos.throughput import Throughput
from localazure.identities import load
from localazure.listening import abort_idle_over_tls, bound, listen
from localazure.origins import own_machine
from localazure.part import Config
from localazure.verifier import Verifier

PURGE_INTERVAL = 30.0
MAX_RANGES = 100
MAX_REQUEST = 8 * 1024 * 1024
_STRONGER = frozenset({"strong", "boundedstaleness"})
_FEATURES = {
    "sprocs": "stored procedures",
    "triggers": "triggers",
    "udfs": "user-defined functions",
    "users": "users",
    "permissions": "permissions",
    "attachments": "attachments",
    "clientencryptionkeys": "client encryption keys",
}
"""Resources that are not here, by their name in paths."""


def _ranges(config: Config) -> int:
    """How many physical ranges a new container has. Raises ValueError for an option that is no such number."""
    text = config.options.get("ranges") or "1"
    if not text.isdecimal() or not 1 <= int(text) <= MAX_RANGES:
        raise ValueError(f"the option ranges of cosmos must be a number from 1 to {MAX_RANGES}, not {text!r}")
    return int(text)


def _needs_plans(config: Config) -> bool:
    """Raises ValueError for an option that is neither of its two words."""
    text = config.options.get("plans") or "required"
    if text not in ("required", "optional"):
        raise ValueError(f"the option plans of cosmos must be required or optional, not {text!r}")
    return text == "required"


class CosmosServer:
    """The account on a port."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._account = Account(config.file("cosmos.db"), config.clock, _ranges(config))
        self._service = Service(self._account, config.clock, needs_plans=_needs_plans(config))
        self._local = Local(self._service)
        self._signatures = Signatures(config.options.get("key") or EMULATOR_KEY, time.time)
        self._identities = load(config.options.get("identities", ""))
        self._access = Access(self._service, self._signatures, None, self._identities)
        self._session: aiohttp.ClientSession | None = None
        self._purging: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None
        self._certificate: ServerCertificate | None = None
        self.port = 0
        self.tls_port = 0
        self.certificate = Path()
        if declared := config.options.get("containers"):
            declare(self._account, Path(declared))

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def tls_url(self) -> str:
        """The address over TLS: clients send tokens nowhere else. `certificate` is what they have to trust."""
        return f"https://localhost:{self.tls_port}"

    async def start(self) -> None:
        if discovery := self._config.options.get("entra"):
            self._session = aiohttp.ClientSession()
            entra = Entra(Verifier(self._session, self._config.clock), discovery)
            self._access = Access(self._service, self._signatures, entra, self._identities)
        app = web.Application(client_max_size=MAX_REQUEST)
        for method, path, handler in routes(self._service):
            ending = "" if path == "/" else "{_:/?}"
            app.router.add_route(method, f"{path}{ending}", self._guarded(handler))
        for method, path, handler in self._local.routes():
            app.router.add_route(method, path, partial(own_machine, handler=handler))
        app.router.add_route("*", "/{path:.*}", self._guarded(_unknown))
        self._runner = Runner(app, self._config.timeouts, shutdown_timeout=1)
        await self._runner.setup()
        self.port = (await listen(self._runner, bound(self._config.port))).port
        if (tls_port := self._config.options.get("tls_port")) is not None:
            await self._listen_over_tls(self._runner, int(tls_port))
        self._purging = asyncio.get_running_loop().create_task(self._purge())

    async def _listen_over_tls(self, runner: web.AppRunner, port: int) -> None:
        self._certificate = ServerCertificate(self._config.state)
        self.certificate = self._certificate.file
        self.tls_port = (await listen(runner, bound(port), self._certificate.context)).port

    async def stop(self) -> None:
        if self._purging is not None:
            self._purging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._purging
        self._account.wake()
        if self._runner is not None:
            abort_idle_over_tls(self._runner)
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()
        if self._certificate is not None:
            self._certificate.close()
        self._account.close()

    async def _purge(self) -> None:
        while True:
            await self._config.clock.sleep(PURGE_INTERVAL)
            self._account.purge()

    def _refused(self, request: web.Request, error: CosmosError) -> web.Response:
        """The error, with what the client is to know of the container and its physical ranges, if they are there."""
        if "coll" not in request.match_info:
            return error_response(error)
        try:
            container = self._service.named(request)
        except NotFound:
            self._account.ledger.add(*self._service.names(request), "failed", FAILED_WRITE)
            return error_response(error)
        self._service.charge(container, "failed", FAILED_WRITE)
        if isinstance(error, Unauthorized):
            return error_response(error)
        try:
            return error_response(error, container, container.ranges_of(requests.part(request, container)))
        except CosmosError:
            return error_response(error, container)

    def _guarded(self, handler: Handler) -> Handler:
        """`handler`, for requests that may be made, with the account's refusals as the client wants them."""

        async def guard(request: web.Request) -> web.StreamResponse:
            given = request.headers
            try:
                await self._access.check(request)
                if given.get("x-ms-consistency-level", "").lower() in _STRONGER:
                    raise BadRequest("a consistency level that is stronger than the account's, which is Session")
                answer = await self._local.handled(handler, request)
            except CosmosError as exc:
                answer = self._refused(request, exc)
            except web.HTTPRequestEntityTooLarge:
                answer = error_response(TooLarge("the request is too large"))
            answer.headers["content-location"] = f"{request.scheme}://{request.host}{request.rel_url.raw_path}"
            return answer

        return guard


def routes(service: Service) -> Routes:
    """All addresses but those that only the local server has; those that are asked for most come first."""
    return [*Documents(service).routes(), *Resources(service).routes(), *Throughput(service).routes()]


async def _unknown(request: web.Request) -> web.StreamResponse:
    for step in request.path.lower().strip("/").split("/"):
        if step in _FEATURES:
            raise BadRequest(
                f"{_FEATURES[step]} are not supported by the local server: {request.method} {request.path}"
            )
    raise NotFound(f"{request.method} {request.path} is not supported by the local server")


async def start(config: Config) -> CosmosServer:
    """Open the account and serve it. Raises OSError for a port in use, ValueError for a bad containers file."""
    server = CosmosServer(config)
    await server.start()
    return server
