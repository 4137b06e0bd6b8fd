"""The host as a process: it indexes the app, opens its port, and starts what listens."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from aiohttp import web
from azure.functions.meta import Datum

from localazure.durable.endpoint import Endpoint
from localazure.durable.engine import TaskHub
from localazure.durable.wire import PREFIX, client_binding, routes
from localazure.functions import indexing
from localazure.functions.cosmos_feed import Feed
from localazure.functions.durable import DURABLE_TRIGGERS, DurableFunctions
from localazure.functions.durable_check import check_package, misspelt
from localazure.functions.engine import Invoker
from localazure.functions.http import LARGEST_BODY, Router
from localazure.functions.indexing import Function
from localazure.functions.processes import Processes
from localazure.functions.servicebus import Listener
from localazure.functions.settings import HostOptions, connection, read_host_file, read_settings_file, worker_processes
from localazure.functions.timer import Timer
from localazure.functions.worker import AppWorker
from localazure.origins import own_machine
from localazure.part import HOST, Config
from localazure.presence import Presence, presence_of

log = logging.getLogger("localazure.functions")

GRACE = 30.0
"""Seconds that invocations may take to end when the host stops."""
LARGEST_HEADER = 32_768
"""Bytes: what the real host takes of a request's line and of one header."""
VERSION = "4.0.0-localazure"


class Trigger(Protocol):
    """Something that listens on behalf of a function."""

    def start(self) -> None: ...

    async def stop(self) -> None: ...


