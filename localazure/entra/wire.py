"""Entra's addresses and JSON over HTTP. Decides nothing."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from localazure.clock import Clock
from localazure.connections import Runner
from localazure.entra import TENANT, codes, forms, keys, pkce, sessions
from localazure.entra.authorization import PROMPTS, RESPONSE_MODES, RESPONSE_TYPES, Authorizer
from localazure.entra.codes import Codes, SignIns
from localazure.entra.cors import CrossOrigin, preflight
from localazure.entra.directory import NOBODY, load
from localazure.entra.engine import Engine, Grant, Tenant
from localazure.entra.errors import InvalidRequest
from localazure.entra.interactive import InteractiveRoutes
from localazure.entra.keys import KeyRing
from localazure.entra.managed import PATH, ManagedIdentities
from localazure.entra.minting import Mint, Order
from localazure.entra.refusals import oauth_errors
from localazure.entra.sessions import RefreshTokens
from localazure.identities import SECRET
from localazure.identities import load as load_identities
from localazure.json_text import read_as
from localazure.listening import bound, listen
from localazure.origins import own_machine
from localazure.part import Config, Server
from localazure.storage import open_database

DISCOVERY = "/{tenant}/v2.0/.well-known/openid-configuration"
KEYS = "/{tenant}/discovery/v2.0/keys"
AUTHORIZE = "/{tenant}/oauth2/v2.0/authorize"
LOGOUT = "/{tenant}/oauth2/v2.0/logout"
TOKEN = "/{tenant}/oauth2/v2.0/token"  # noqa: S105 - an address


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
    """Read who there is, open the part's file, listen. Raises DirectoryError or ValueError for bad options."""
    tenant_id, seconds = _tenant_id(config), _token_seconds(config)
    accounts = config.options.get("accounts")
    directory = load(Path(accounts)) if accounts else NOBODY
    identities = load_identities(config.options.get("identities", "")).identities
    # Bound before anything is built: the issuer's name holds the port.
    listening = bound(config.port)
    port = int(listening.getsockname()[1])
    base = f"http://localhost:{port}/{tenant_id}"
    tenant = Tenant(
        id=tenant_id,
        issuer=config.options.get("issuer") or f"{base}/v2.0",
        audience=config.options.get("audience") or "api://durable-commerce",
        token_seconds=seconds,
    )
    database = open_database(config.file("entra.sqlite3"), keys.SCHEMA + sessions.SCHEMA + codes.SCHEMA)
    key_ring = KeyRing(database, config.clock.time())
    code_store = Codes(database, config.clock)
    engine = Engine(tenant, directory, key_ring, RefreshTokens(database, config.clock), code_store, config.clock)
    authorizer = Authorizer(engine, SignIns(database, config.clock), code_store)
    secret = config.options.get("identity_secret") or os.environ.get(SECRET, "")
    managed = ManagedIdentities(engine, identities, secret)
    runner = Runner(_application(engine, authorizer, managed, base, config.clock), config.timeouts)
    await runner.setup()
    await listen(runner, listening)
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


def _application(
    engine: Engine, authorizer: Authorizer, managed: ManagedIdentities, base: str, clock: Clock
) -> web.Application:
    cross_origin = CrossOrigin({DISCOVERY, KEYS}, {TOKEN}, engine.directory.is_browser_origin)
    application = web.Application(middlewares=[own_machine, oauth_errors(clock), cross_origin.guard()])
    application.on_response_prepare.append(cross_origin.reveal)
    routes = Routes(engine, base)
    interactive = InteractiveRoutes(authorizer, routes.check_tenant, clock)
    application.add_routes(
        [
            web.get(DISCOVERY, routes.discovery),
            web.options(DISCOVERY, preflight("GET")),
            web.get(KEYS, routes.keys),
            web.options(KEYS, preflight("GET")),
            web.get(AUTHORIZE, interactive.authorize),
            web.post(AUTHORIZE, interactive.submit),
            web.get(LOGOUT, interactive.logout),
            web.post(TOKEN, routes.token),
            web.options(TOKEN, preflight("POST")),
            web.get(PATH, managed.token),
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
        self.check_tenant(request)
        return web.json_response(self._discovery)

    async def keys(self, request: web.Request) -> web.Response:
        self.check_tenant(request)
        return web.json_response({"keys": [key.jwk() for key in self._engine.keys.published]})

    async def token(self, request: web.Request) -> web.Response:
        self.check_tenant(request)
        grant = self._engine.token(await forms.client_form(request))
        return web.json_response(_grant(grant), headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    async def mint(self, request: web.Request) -> web.Response:
        try:
            order = read_as(await request.read() or b"{}", Order)
        except ValueError as exc:
            raise InvalidRequest(900144, f"the order for a token is malformed: {exc}") from exc
        return web.json_response({"access_token": self._mint.mint(order), "token_type": "Bearer"})

    async def rotate_key(self, _request: web.Request) -> web.Response:
        key = self._engine.rotate_key()
        return web.json_response({"kid": key.kid, "published": [key.kid for key in self._engine.keys.published]})

    def check_tenant(self, request: web.Request) -> None:
        """Raises InvalidRequest for an address of another tenant."""
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
        "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "none"],
        "grant_types_supported": list(engine.grant_types),
        "response_types_supported": list(RESPONSE_TYPES),
        "response_modes_supported": list(RESPONSE_MODES),
        "code_challenge_methods_supported": list(pkce.METHODS),
        "prompt_values_supported": list(PROMPTS),
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": (
            "sub iss aud exp iat nbf nonce tid oid azp azpacr name preferred_username roles scp ver".split()
        ),
        "request_uri_parameter_supported": False,
    }


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
