"""Entra's addresses and JSON over HTTP. Decides nothing."""

from __future__ import annotations

import base64
import binascii
import json
import socket
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from localazure.clock import Clock, utc
from localazure.entra import TENANT, keys, sessions
from localazure.entra.directory import SEEDED, load
from localazure.entra.engine import Engine, Grant, Tenant
from localazure.entra.errors import InvalidClient, InvalidRequest, OAuthError, UnsupportedResponseType
from localazure.entra.keys import KeyRing
from localazure.entra.minting import Mint, Order
from localazure.entra.sessions import RefreshTokens
from localazure.part import HOST, Config, Server
from localazure.storage import open_database


class EntraServer:
    """The listening socket of one tenant."""

    def __init__(self, runner: web.AppRunner, port: int, close: Callable[[], None]) -> None:
        self._runner = runner
        self._close = close
        self.port = port

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def stop(self) -> None:
        await self._runner.cleanup()
        self._close()


async def start(config: Config) -> Server:
    """Read the accounts, open the part's file, listen. Raises DirectoryError or ValueError for bad options."""
    tenant_id, seconds = _tenant_id(config), _token_seconds(config)
    directory = load(Path(config.options.get("accounts") or SEEDED))
    # Bound before anything is built: the issuer's name holds the port.
    listening = socket.create_server((HOST, config.port))
    port = int(listening.getsockname()[1])
    base = f"http://localhost:{port}/{tenant_id}"
    tenant = Tenant(
        id=tenant_id,
        issuer=config.options.get("issuer") or f"{base}/v2.0",
        audience=config.options.get("audience") or "api://durable-commerce",
        token_seconds=seconds,
    )
    database = open_database(config.file("entra.sqlite3"), keys.SCHEMA + sessions.SCHEMA)
    key_ring = KeyRing(database, config.clock.time())
    engine = Engine(tenant, directory, key_ring, RefreshTokens(database, config.clock), config.clock)
    runner = web.AppRunner(_application(engine, base, config.clock), access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return EntraServer(runner, port, database.close)


def _tenant_id(config: Config) -> str:
    text = config.options.get("tenant") or TENANT
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ValueError(f"the option tenant of entra must be a GUID, not {text!r}") from None


def _token_seconds(config: Config) -> int:
    text = config.options.get("token_seconds") or "3600"
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"the option token_seconds of entra must be a positive number of seconds, not {text!r}")
    return int(text)


def _application(engine: Engine, base: str, clock: Clock) -> web.Application:
    application = web.Application(middlewares=[_oauth_errors(clock)])
    routes = Routes(engine, base)
    application.add_routes(
        [
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", routes.discovery),
            web.get("/{tenant}/discovery/v2.0/keys", routes.keys),
            web.get("/{tenant}/oauth2/v2.0/authorize", routes.authorize),
            web.post("/{tenant}/oauth2/v2.0/token", routes.token),
            web.post("/_local/tokens", routes.mint),
            web.post("/_local/rotate-key", routes.rotate_key),
        ]
    )
    return application


class Routes:
    """One method for each address."""

    def __init__(self, engine: Engine, base: str) -> None:
        self._engine = engine
        self._mint = Mint(engine)
        self._discovery = _discovery(engine, base)
        self._tenants = {engine.tenant.id, engine.directory.domain.lower()}

    async def discovery(self, request: web.Request) -> web.Response:
        self._check_tenant(request)
        return web.json_response(self._discovery)

    async def keys(self, request: web.Request) -> web.Response:
        self._check_tenant(request)
        return web.json_response({"keys": [key.jwk() for key in self._engine.keys.published]})

    async def authorize(self, request: web.Request) -> web.Response:
        self._check_tenant(request)
        raise UnsupportedResponseType(
            700054, "Interactive sign-in is not served here; use the grant types of the discovery document."
        )

    async def token(self, request: web.Request) -> web.Response:
        self._check_tenant(request)
        grant = self._engine.token(await _parameters(request))
        return web.json_response(_grant(grant), headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    async def mint(self, request: web.Request) -> web.Response:
        try:
            order = msgspec.json.decode(await request.read() or b"{}", type=Order)
        except msgspec.MsgspecError as exc:
            raise InvalidRequest(900144, f"the order for a token is malformed: {exc}") from exc
        return web.json_response({"access_token": self._mint.mint(order), "token_type": "Bearer"})

    async def rotate_key(self, _request: web.Request) -> web.Response:
        key = self._engine.rotate_key()
        return web.json_response({"kid": key.kid, "published": [key.kid for key in self._engine.keys.published]})

    def _check_tenant(self, request: web.Request) -> None:
        asked = request.match_info["tenant"]
        if asked.lower() not in self._tenants:
            raise InvalidRequest(
                90002, f"Tenant '{asked}' not found. This provider has one tenant: {self._engine.tenant.id}."
            )


def _discovery(engine: Engine, base: str) -> dict[str, Any]:
    return {
        "issuer": engine.tenant.issuer,
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "grant_types_supported": list(engine.grant_types),
        "response_types_supported": [],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": "sub iss aud exp iat nbf tid oid azp azpacr name preferred_username roles scp ver".split(),
        "request_uri_parameter_supported": False,
    }


async def _parameters(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise InvalidRequest(
            900561, f"The endpoint takes application/x-www-form-urlencoded, not {request.content_type}."
        )
    form = await request.post()
    parameters: dict[str, str] = {}
    for name, value in form.items():
        if name in parameters:
            raise InvalidRequest(90015, f"The parameter '{name}' is given more than once.")
        parameters[name] = str(value)
    return parameters | _basic(request.headers.get("Authorization", ""), parameters)


def _basic(header: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Client credentials sent the other way RFC 6749 allows (section 2.3.1), form-encoded inside the header."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return {}
    if "client_secret" in parameters:
        raise InvalidRequest(90023, "The client proves itself in the header and in the body; one of them must go.")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidClient(7000215, "The Authorization header is not valid Basic authentication.") from None
    return {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret)}


def _grant(grant: Grant) -> dict[str, Any]:
    body: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": " ".join(grant.scope),
        "expires_in": grant.expires_in,
        "ext_expires_in": grant.expires_in,
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "id_token": grant.id_token,
    }
    return {name: value for name, value in body.items() if value}


def _oauth_errors(clock: Clock) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except OAuthError as exc:
            return _refusal(request, exc, clock)
        except web.HTTPException as exc:
            wrong = InvalidRequest(900561, f"{exc.reason}: {request.method} {request.path} is no address of this part.")
            answer = _refusal(request, wrong, clock)
            answer.set_status(exc.status)
            return answer

    return middleware


def _refusal(request: web.Request, exc: OAuthError, clock: Clock) -> web.Response:
    trace, correlation = str(uuid.uuid4()), request.headers.get("client-request-id") or str(uuid.uuid4())
    timestamp = utc(clock).strftime("%Y-%m-%d %H:%M:%SZ")
    description = (
        f"AADSTS{exc.code}: {exc.message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
    )
    body = {
        "error": exc.error,
        "error_description": description,
        "error_codes": [exc.code],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={exc.code}",
    }
    return web.Response(status=exc.status, text=json.dumps(body), content_type="application/json")