class Host:
    """A function app, indexed and ready to be started. Raises HostError where it is not."""

    def __init__(self, config: Config) -> None:
        app = Path(config.options.get("app", ".")).resolve()
        settings = Path(config.options.get("settings", app / "local.settings.json"))
        os.environ.update(read_settings_file(settings, os.environ))
        self._config = config
        self._options: HostOptions = read_host_file(app)
        count, timeout = worker_processes(), self._options.timeout
        with ExitStack() as undo:
            self._processes = Processes(app, count, timeout) if count > 1 else None
            if self._processes is not None:
                undo.callback(self._processes.kill)
            self.functions = indexing.load(app)
            served = [function for function in self.functions if self._options.serves(function.name)]
            self._enabled = [function for function in served if not function.disabled]
            for function in self._enabled:
                indexing.check_settings(function, connection)
            self._invoker = Invoker(self._processes or AppWorker(self.functions, timeout))
            self._keys = _keys(config.file("functions/keys.json"))
            http = [function for function in served if function.trigger.type == "httpTrigger"]
            self._router = Router(http, self._options.route_prefix, self._keys, self._invoker, config.clock)
            undo.pop_all()
        self._triggers: dict[str, Trigger] = {}
        self._hub: TaskHub | None = None
        self._endpoint: Endpoint | None = None
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._site: web.SockSite | None = None
        self._shares_port = config.options.get("share_port") == "yes"
        self._presence: Presence | None = None
        self._state = "Initialized"
        self._loudness: tuple[int, int] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def start(self) -> None:
        """Open the port, then start what listens: a function may be called as soon as this returns."""
        self._quieten(self._options.log_level)
        self._presence = presence_of(self._config.options, self._config.file("functions/instances"))
        if self._processes is not None:
            await self._processes.start()
        durable = [function for function in self._enabled if function.trigger.type in DURABLE_TRIGGERS]
        if durable or any(binding.type == "durableClient" for function in self._enabled for binding in function.inputs):
            check_package()
            functions = DurableFunctions(durable, self._invoker)
            for told in misspelt(functions):
                log.error("%s", told)
            self._hub = TaskHub(
                self._config.file(f"functions/{self._options.hub_name}.db"),
                functions,
                self._config.clock,
                self._options.hub_name,
                activities_at_once=self._options.activities_at_once,
                presence=self._presence,
                provider=self._options.storage,
            )
        await self._open()
        if self._hub is not None:
            self._endpoint = Endpoint(self._hub)
            await self._endpoint.start()
            self._invoker.client_binding = client_binding(
                self._hub.name, f"{_site(self.port)}{PREFIX}", self._endpoint.url
            )
            await self._hub.start()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=5))
        for function in self._enabled:
            trigger = self._trigger(function, self._session)
            if trigger is not None:
                self._triggers[function.name] = trigger
        for trigger in self._triggers.values():
            trigger.start()
        self._state = "Running"

    async def stop(self) -> None:
        """Listen no more, let what runs end, close."""
        self._state = "Stopping"
        if self._site is not None and self._shares_port:
            await self._site.stop()  # the other instances take the calls that come
        if self._loudness is not None:
            for logger, before in zip(
                (logging.getLogger(), logging.getLogger("localazure")), self._loudness, strict=True
            ):
                logger.setLevel(before)
        await asyncio.gather(*(trigger.stop() for trigger in self._triggers.values()))
        if self._hub is not None:
            await self._hub.stop()
        await self._invoker.drain(GRACE)
        if self._endpoint is not None:
            await self._endpoint.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()
        if self._presence is not None:
            self._presence.close()

    def _quieten(self, level: int | None) -> None:
        """Let the app log from `level` on; this program's own log stays as it is."""
        root, own = logging.getLogger(), logging.getLogger("localazure")
        if level is not None:
            self._loudness = (root.level, own.level)
            own.setLevel(own.level or root.level)
            root.setLevel(level)

    def _trigger(self, function: Function, session: aiohttp.ClientSession) -> Trigger | None:
        clock, invoker = self._config.clock, self._invoker
        match function.trigger.type:
            case "serviceBusTrigger":
                return Listener(function, invoker, clock, self._options.service_bus)
            case "cosmosDBTrigger":
                return Feed(function, invoker, clock, session, self._presence or Presence(None))
            case "timerTrigger":
                return Timer(function, invoker, clock, self._config.file(f"functions/timers/{function.name}"))
            case _:
                return None

    async def _open(self) -> None:
        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[own_machine])
        app.add_routes(
            [
                web.get("/", self._home),
                web.get("/admin/host/status", self._status),
                web.get("/admin/host/ping", self._ping),
                web.post("/admin/host/ping", self._ping),
                web.get("/admin/functions", self._list),
                web.post("/admin/functions/{name}", self._run),
                web.get("/admin/localazure/counters", self._counters),
                web.delete("/admin/localazure/counters", self._reset),
            ]
        )
        if self._hub is not None:
            app.add_routes(routes(self._hub))
        app.router.add_route("*", "/{path:.*}", self._router.handle)
        if self._options.headers:
            app.on_response_prepare.append(self._add_headers)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=GRACE, max_line_size=LARGEST_HEADER, max_field_size=LARGEST_HEADER
        )
        await self._runner.setup()
        listening = socket.create_server((HOST, self._config.port), backlog=1024, reuse_port=self._shares_port)
        self.port = int(listening.getsockname()[1])
        self._site = web.SockSite(self._runner, listening)
        await self._site.start()

    async def _add_headers(self, _: web.Request, answer: web.StreamResponse) -> None:
        for name, value in self._options.headers.items():
            answer.headers.setdefault(name, value)

    async def _home(self, _: web.Request) -> web.Response:
        return web.Response(text="Your function app is up and running\n")

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _status(self, _: web.Request) -> web.Response:
        own = os.getpid()
        status = {"id": f"localazure-{self.port}", "state": self._state, "version": VERSION, "processId": own}
        workers = [own] if self._processes is None else self._processes.pids
        return web.json_response({**status, "workerProcessIds": workers})

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response(
            [
                {
                    "name": function.name,
                    "isDisabled": function.disabled,
                    "language": "python",
                    "config": {
                        "bindings": [
                            binding.options for binding in (function.trigger, *function.inputs, *function.outputs)
                        ]
                    },
                }
                for function in self.functions
            ],
            dumps=lambda value: json.dumps(value, default=str),
        )

    async def _run(self, request: web.Request) -> web.Response:
        """Run a function that is not triggered by HTTP, as the portal's "Run" does."""
        name = request.match_info["name"]
        found = [function for function in self._enabled if function.name.lower() == name.lower()]
        if not found:
            return web.json_response({"message": f"there is no function {name}"}, status=404)
        trigger = self._triggers.get(found[0].name)
        if isinstance(trigger, Timer):
            await trigger.fire(past_due=False)
            return web.Response(status=202)
        if found[0].trigger.type != "cosmosDBTrigger":
            message = f"{found[0].trigger.type} cannot be run by hand here"
            return web.json_response({"message": message}, status=400)
        body = await request.json()
        await self._invoker.invoke(found[0], Datum(str(body.get("input", "[]")), "json"))
        return web.Response(status=202)

    async def _counters(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "invocations": self._invoker.invocations,
                "failures": self._invoker.failures,
                "seconds": self._invoker.seconds,
                "durable": self._hub.counters() if self._hub else {},
            }
        )

    async def _reset(self, _: web.Request) -> web.Response:
        for counter in (self._invoker.invocations, self._invoker.failures, self._invoker.seconds):
            counter.clear()
        return web.Response(status=204)


async def start(config: Config) -> Host:
    """Index the app and serve it. Raises HostError, and OSError for a port in use."""
    logging.getLogger("azure").setLevel(logging.WARNING)
    host = Host(config)
    try:
        await host.start()
    except BaseException:
        await host.stop()
        raise
    log.info("%d functions are running on %s (Python %s)", len(host.functions), host.url, sys.version.split()[0])
    return host


def _site(port: int) -> str:
    """The address that callers know: what WEBSITE_HOSTNAME says, over HTTPS unless it is this machine by that name."""
    name = os.environ.get("WEBSITE_HOSTNAME") or f"localhost:{port}"
    return f"{'http' if name.lower().startswith('localhost') else 'https'}://{name}"


def _keys(path: Path | None) -> dict[str, Any]:
    """The host's keys: made once, kept where only this user can read them."""
    if path is not None and path.exists():
        return dict(json.loads(path.read_text()))
    keys = {"master": secrets.token_urlsafe(32), "default": secrets.token_urlsafe(32)}
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(keys))
    return keys
