"""A task hub whose functions are run by azure-functions-durable itself, and a client that talks to it over a socket."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest
from aiohttp import web
from azure.durable_functions.models.utils import http_utils

from localazure.clock import Clock, SystemClock
from localazure.durable.engine import TaskHub
from localazure.durable.model import Instance
from localazure.durable.wire import client_binding, routes


class Functions:
    """The functions of a `df.Blueprint`, called as the worker calls them."""

    def __init__(self, blueprint: df.Blueprint) -> None:
        self.calls: list[tuple[str, str]] = []
        self.before_activity: Callable[[str], None] = lambda name: None
        self._functions: dict[str, Any] = {}
        for builder in blueprint._function_builders:
            function = builder.build()
            self._functions[function.get_function_name()] = (function.get_trigger().type, function.get_user_function())

    def has_orchestrator(self, name: str) -> bool:
        return name in self._functions and self._functions[name][0] == "orchestrationTrigger"

    async def orchestrator(self, name: str, context: str) -> str:
        return str(self._functions[name][1](context))

    async def activity(self, name: str, payload: str) -> str:
        self.calls.append((name, payload))
        self.before_activity(name)
        result = self._functions[name][1](json.loads(payload))
        return json.dumps(await result if inspect.isawaitable(result) else result)

    async def entity(self, name: str, batch: str) -> str:
        raise AssertionError("the hub refuses entities")


async def settled(hub: TaskHub, instance_id: str) -> Instance:
    """The instance once it has finished."""
    async with asyncio.timeout(10):
        while not hub.get(instance_id).finished:  # noqa: ASYNC110 - the hub has no event for this
            await asyncio.sleep(0)
    return hub.get(instance_id)


class Hubs:
    """Makes hubs, over and over on the same file, as a process that is killed and started again does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.killed: TaskHub | None = None
        self._open: list[TaskHub] = []

    async def start(self, functions: Functions, clock: Clock | None = None) -> TaskHub:
        hub = TaskHub(self.path, functions, clock or SystemClock())
        await hub.start()
        self._open.append(hub)
        return hub

    def kill(self, hub: TaskHub) -> None:
        """As SIGKILL: nothing that is under way gets to write anything more."""
        self.killed = hub
        hub._alarms.stop()
        hub._core.open = False
        for task in hub._core._work:
            task.cancel()
        hub._store.close()
        self._open.remove(hub)

    async def stop(self) -> None:
        for hub in self._open:
            await hub.stop()


@pytest.fixture
async def hubs(tmp_path: Path) -> AsyncIterator[Hubs]:
    made = Hubs(tmp_path / "hub.db")
    yield made
    await made.stop()


Connect = Callable[[TaskHub], Any]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Mounts a hub on a port of its own and gives the official client for it."""
    runners: list[web.AppRunner] = []

    async def make(hub: TaskHub) -> df.DurableOrchestrationClient:
        app = web.Application()
        app.add_routes(routes(hub))
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        return df.DurableOrchestrationClient(client_binding(hub, f"http://127.0.0.1:{port}"))

    yield make
    await http_utils._close_session()
    for runner in runners:
        await runner.cleanup()
