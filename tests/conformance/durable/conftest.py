"""Two ways to run durable functions: a task hub alone, and the functions host with the app in `app/`.

In both the functions are run by azure-functions-durable itself, and its client talks to the hub over a socket.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import aiohttp
import azure.durable_functions as df
import pytest
from aiohttp import web
from azure.durable_functions import DurableOrchestrationClient as Client
from azure.durable_functions.models.utils import http_utils
from yarl import URL

from localazure.clock import Clock, SystemClock
from localazure.durable.engine import TaskHub
from localazure.durable.model import Instance
from localazure.durable.wire import PREFIX, client_binding, routes
from localazure.functions import PART
from localazure.functions.wire import Host
from localazure.part import Config
from localazure.presence import Presence
from tests.conformance.functions.conftest import process  # noqa: F401 - a fixture

APP = Path(__file__).parent / "app"


_TRIGGERS = {"orchestrator": "orchestrationTrigger", "activity": "activityTrigger", "entity": "entityTrigger"}


class Functions:
    """The functions of a `df.Blueprint`, called as the worker calls them."""

    def __init__(self, blueprint: df.Blueprint) -> None:
        self.calls: list[tuple[str, str]] = []
        self.before_activity: Callable[[str], None] = lambda name: None
        self.before_orchestrator: Callable[[str], None] | None = None
        self.after_entity: Callable[[str], None] = lambda name: None
        self._functions: dict[str, Any] = {}
        for builder in blueprint._function_builders:
            function = builder.build()
            self._functions[function.get_function_name()] = (function.get_trigger().type, function.get_user_function())

    def names(self, kind: str) -> dict[str, str]:
        return {name.lower(): name for name, (trigger, _) in self._functions.items() if trigger == f"{_TRIGGERS[kind]}"}

    async def orchestrator(self, name: str, context: str) -> str:
        if self.before_orchestrator is not None:
            self.before_orchestrator(name)
            await asyncio.sleep(0)
        return str(self._functions[name][1](context))

    async def activity(self, name: str, payload: str) -> str:
        self.calls.append((name, payload))
        self.before_activity(name)
        result = self._functions[name][1](json.loads(payload))
        return json.dumps(await result if inspect.isawaitable(result) else result)

    async def entity(self, name: str, batch: str) -> str:
        answer = str(self._functions[name][1](batch))
        self.after_entity(name)
        await asyncio.sleep(0)
        return answer


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
        self._presences: dict[TaskHub, Presence] = {}

    async def start(
        self, functions: Functions, clock: Clock | None = None, name: str = "1", *, fast: bool = True, **more: Any
    ) -> TaskHub:
        presence = Presence(self.path.parent / "instances", name, fast=fast)
        hub = TaskHub(self.path, functions, clock or SystemClock(), presence=presence, **more)
        await hub.start()
        self._presences[hub] = presence
        self._open.append(hub)
        return hub

    def kill(self, hub: TaskHub) -> None:
        """As SIGKILL: nothing that is under way gets to write anything more."""
        self.killed = hub
        hub._alarms.stop()
        hub._core.open = False
        for task in hub._core._work:
            task.cancel()
        if hub._core.leases._task is not None:
            hub._core.leases._task.cancel()
        hub._core.leases._nudges.close()
        hub._store.close()
        self._presences[hub].close()
        self._open.remove(hub)

    async def leave(self, hub: TaskHub) -> None:
        """A clean end."""
        self._open.remove(hub)
        await hub.stop()
        self._presences[hub].close()

    async def stop(self) -> None:
        for hub in [*self._open]:
            await self.leave(hub)


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

    async def make(hub: TaskHub) -> Client:
        app = web.Application()
        app.add_routes(routes(hub))
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        url = f"http://127.0.0.1:{port}{PREFIX}"
        return Client(client_binding(hub.name, url, url))

    yield make
    await http_utils._close_session()
    for runner in runners:
        await runner.cleanup()


class Hosts:
    """Starts the functions host on the app in `app/`, again and again on the same files."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._open: list[Host] = []

    async def start(self, clock: Clock | None = None) -> Host:
        config = Config(state=self._state, options={"app": str(APP), "recovery": "fast"}, clock=clock or SystemClock())
        host = cast(Host, await PART.start(config))
        self._open.append(host)
        return host

    @property
    def module(self) -> Any:
        """The app's module, for what the tests agree with it upon."""
        return sys.modules["function_app"]

    async def stop(self) -> None:
        while self._open:
            await self._open.pop().stop()


@pytest.fixture
async def hosts(tmp_path: Path, process: None) -> AsyncIterator[Hosts]:  # noqa: F811 - the fixture
    made = Hosts(tmp_path)
    yield made
    await http_utils._close_session()
    await made.stop()


@pytest.fixture
async def host(hosts: Hosts) -> Host:
    return await hosts.start()


@pytest.fixture
def client(host: Host) -> Client:
    """The official client, as a function of the app is given it."""
    return client_of(host)


@pytest.fixture
def module(hosts: Hosts, host: Host) -> Any:
    return hosts.module


def client_of(host: Host) -> Client:
    return Client(host._invoker.client_binding)


async def finished(client: Client, instance_id: str) -> df.DurableOrchestrationStatus:
    """The status of the instance once it is final."""
    final = ("Completed", "Failed", "Terminated")
    return await until(client, instance_id, lambda status: status.runtime_status.name in final)


async def until(client: Client, instance_id: str, reached: Callable[[Any], bool]) -> df.DurableOrchestrationStatus:
    """The status of the instance once it is as wanted."""
    async with asyncio.timeout(15):
        while True:
            status = await client.get_status(instance_id, show_input=True)
            if status.runtime_status is not None and reached(status):
                return status


async def entity_state(client: Client, entity: df.EntityId, reached: Callable[[Any], bool]) -> Any:
    """The state of the entity once it is as wanted."""
    async with asyncio.timeout(15):
        while True:
            state = (await client.read_entity_state(entity)).entity_state
            if reached(state):
                return state


class Reply(NamedTuple):
    """An answer of the HTTP API."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def document(self) -> Any:
        return json.loads(self.text)


async def ask(host: Host, method: str, path: str, body: str | None = None, **headers: str) -> Reply:
    """What the HTTP API says to a path below its own, as it is written, with its query."""
    url = URL(f"{host.url}/runtime/webhooks/durabletask/{path}", encoded=True)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(skip_auto_headers=("Content-Type",)) as session,
        session.request(method, url, data=body, headers=named) as answer,
    ):
        return Reply(answer.status, answer.headers, await answer.text())
