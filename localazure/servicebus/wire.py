"""The namespace on its ports: each takes AMQP, TLS, HTTP and WebSockets. Counters and faults have their own."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import cast

import aiohttp
from aiohttp import web

from localazure.certificate import ServerCertificate
from localazure.connections import Runner
from localazure.listening import bound, listen
from localazure.origins import own_machine
from localazure.part import HOST, Config
from localazure.servicebus import EMULATOR_KEY, KEY_NAME, bearer
from localazure.servicebus.administration import Administration
from localazure.servicebus.bearer import Bearers
from localazure.servicebus.connection import Connection
from localazure.servicebus.engine import Broker
from localazure.servicebus.entities import Namespace, read
from localazure.servicebus.errors import EntityNotFound
from localazure.servicebus.listener import Listener
from localazure.servicebus.tokens import Tokens
from localazure.servicebus.websocket import PATHS, serve
from localazure.verifier import Verifier

log = logging.getLogger("localazure.servicebus")


class ServiceBusServer:
    """The broker, listening. `certificate` is the file of the certificate that clients over TLS have to trust."""

    def __init__(self, config: Config) -> None:
        declared = config.options.get("entities")
        namespace = read(Path(declared)) if declared else Namespace()
        self._config = config
        self._key = config.options.get("key") or EMULATOR_KEY
        self.broker = Broker(namespace, config.file("servicebus.db"), config.clock)
        self.tokens = Tokens(KEY_NAME, self._key, config.clock, self.broker.entities.authorization)
        self._identities = bearer.read(config.options.get("identities", ""))
        self._bearers: Bearers | None = None
        self._session: aiohttp.ClientSession | None = None
        self.connections: set[Connection] = set()
        self._listeners: list[Listener] = []
        self._runners: list[web.AppRunner] = []
        self._certificate: ServerCertificate | None = None
        self.port = 0
        self.admin_port = 0
        self.tls_port = 0
        self.management_port = 0
        self.certificate = Path()

    @property
    def url(self) -> str:
        return f"sb://localhost:{self.port}"

    @property
    def connection_string(self) -> str:
        """What a client is given."""
        return f"Endpoint={self.url};{self._shared_key};UseDevelopmentEmulator=true"

    @property
    def management_connection_string(self) -> str:
        """What an administration client may be given; it goes to this address over HTTPS."""
        return f"Endpoint=sb://localhost:{self.management_port};{self._shared_key}"

    @property
    def _shared_key(self) -> str:
        return f"SharedAccessKeyName={KEY_NAME};SharedAccessKey={self._key}"

    async def start(self) -> None:
        if discovery := self._config.options.get("entra"):
            self._session = aiohttp.ClientSession()
            self._bearers = Bearers(Verifier(self._session, self._config.clock), discovery, self._identities)
        self._certificate = ServerCertificate(self._config.state)
        self.certificate = self._certificate.file
        http = await self._http_protocols()
        for name in ("port", "tls_port", "management_port"):
            port = self._config.port if name == "port" else self._option_port(name)
            listening = socket.create_server((HOST, port), backlog=256)
            listener = Listener(listening, self._certificate.context, self._connect, http, self._config.clock)
            setattr(self, name, listener.port)
            listener.start()
            self._listeners.append(listener)
        await self._start_admin()
        log.info(
            "administration is at https://localhost:%s, with the certificate %s", self.management_port, self.certificate
        )
        self.broker.tick()

    async def _http_protocols(self) -> web.Server:
        """Makes the protocol of a connection that speaks HTTP: administration, and WebSockets."""
        app, api = web.Application(), Administration(self.broker, self.tokens)
        app.add_routes([web.get(path, self._websocket) for path in PATHS])
        app.add_routes([web.route("*", "/{path:.*}", api.answer)])
        runner = await self._runner(app)
        return cast(web.Server, runner.server)

    async def _start_admin(self) -> None:
        app = web.Application(middlewares=[own_machine])
        app.add_routes([
            web.get("/_local/counters", self._counters),
            web.delete("/_local/counters", self._reset),
            web.get("/_local/entities", self._entities),
            web.post("/_local/drop-connections", self._drop),
            web.post("/_local/detach-idle", self._detach_idle),
        ])  # fmt: skip
        self.admin_port = (await listen(await self._runner(app), bound(self._option_port("admin_port")))).port

    def _option_port(self, name: str) -> int:
        return int(self._config.options.get(name) or 0)

    async def _runner(self, app: web.Application) -> web.AppRunner:
        runner = Runner(app, self._config.timeouts, shutdown_timeout=1)
        await runner.setup()
        self._runners.append(runner)
        return runner

    async def stop(self) -> None:
        await self._close()
        self.broker.close()

    async def kill(self) -> None:
        """End as a killed process does: nothing more is written or said."""
        self.broker.store.kill()
        await self._close()

    async def _close(self) -> None:
        for listener in self._listeners:
            await listener.close()
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)
        for runner in self._runners:
            for handler in runner.server.connections if runner.server is not None else ():
                if handler.transport is not None:
                    # an idle client need not answer a TLS farewell for half a minute
                    handler.transport.abort()
            await runner.cleanup()
        if self._session is not None:
            await self._session.close()
        if self._certificate is not None:
            self._certificate.close()

    def _connect(self) -> Connection:
        connection = Connection(self.broker, self.tokens, self._config.clock, self.connections.discard, self._bearers)
        self.connections.add(connection)
        return connection

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        return await serve(request, self._connect)

    async def _counters(self, _: web.Request) -> web.Response:
        return web.json_response(self.broker.counters())

    async def _reset(self, _: web.Request) -> web.Response:
        self.broker.reset_counters()
        return web.Response(status=204)

    async def _entities(self, _: web.Request) -> web.Response:
        return web.json_response(self.broker.depths())

    async def _drop(self, _: web.Request) -> web.Response:
        for connection in list(self.connections):
            connection.abort()
        return web.Response(status=204)

    async def _detach_idle(self, request: web.Request) -> web.Response:
        """The fault: receivers lose their links without an error, as the service does with idle ones."""
        try:
            return web.json_response({"detached": self.broker.detach_idle(request.query.get("entity"))})
        except EntityNotFound as exc:
            return web.json_response({"error": str(exc)}, status=404)


async def start(config: Config) -> ServiceBusServer:
    """Read the entities and serve them. Raises OSError for a port in use, ValueError for a bad entities file."""
    server = ServiceBusServer(config)
    await server.start()
    return server
