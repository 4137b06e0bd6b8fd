"""The API on a port of its own, for the Python client: it sends no key, so the port is open to this machine alone.

Source: `LocalHttpListener` of the Durable extension.
"""

from __future__ import annotations

from aiohttp import web

from localazure.connections import Runner
from localazure.durable import answers
from localazure.durable.engine import TaskHub
from localazure.durable.links import RPC_PREFIX
from localazure.durable.wire import routes
from localazure.listening import bound, listen
from localazure.part import HOST, Timeouts

_GRACE = 1.0
"""Seconds that answers under way have when it closes."""


class Endpoint:
    """Where the client of one hub calls."""

    def __init__(self, hub: TaskHub, timeouts: Timeouts) -> None:
        self._hub, self._timeouts = hub, timeouts
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application(client_max_size=0)  # inputs and events are as long as they are
        app.add_routes(routes(self._hub, RPC_PREFIX, check=_refusal))
        self._runner = Runner(app, self._timeouts, shutdown_timeout=_GRACE)
        await self._runner.setup()
        self.url = f"http://{HOST}:{(await listen(self._runner, bound(0))).port}{RPC_PREFIX}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


def _refusal(request: web.Request) -> web.Response | None:
    """A browser's page may not call what asks for no key: neither from its own site nor under a name of its own."""
    named = request.host.rpartition(":")[0]
    return answers.empty(403) if "Origin" in request.headers or named != HOST else None
