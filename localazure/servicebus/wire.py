"""The namespace on its ports: AMQP for clients, HTTPS for administration, counters over HTTP for benchmarks."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import tempfile
from pathlib import Path

from aiohttp import web

from localazure.part import HOST, Config
from localazure.servicebus import EMULATOR_KEY, KEY_NAME
from localazure.servicebus.administration import Administration
from localazure.servicebus.certificate import CERTIFICATE, server_context
from localazure.servicebus.connection import Connection
from localazure.servicebus.engine import Broker
from localazure.servicebus.entities import Namespace, read
from localazure.servicebus.tokens import Tokens

log = logging.getLogger("localazure.servicebus")


class ServiceBusServer:
    """The broker, listening. `certificate` is the file of the certificate that HTTPS clients have to trust."""

    def __init__(self, config: Config) -> None:
        declared = config.options.get("entities")
        namespace = read(Path(declared)) if declared else Namespace()
        self._config = config
        self._key = config.options.get("key") or EMULATOR_KEY
        self.broker = Broker(namespace, config.file("servicebus.db"), config.clock)
        self.tokens = Tokens(KEY_NAME, self._key, config.clock)
        self.connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []
        self._runners: list[web.AppRunner] = []
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
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
        """What an administration client is given; it goes to this address over HTTPS."""
        return f"Endpoint=sb://localhost:{self.management_port};{self._shared_key}"

    @property
    def _shared_key(self) -> str:
        return f"SharedAccessKeyName={KEY_NAME};SharedAccessKey={self._key}"

    async def start(self) -> None:
        listening = socket.create_server((HOST, self._config.port), backlog=256)
        self.port = int(listening.getsockname()[1])
        self._servers.append(await asyncio.get_running_loop().create_server(self._connect, sock=listening))
        local = [
            web.get("/_local/counters", self._counters),
            web.delete("/_local/counters", self._reset),
            web.get("/_local/entities", self._entities),
            web.post("/_local/drop-connections", self._drop),
        ]
        admin = socket.create_server((HOST, self._option_port("admin_port")))
        self.admin_port = int(admin.getsockname()[1])
        await self._run(local, admin, None)
        await self._start_tls()
        self.broker.tick()

    async def _start_tls(self) -> None:
        directory = self._config.state
        if directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="localazure-servicebus-")
            directory = Path(self._temporary.name)
        context = server_context(directory)
        secure = socket.create_server((HOST, self._option_port("tls_port")), backlog=256)
        self.tls_port = int(secure.getsockname()[1])
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(self._connect, sock=secure, ssl=context))
        self.certificate = directory / CERTIFICATE
        listening = socket.create_server((HOST, self._option_port("management_port")))
        self.management_port = int(listening.getsockname()[1])
        api = Administration(self.broker, self.tokens, f"https://localhost:{self.management_port}")
        await self._run([web.route("*", "/{path:.*}", api.answer)], listening, context)
        log.info(
            "administration is at https://localhost:%s, with the certificate %s", self.management_port, self.certificate
        )

    def _option_port(self, name: str) -> int:
        return int(self._config.options.get(name) or 0)

    async def _run(self, routes: list[web.RouteDef], listening: socket.socket, context: ssl.SSLContext | None) -> None:
        app = web.Application()
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        self._runners.append(runner)
        await web.SockSite(runner, listening, ssl_context=context).start()

    async def stop(self) -> None:
        await self._close()
        self.broker.close()

    async def kill(self) -> None:
        """End as a killed process does: nothing more is written or said."""
        self.broker.store.kill()
        await self._close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.abort()
        for server in self._servers:
            await server.wait_closed()
        await asyncio.sleep(0)
        for runner in self._runners:
            for handler in runner.server.connections if runner.server is not None else ():
                if handler.transport is not None:
                    # an idle client need not answer a TLS farewell for half a minute
                    handler.transport.abort()
            await runner.cleanup()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _connect(self) -> Connection:
        connection = Connection(self.broker, self.tokens, self._config.clock, self.connections.discard)
        self.connections.add(connection)
        return connection

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


async def start(config: Config) -> ServiceBusServer:
    """Read the entities and serve them. Raises OSError for a port in use, ValueError for a bad entities file."""
    server = ServiceBusServer(config)
    await server.start()
    return server
