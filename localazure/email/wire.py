"""The service's HTTP: addresses, signatures, operations; and the inbox. Decides nothing about mail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from localazure.certificate import ServerCertificate
from localazure.email import page, signing
from localazure.email.bearer import SCHEME, Senders, able
from localazure.email.engine import Sent, opened
from localazure.email.errors import EmailError, Injected, InvalidRequest, UnknownAddress
from localazure.email.faults import Faults
from localazure.faults import Desk, dropped
from localazure.listening import HttpServer, abort_idle_over_tls, bound, listen
from localazure.origins import own_machine_alone
from localazure.part import Config, Server
from localazure.verifier import Verifier

KEY = "bG9jYWwtZW1haWwtYWNjZXNzLWtleQ=="
"""The access key that is accepted unless an option says otherwise; it opens nothing but this."""
VERSIONS = frozenset({"2023-03-31", "2024-07-01-preview", "2025-01-15-preview", "2025-09-01"})
MAX_BODY = 10_000_000
"""Bytes of a request. Source: "Service limits", Email: total size of a request."""
MAX_ID = 100


class EmailServer(HttpServer):
    """The listening sockets and the file behind them: clients send a token over TLS alone."""

    def __init__(self, config: Config) -> None:
        self._config, options = config, config.options
        senders = able(options.get("identities", ""))
        self._certificate: ServerCertificate | None = None
        self.tls_port = 0
        self.certificate = Path()
        self._key, self._clock = options.get("key") or KEY, config.clock
        linked = frozenset(filter(None, options.get("senders", "").split(",")))
        self._engine = opened(config.file("email.sqlite3"), config.clock, linked)
        self._session = aiohttp.ClientSession()
        self._senders = Senders(Verifier(self._session, config.clock), options.get("entra", ""), senders)
        self._faults = Faults()
        self._desk = Desk(self._faults)
        super().__init__(self._application(), config)

    @property
    def tls_url(self) -> str:
        """The address over TLS: clients send tokens nowhere else. `certificate` is what they have to trust."""
        return f"https://localhost:{self.tls_port}"

    async def listen(self) -> None:
        await super().listen()
        if (port := self._config.options.get("tls_port")) is not None:
            self._certificate = ServerCertificate(self._config.state)
            self.certificate = self._certificate.file
            self.tls_port = (await listen(self._runner, bound(int(port)), self._certificate.context)).port

    async def stop(self) -> None:
        self._desk.stop()
        abort_idle_over_tls(self._runner)
        await self._runner.cleanup()
        await self._session.close()
        if self._certificate is not None:
            self._certificate.close()
        self._engine.close()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[own_machine_alone, _errors], client_max_size=MAX_BODY)
        application.router.add_post("/emails:send", self._send)
        application.router.add_get("/emails/operations/{id}", self._operation)
        application.router.add_get("/", self._page)
        application.router.add_get("/_local/messages", self._messages)
        application.router.add_delete("/_local/messages", self._clear)
        application.router.add_routes(self._desk.routes())
        return application

    async def _send(self, request: web.Request) -> web.StreamResponse:
        body = await self._allowed(request)
        operation_id = request.headers.get("Operation-Id", "")
        if len(operation_id) > MAX_ID or not operation_id.isascii():
            raise InvalidRequest("The Operation-Id is not one.")
        fault = self._faults.take(_recipients(body))
        if fault is not None and fault.kind == "status":
            raise Injected(fault.status)
        sent = self._engine.send(body, operation_id, fails=fault is not None and fault.kind == "fail")
        if fault is not None and fault.kind == "drop_after_effect":
            return dropped(request)
        if fault is not None and fault.kind == "hang_after_effect":
            return await self._desk.hang(request)
        address, version = self.tls_url if request.secure else self.url, request.query["api-version"]
        where = f"{address}/emails/operations/{sent.id}?api-version={version}"
        headers = {"Operation-Location": where, "Retry-After": "1"}
        return _json({"id": sent.id, "status": "Running", "error": None}, 202, headers)

    async def _operation(self, request: web.Request) -> web.Response:
        await self._allowed(request)
        sent = self._engine.operation(request.match_info["id"])
        error = {"code": "EmailDroppedAllRecipientsSuppressed", "message": "A fault was ordered."}
        failed = error if sent.status == "Failed" else None
        return _json({"id": sent.id, "status": sent.status, "error": failed})

    async def _allowed(self, request: web.Request) -> bytes:
        """The body. Raises Unauthenticated, Forbidden, Unavailable, and InvalidRequest for an unknown version."""
        body = await request.read()
        authorization = request.headers.get("Authorization", "")
        if authorization.startswith(SCHEME):
            await self._senders.check(authorization.removeprefix(SCHEME))
        else:
            signing.check(request.method, request.raw_path, request.headers, body, self._key, self._clock.time())
        if request.query.get("api-version") not in VERSIONS:
            raise InvalidRequest(f"api-version must be one of {', '.join(sorted(VERSIONS))}.")
        return body

    # What only exists here

    async def _page(self, request: web.Request) -> web.Response:
        address = request.query.get("to", "")
        return web.Response(
            text=page.inbox(self._engine.inbox(address), address),
            content_type="text/html",
            headers={"Content-Security-Policy": page.POLICY},
        )

    async def _messages(self, request: web.Request) -> web.Response:
        return _json({"messages": [_shown(sent) for sent in self._engine.inbox(request.query.get("to", ""))]})

    async def _clear(self, _request: web.Request) -> web.Response:
        self._engine.clear()
        return web.Response(status=204)


async def start(config: Config) -> Server:
    """Open the part's file and listen."""
    server = EmailServer(config)
    await server.listen()
    return server


def _recipients(body: bytes) -> list[str]:
    """Whom a message is for, before anybody has looked whether it is one."""
    try:
        document = json.loads(body)
        return [str(each["address"]) for each in document["recipients"]["to"]]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []


def _shown(sent: Sent) -> dict[str, Any]:
    return {"id": sent.id, "at": sent.at, **msgspec.to_builtins(sent.message)}


def _json(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(document, status=status, headers=headers)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except EmailError as exc:
        return _refusal(exc)
    except web.HTTPRequestEntityTooLarge:
        return _refusal(InvalidRequest("The request is too large."))
    except web.HTTPException as exc:
        if exc.status in (404, 405):
            return _refusal(UnknownAddress(f"There is no {request.method} at {request.path}."))
        raise


def _refusal(error: EmailError) -> web.Response:
    return _json({"error": {"code": error.code, "message": str(error)}}, error.http_status)
