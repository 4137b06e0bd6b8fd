"""The host as a process: it indexes the app, opens its port, and starts what listens."""

from __future__ import annotations

import asyncio
import logging
import os
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
from localazure.functions import indexing, keys
from localazure.functions.admin import Admin, NotByHand
from localazure.functions.bindings.host import Bindings
from localazure.functions.connecting import connection
from localazure.functions.cosmos_feed import Feed
from localazure.functions.durable import DURABLE_TRIGGERS, DurableFunctions
from localazure.functions.durable_check import check_package, misspelt
from localazure.functions.engine import Invoker
from localazure.functions.errors import InvalidApp
from localazure.functions.front import Front
from localazure.functions.http import Router
from localazure.functions.indexing import Function
from localazure.functions.keys import DURABLE_KEY
from localazure.functions.locks import Lock
from localazure.functions.processes import Processes
from localazure.functions.server import Handler, runner
from localazure.functions.servicebus import Listener
from localazure.functions.settings import HostOptions, read_host_file, read_settings_file, worker_processes
from localazure.functions.timer import Timer
from localazure.functions.worker import AppWorker
from localazure.listening import Site, bound, listen
from localazure.part import HOST, Config
from localazure.presence import Presence, presence_of

log = logging.getLogger("localazure.functions")

GRACE = 30.0
"""Seconds that invocations may take to end when the host stops."""


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
        if port := config.options.get("debug"):
            count = 1  # the app in this process, so that one debugger sees all of it
            _debugged(port)
        with ExitStack() as undo:
            self._processes = Processes(app, count, timeout) if count > 1 else None
            if self._processes is not None:
                undo.callback(self._processes.kill)
            self.functions = indexing.load(app)
            served = [function for function in self.functions if self._options.serves(function.name)]
            self._enabled = [function for function in served if not function.disabled]
            for function in self._enabled:
                indexing.check_settings(function, connection)
            self._invoker = Invoker(self._processes or AppWorker(self.functions, timeout), Bindings())
            given = config.options.get("secrets")
            names = [function.name for function in self.functions]
            self._keys = keys.load(Path(given) if given else config.file("functions/secrets"), names)
            http = [function for function in served if function.trigger.type == "httpTrigger"]
            prefix = self._options.route_prefix
            self._router = Router(http, prefix, self._keys, self._invoker, config.clock)
            self._admin = Admin(
                self.functions,
                self._keys,
                prefix,
                state=lambda: self._state,
                site=lambda: _site_name(self.port),
                pids=self._pids,
                run=self._run,
                counters=self._counters,
                reset=self._reset,
                waiting=self._waiting,
            )
            undo.pop_all()
        self._triggers: dict[str, Trigger] = {}
        self._hub: TaskHub | None = None
        self._endpoint: Endpoint | None = None
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None
        self._site: Site | None = None
        self._front: Front | None = None
        self._shares_port = config.options.get("share_port") == "yes"
        self._presence: Presence | None = None
        self._state = "Initialized"
        self._loudness: tuple[int, int] | None = None
        self.port = 0

    @property
    def _durable_key(self) -> str | None:
        """What stands in Durable's links; None where no key is asked."""
        return self._keys.system[DURABLE_KEY] if self._keys.asked else None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def durable_address(self) -> str:
        """Where the Python client of the task hub calls; empty without Durable functions."""
        return "" if self._endpoint is None else self._endpoint.url

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
            self._endpoint = Endpoint(self._hub, self._config.timeouts)
            await self._endpoint.start()
            site = f"{_site(self.port)}{PREFIX}"
            self._invoker.client_binding = client_binding(self._hub.name, site, self._endpoint.url, self._durable_key)
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
        if self._front is not None:
            self._front.leaving = True
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
        await self._admin.drain()
        if self._runner is not None and self._shares_port:
            await self._runner.cleanup()  # nobody calls a function whose worker has stopped
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
                path = self._config.file(f"functions/timers/{function.name}")
                lock = None
                if path is not None and self._presence is not None:
                    lock = Lock(path.with_suffix(".lock"), self._presence, clock)
                return Timer(function, invoker, clock, path, lock)
            case _:
                return None

    async def _open(self) -> None:
        """Open the port, and answer on it."""
        extensions: dict[str, Handler] = {}
        if self._hub is not None:
            (durable,) = routes(self._hub, code=self._durable_key)
            extensions[PREFIX.rpartition("/")[2]] = durable.handler
        self._front = Front(self._router, self._admin, self._keys, extensions, self._options.headers)
        self._runner = runner(self._front.answer, self._config.timeouts, GRACE)
        await self._runner.setup()
        listening = bound(self._config.port, reuse_port=self._shares_port)
        self.port = int(listening.getsockname()[1])
        self._site = await listen(self._runner, listening)

    def _pids(self) -> list[int]:
        """The processes that run the app's code."""
        return [os.getpid()] if self._processes is None else self._processes.pids

    async def _run(self, function: Function, given: str | None) -> None:
        """Run a function that no request calls. Raises NotByHand, and what the function raises."""
        trigger = self._triggers.get(function.name)
        if isinstance(trigger, Timer):
            await trigger.fire(past_due=False)
        elif function.trigger.type == "cosmosDBTrigger":
            await self._invoker.invoke(function, Datum(given or "[]", "json"))
        else:
            raise NotByHand(f"'{function.name}' cannot be run by hand here: it is a {function.trigger.type}")

    def _counters(self) -> dict[str, Any]:
        return {
            "invocations": self._invoker.invocations,
            "failures": self._invoker.failures,
            "seconds": self._invoker.seconds,
            "durable": self._hub.counters() if self._hub else {},
        }

    async def _waiting(self) -> list[dict[str, Any]]:
        """Raises FeedError."""
        from localazure.functions.waiting import waiting

        return await waiting(self._triggers, self._hub, self._options)

    def _reset(self) -> None:
        for counter in (self._invoker.invocations, self._invoker.failures, self._invoker.seconds):
            counter.clear()


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
    name = _site_name(port)
    return f"{'http' if name.lower().startswith('localhost') else 'https'}://{name}"


def _debugged(port: str) -> None:
    """Let a debugger attach to this process. Raises InvalidApp for what is no port."""
    import debugpy

    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise InvalidApp(f"debug is the number of a port, not '{port}'")
    debugpy.listen((HOST, int(port)))


def _site_name(port: int) -> str:
    return os.environ.get("WEBSITE_HOSTNAME") or f"localhost:{port}"
