"""A broker for many tests, its clock in their hand, and an official client with links that are open already.

The clients take half a second of pauses to open a link and up to one to close it. So links are opened a dozen at a
time, each test takes one that nobody used before, on a queue of its own, and all are closed together at the end. The
synchronous client's calls are made on threads, so that one test can be run with both clients, side by side.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from azure.servicebus import ServiceBusClient
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.aio.management import ServiceBusAdministrationClient as AsyncAdministrationClient
from azure.servicebus.management import ServiceBusAdministrationClient

from localazure.clock import ManualClock
from localazure.part import Config
from localazure.servicebus import PART
from localazure.servicebus.engine import Broker
from localazure.servicebus.filters import Rule
from localazure.servicebus.options import Kind, Options, options
from localazure.servicebus.wire import ServiceBusServer

PATIENCE = 10.0
"""Seconds after which a test no longer waits for what another task or thread brings about."""
NONE = 0.3
"""Seconds that a receiver listens to show that there is nothing."""
PLAIN: Mapping[str, Any] = {"LockDuration": "PT30S", "MaxDeliveryCount": 3}
SESSIONS: Mapping[str, Any] = {"RequiresSession": True, "LockDuration": "PT30S", "MaxDeliveryCount": 3}
YEARS = 10 * 365 * 86_400.0
_AHEAD = 16


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.002)


class Blocking:
    """An object of the synchronous client whose calls are made on a thread: tests read the same for both clients."""

    def __init__(self, inner: Any, threads: ThreadPoolExecutor) -> None:
        self._inner, self._threads = inner, threads

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name == "session":
            return Blocking(value, self._threads)
        if name.startswith("list_"):
            return lambda *a, **k: self._iterated(value(*a, **k))
        if name.startswith("get_") and name.endswith(("_sender", "_receiver")):
            return lambda *a, **k: Blocking(value(*a, **k), self._threads)
        return partial(self._call, value) if callable(value) else value

    async def _call(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(method, *arguments, **named))

    async def _iterated(self, items: Iterable[Any]) -> AsyncIterator[Any]:
        for item in await self._call(list, items):
            yield item

    async def __aenter__(self) -> Blocking:
        await self._call(self._inner.__enter__)
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._call(self._inner.__exit__, *details)


class Line(NamedTuple):
    """A queue with links that are open: a sender, a receiver, and a receiver of its dead letters."""

    name: str
    sender: Any
    receiver: Any
    dead: Any


class Bus:
    """A broker with a clock of its own, one of the two clients, and entities of its own for each test."""

    default_rules = (Rule("$Default"),)

    def __init__(self, kind: str, directory: Path) -> None:
        self.kind, self.clock, self.directory = kind, ManualClock(time.time()), directory
        self.server: ServiceBusServer = cast(ServiceBusServer, None)
        self.client: Any = None
        self.administration: Any = None
        self._threads = ThreadPoolExecutor(64)
        self._numbers = itertools.count(1)
        self._lines: list[Line] = []
        self._targets: dict[str, list[tuple[str, Any]]] = {"topic": [], "sessions": []}
        self._handlers: list[Any] = []
        self._closing: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        entities = self.directory / "entities.json"
        entities.write_text(json.dumps({"UserConfig": {"Namespaces": [{"Name": "bench", "Queues": [], "Topics": []}]}}))
        config = Config(state=self.directory, options={"entities": str(entities)}, clock=self.clock)
        self.server = cast(ServiceBusServer, await PART.start(config))
        # with a token in the key's place, good for as long as tests may move the clock
        token = self.server.tokens.make(self.server.url, YEARS)
        address = f"Endpoint={self.server.url};SharedAccessSignature={token};UseDevelopmentEmulator=true"
        self.client = self.connect(address)
        token = self.server.tokens.make(f"https://localhost:{self.server.management_port}", YEARS)
        self.administration = self.administrate(
            f"Endpoint=sb://localhost:{self.server.management_port};SharedAccessSignature={token}"
        )

    def administrate(self, connection_string: str, **options: Any) -> Any:
        """An administration client of this kind of its own."""
        chosen = {"retry_total": 0, "connection_verify": str(self.server.certificate), **options}
        if self.kind == "async":
            return AsyncAdministrationClient.from_connection_string(connection_string, **chosen)
        inner = ServiceBusAdministrationClient.from_connection_string(connection_string, **chosen)
        return Blocking(inner, self._threads)

    async def stop(self) -> None:
        await self.administration.close()
        await asyncio.gather(*self._closing, *(handler.close() for handler in self._handlers))
        await self.server.stop()
        self._threads.shutdown()

    @property
    def broker(self) -> Broker:
        return self.server.broker

    def connect(self, connection_string: str, **options: Any) -> Any:
        """A client of this kind of its own."""
        chosen = {"retry_total": 0, **options}
        if self.kind == "async":
            return AsyncServiceBusClient.from_connection_string(connection_string, **chosen)
        inner = ServiceBusClient.from_connection_string(connection_string, **chosen)
        return Blocking(inner, self._threads)

    def options(self, kind: Kind, properties: Mapping[str, Any]) -> Options:
        return options(kind, "one", properties)

    def name(self) -> str:
        """One that no entity has."""
        return f"made-{next(self._numbers)}"

    def queue(self, **properties: Any) -> str:
        """A queue of its own; `properties` as in an entities file."""
        return self.create("queue", properties or PLAIN)

    def subscribe(self, topic: str, name: str, *rules: Rule, **properties: Any) -> None:
        """Make a subscription; one without rules gets every message."""
        path = f"{topic}/Subscriptions/{name}"
        made = self.options("subscription", properties)
        self.broker.entities.create("subscription", path, made, rules or self.default_rules)

    def create(self, kind: Kind, properties: Mapping[str, Any]) -> str:
        """An entity under a name that nothing else has."""
        name = f"{kind}{next(self._numbers)}"
        self.broker.entities.create(kind, name, self.options(kind, properties))
        return name

    async def line(self, **properties: Any) -> Line:
        """A queue of its own with open links; without properties one that is `PLAIN`."""
        await self._keep_up()
        if properties:
            [line] = await self._open_lines(1, properties)
            return line
        if not self._lines:
            self._lines = await self._open_lines(_AHEAD, PLAIN)
        return self._lines.pop()

    async def _keep_up(self) -> None:
        """The clients go by the machine's clock: a lock of ours must not be over for them when it begins."""
        await self.clock.advance(max(0.0, time.time() - self.clock.time()))

    async def _open_lines(self, count: int, properties: Mapping[str, Any]) -> list[Line]:
        client = self.client
        lines = [
            Line(
                name,
                client.get_queue_sender(name),
                client.get_queue_receiver(name),
                client.get_queue_receiver(name, sub_queue="deadletter"),
            )
            for name in (self.queue(**properties) for _ in range(count))
        ]
        await self.open(*(handler for line in lines for handler in line[1:]))
        return lines

    async def topic(self, *subscriptions: str) -> tuple[str, Any]:
        """A topic of its own with an open sender."""
        topic, sender = await self._target("topic", "topic", {}, self.client.get_topic_sender)
        for name in subscriptions:
            self.subscribe(topic, name)
        return topic, sender

    async def sessions(self) -> tuple[str, Any]:
        """A queue of its own that is `SESSIONS`, with an open sender."""
        return await self._target("sessions", "queue", SESSIONS, self.client.get_queue_sender)

    async def _target(
        self, pool: str, kind: Kind, properties: Mapping[str, Any], sender: Callable[[str], Any]
    ) -> tuple[str, Any]:
        await self._keep_up()
        if not self._targets[pool]:
            made = [(name, sender(name)) for name in (self.create(kind, properties) for _ in range(_AHEAD))]
            await self.open(*(handler for _, handler in made))
            self._targets[pool] = made
        return self._targets[pool].pop()

    async def open(self, *handlers: Any) -> Any:
        """Open links side by side. They are closed at the end of all tests. One handler is answered as it is."""
        await asyncio.gather(*(handler.__aenter__() for handler in handlers))
        self._handlers += handlers
        return handlers[0] if len(handlers) == 1 else handlers

    async def sender(self, queue: str) -> Any:
        return await self.open(self.client.get_queue_sender(queue))

    async def receiver(self, queue: str, **options: Any) -> Any:
        return await self.open(self.client.get_queue_receiver(queue, **options))

    async def subscriber(self, topic: str, subscription: str, **options: Any) -> Any:
        return await self.open(self.client.get_subscription_receiver(topic, subscription, **options))

    async def hang_up(self, receiver: Any, path: str) -> None:
        """Close the only receiver of an entity; the client's own pause after that is waited out at the end."""
        self._handlers.remove(receiver)
        self._closing.append(asyncio.ensure_future(receiver.close()))
        await until(lambda: self.broker.queue(path).receivers == 0)


def both(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    """Run a test with either client, side by side: each has a broker and a clock of its own."""

    @functools.wraps(test)
    async def run(buses: Sequence[Bus], **arguments: Any) -> None:
        results = await asyncio.gather(*(test(bus, **arguments) for bus in buses), return_exceptions=True)
        for bus, result in zip(buses, results, strict=True):
            if isinstance(result, BaseException):
                result.add_note(f"with the {bus.kind} client")
                raise result

    own = [parameter for name, parameter in inspect.signature(test).parameters.items() if name != "bus"]
    first = inspect.Parameter("buses", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([first, *own])  # type: ignore[attr-defined]
    return run


async def take(receiver: Any, count: int) -> list[Any]:
    """So many messages, and not completed."""
    found: list[Any] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            found += await receiver.receive_messages(count - len(found), max_wait_time=5)
    return found


async def drained(receiver: Any, most: int = 100) -> list[Any]:
    """Everything there is, completed."""
    found: list[Any] = []
    while messages := await receiver.receive_messages(most, max_wait_time=NONE):
        for message in messages:
            await receiver.complete_message(message)
        found += messages
    return found


def texts(messages: Iterable[Any]) -> list[str]:
    return [str(message) for message in messages]
