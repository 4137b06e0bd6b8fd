"""The namespace on a port: AMQP for clients, and counters over HTTP for tests and benchmarks."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from aiohttp import web

from localazure.part import HOST, Config
from localazure.servicebus import EMULATOR_KEY, KEY_NAME
from localazure.servicebus.connection import Connection
from localazure.servicebus.engine import Broker
from localazure.servicebus.entities import Namespace, read
from localazure.servicebus.tokens import Tokens


class ServiceBusServer:
    """The broker, listening."""

    def __init__(self, config: Config) -> None:
        declared = config.options.get("entities")
        namespace = read(Path(declared)) if declared else Namespace()
        self._config = config
        self._key = config.options.get("key") or EMULATOR_KEY
        self.broker = Broker(namespace, config.file("servicebus.db"), config.clock)
        self.tokens = Tokens(KEY_NAME, self._key, config.clock)
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.admin_port = 0

    @property
    def url(self) -> str:
        return f"sb://localhost:{self.port}"

    @property
    def connection_string(self) -> str:
        """What a client is given."""
        key = f"SharedAccessKeyName={KEY_NAME};SharedAccessKey={self._key}"
        return f"Endpoint={self.url};{key};UseDevelopmentEmulator=true"

    async def start(self) -> None:
        listening = socket.create_server((HOST, self._config.port), backlog=256)
        self.port = int(listening.getsockname()[1])
        self._server = await asyncio.get_running_loop().create_server(self._connect, sock=listening)
        app = web.Application()
        app.add_routes(
            [
                web.get("/_local/counters", self._counters),
                web.delete("/_local/counters", self._reset),
                web.get("/_local/entities", self._entities),
                web.post("/_local/drop-connections", self._drop),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        admin = socket.create_server((HOST, int(self._config.options.get("admin_port") or 0)))
        self.admin_port = int(admin.getsockname()[1])
        await web.SockSite(self._runner, admin).start()
        self.broker.tick()

    async def stop(self) -> None:
        await self._close()
        self.broker.close()

    async def kill(self) -> None:
        """End as a killed process does: nothing more is written or said."""
        self.broker.store.kill()
        await self._close()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.abort()
        if self._server is not None:
            await self._server.wait_closed()
        await asyncio.sleep(0)
        if self._runner is not None:
            await self._runner.cleanup()

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
