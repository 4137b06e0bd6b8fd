"""The gateway's HTTP: requests from the socket to the engine and answers back. Decides nothing."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import uuid
import zlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from localazure.apim import portal, subscriptions
from localazure.apim.artifacts import configuration, load
from localazure.apim.backends import Backends
from localazure.apim.context import Body, Headers, Request, Response, Url
from localazure.apim.engine import Gateway
from localazure.apim.errors import ArtifactError, Failure, GatewayError
from localazure.apim.model import Artifacts
from localazure.apim.services import Services
from localazure.apim.tokens import Identity, ManagedIdentity
from localazure.apim.trace import HEADER, LOCATION, Trace
from localazure.apim.watching import Watch
from localazure.connections import UNREADABLE, Runner
from localazure.listening import bound, listen
from localazure.origins import own_machine, refusal
from localazure.part import HOST, Config
from localazure.verifier import Verifier

log = logging.getLogger("localazure.apim")

MAX_HEADER = 32_768
"""Bytes of the request's line and of one header."""
GUIDES = ("api.md", "access.md")
"""What the portal shows beside the API."""
TENANT = "durable-commerce.local"
_ANSWERED = web.RequestKey("answered", Response)


class GatewayServer:
    """The listening socket and what stands behind it. Raises ArtifactError where the artifacts cannot be served."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._bound = config.port
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._gateway: Gateway | None = None
        self._services: Services | None = None
        self._reading = asyncio.Lock()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def start(self) -> None:
        """Read the artifacts, compile them, open the port."""
        options = self._config.options
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
        try:
            self._watch = Watch(_directory(self._config), _beside(self._config))
            self._services = _services(self._config, self._session, _artifacts(self._config))
            self._gateway = _gateway(self._config, self._services)
        except ArtifactError:
            await self._session.close()
            raise
        application = web.Application(client_max_size=0)
        application.on_response_prepare.append(_without_server)
        application.router.add_get("/_local/metrics", _guarded(self._metrics))
        application.router.add_get("/_local/breakers", _guarded(self._breakers))
        application.router.add_get("/_local/traces", _guarded(self._traces))
        application.router.add_get("/_local/traces/{id}", _guarded(self._trace))
        application.router.add_delete("/_local/state", _guarded(self._forget))
        portal.add_routes(
            application,
            self._services.artifacts,
            options.get("entra", ""),
            _guides(self._config),
            _known_keys(self._config),
        )
        application.router.add_route("*", r"/{path:[\s\S]*}", _guarded(self._handle))
        self._runner = Runner(
            application,
            self._config.timeouts,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            shutdown_timeout=5,
            auto_decompress=False,
        )
        await self._runner.setup()
        self.port = (await listen(self._runner, bound(self._bound))).port

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._services is not None:
            await self._services.stop()
        if self._session is not None:
            await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        assert self._gateway is not None and self._services is not None
        if self._watch.changed():
            await self._read_again()
        trace = _trace_wanted(request, self._gateway)
        answer = await self._gateway.handle(_request(request), trace)
        if trace is not None:
            self._services.traces.keep(trace)
            answer.headers.set(LOCATION, [f"{self.url}/_local/traces/{trace.id}"])
        response = web.Response(status=answer.status, reason=answer.reason or None, body=answer.body or None)
        response.headers.clear()
        request[_ANSWERED] = answer
        for name, value in answer.headers:
            response.headers.add(name, value)
        return response

    async def _read_again(self) -> None:
        """Serve what the files say now. Files that are wrong leave the gateway as it was, and the log says why."""
        assert self._services is not None

        def compiled(services: Services) -> tuple[Services, Gateway]:
            fresh = services.with_artifacts(_artifacts(self._config))
            return fresh, _gateway(self._config, fresh)

        async with self._reading:
            try:
                self._services, self._gateway = await asyncio.to_thread(compiled, self._services)
            except Exception as exc:  # whatever is wrong with the new files, the old ones are good
                log.error("the changed artifacts are wrong, the gateway goes on with the former ones: %s", exc)
            else:
                log.info("the artifacts were read again")

    # What only exists here

    async def _traces(self, _: web.Request) -> web.Response:
        assert self._services is not None
        return web.json_response({"traces": self._services.traces.summaries()})

    async def _trace(self, request: web.Request) -> web.Response:
        assert self._services is not None
        trace = self._services.traces.find(request.match_info["id"])
        if trace is None:
            return web.Response(status=404, text="There is no such trace; the last hundred are kept.\n")
        return web.json_response(trace.document())

    async def _metrics(self, _: web.Request) -> web.Response:
        assert self._services is not None
        return web.json_response({"metrics": self._services.metrics.snapshot()})

    async def _breakers(self, _: web.Request) -> web.Response:
        assert self._services is not None
        now = self._services.clock.time()
        breakers = self._services.backends.breakers
        return web.json_response({name: {"open_seconds": breaker.remaining(now)} for name, breaker in breakers.items()})

    async def _forget(self, _: web.Request) -> web.Response:
        """Counters, cache, metrics and breakers as they were at the start."""
        assert self._services is not None
        self._services.reset()
        return web.Response(status=204)


def _guarded(handler: Handler) -> Handler:
    """Behind the guard of private addresses: a middleware would cost every call more than the guard itself."""
    return partial(own_machine, handler=handler)


async def _without_server(request: web.Request, response: web.StreamResponse) -> None:
    """The gateway does not say what it is made of; what a backend says of itself is the policies' business."""
    answer = request.get(_ANSWERED)
    if answer is None or "Server" not in answer.headers:
        response.headers.pop("Server", None)


def _trace_wanted(request: web.Request, gateway: Gateway) -> Trace | None:
    """A trace for a program of this machine that asks for one. A page of a stranger gets none, whatever it sends."""
    if request.headers.get(HEADER, "").lower() != "true" or refusal(request, "/_local/traces") is not None:
        return None
    try:
        local = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        local = False
    return Trace(uuid.uuid4().hex, gateway.redaction()) if local else None


def _directory(config: Config) -> Path:
    return Path(config.options.get("artifacts") or "apim")


def _guides(config: Config) -> list[Path]:
    """The portal's texts, those that are there."""
    folder = config.options.get("guides")
    return [file for name in GUIDES if folder and (file := Path(folder) / name).exists()]


def _known_keys(config: Config) -> dict[str, str]:
    """The seeded subscriptions that are good, which everybody knows, by their names; of one's own nobody is told."""
    if _subscriptions(config) != subscriptions.SEEDED:
        return {}
    return {each.name: each.primary_key for each in subscriptions.load(subscriptions.SEEDED) if each.state == "active"}


def _subscriptions(config: Config) -> Path:
    return Path(config.options.get("subscriptions") or subscriptions.SEEDED)


def _beside(config: Config) -> tuple[Path, ...]:
    """Files outside the artifacts that say what the gateway serves."""
    file = config.options.get("configuration")
    return (_subscriptions(config), *([Path(file)] if file else ()))


def _artifacts(config: Config) -> Artifacts:
    overrides: dict[str, str] = {}
    if file := config.options.get("configuration"):
        overrides |= configuration(Path(file), _texts(config.options, "addresses"))
    overrides |= _texts(config.options, "values")
    return load(_directory(config), overrides)


def _gateway(config: Config, services: Services) -> Gateway:
    return Gateway(services, subscriptions.load(_subscriptions(config)))


def _services(config: Config, session: aiohttp.ClientSession, artifacts: Artifacts) -> Services:
    options, clock = config.options, config.clock
    entra = options.get("entra", "")
    identity = Identity(
        token_url=f"{entra}/{TENANT}/oauth2/v2.0/token" if entra else "",
        client_id=options.get("client_id") or "gateway",
        secret=options.get("client_secret") or "local-gateway",
    )
    return Services(
        artifacts=artifacts,
        clock=clock,
        backends=Backends(dict(artifacts.backends), session, clock),
        tokens=Verifier(session, clock),
        identity=ManagedIdentity(identity, session, clock),
        session=session,
        started=clock.time(),
        authority=entra.rstrip("/"),
    )


def _texts(options: Mapping[str, str], name: str) -> dict[str, str]:
    try:
        return {str(key): str(value) for key, value in json.loads(options.get(name) or "{}").items()}
    except (ValueError, AttributeError) as exc:
        raise ArtifactError(f"the option {name} must be a JSON object of texts: {exc}") from exc


DECODED = {"gzip": (31,), "deflate": (15, -15)}
"""Content encodings that a body is freed of before a policy or the backend sees it → zlib's names of their formats.
What calls itself `deflate` comes with zlib's header and without."""


def _request(request: web.Request) -> Request:
    headers, wrong = Headers(), ""
    for name, value in request.headers.items():
        if not value.isprintable() and not value.replace("\t", " ").isprintable():
            wrong = "A header holds bytes that are not text."
        headers.add(name, value)
    if "Content-Encoding" in headers and headers.get("Content-Encoding").lower() in DECODED:
        headers.remove("Content-Encoding")  # the body is decoded as it is read
    path, _, query = request.raw_path.partition("?")
    host, _, port = request.host.partition(":")
    if port and not (port.isascii() and port.isdecimal() and len(port) <= 5):
        wrong, port = "The port of the Host is not a port.", ""
    number = int(port) if port else 443 if request.scheme == "https" else 80
    url = Url.of(request.scheme, host, number, path, query)
    body = Body(reader=_reader(request)) if request.body_exists else None
    return Request(request.method, url, url.copy(), headers, request.remote or HOST, body, wrong=wrong)


def _reader(request: web.Request) -> Callable[[int], Awaitable[bytes]]:
    encoding = request.headers.get("Content-Encoding", "").lower()

    async def read(limit: int) -> bytes:
        content = bytearray()
        try:
            async for chunk in request.content.iter_any():
                content += chunk
                if len(content) > limit:
                    raise _too_large(limit)
        except (ConnectionError, *UNREADABLE) as exc:
            # neither this gateway's fault nor the backend's, whose circuit breaker counts those that it causes
            raise GatewayError(400, Failure("request", "Bad request", "The body of the request did not come.")) from exc
        return _decoded(bytes(content), DECODED[encoding], limit) if encoding in DECODED else bytes(content)

    return read


def _decoded(content: bytes, windows: tuple[int, ...], limit: int) -> bytes:
    """The content freed of its encoding; never more than `limit` bytes of it are made."""
    for window in windows:
        decoder = zlib.decompressobj(window)
        try:
            found = decoder.decompress(content, limit + 1)
        except zlib.error:
            continue
        if len(found) > limit:
            raise _too_large(limit)
        if decoder.eof:
            return found
    raise GatewayError(400, Failure("request", "Bad request", "The body is not what its headers say."))


def _too_large(limit: int) -> GatewayError:
    message = f"Request's body exceeds the limit of {limit} bytes."
    return GatewayError(413, Failure("request-body", "BodyTooLarge", message))
