"""Service Bus triggers, through the official client: one receiver an entity, as many calls at once as host.json says.

A call that returns completes its message, one that raises abandons it; the broker counts deliveries and has the
dead-letter queue. A lost connection is opened again, for ever, with backoff.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.functions.meta import Datum
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusReceivedMessage
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import OperationTimeoutError, ServiceBusError

from localazure.clock import Clock
from localazure.functions.connecting import SERVICE_BUS, Connection, connection
from localazure.functions.engine import Invoker
from localazure.functions.errors import InvalidFunction, Unsupported
from localazure.functions.indexing import Function
from localazure.functions.retry import invoke_with_retries, policy_of
from localazure.functions.servicebus_message import BINARY, JSON, TEXT, many, one
from localazure.functions.settings import ServiceBusOptions

log = logging.getLogger("localazure.functions")

_MAX_PAUSE = 5.0
_GRACE = 25.0
_WAIT = 30.0
"""Seconds that one receive waits; an end without a message is no event, the next receive follows at once."""


class Listener:
    """One function's queue or subscription."""

    def __init__(self, function: Function, invoker: Invoker, clock: Clock, options: ServiceBusOptions) -> None:
        trigger = function.trigger
        self._function, self._invoker, self._clock, self._options = function, invoker, clock, options
        self._connection = connection(trigger.options["connection"], SERVICE_BUS)
        self._queue = trigger.text("queueName")
        self._topic, self._subscription = trigger.text("topicName"), trigger.text("subscriptionName")
        self._sessions = function.flag("isSessionsEnabled")
        self._many = _one_of(function, "cardinality", ("one", "many"), "one") == "many"
        self._kind = _one_of(function, "dataType", (TEXT, BINARY), TEXT if not self._many else JSON)
        self._client = _client(self._connection)
        if not function.flag("autoCompleteMessages", options.auto_complete):
            raise Unsupported(
                function.name,
                "autoCompleteMessages=false (a Python function cannot settle a message: each would come again until "
                "it is dead-lettered)",
            )
        self._policy = policy_of(function)
        self._stopping = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []

    @property
    def entity(self) -> str:
        """The path of what it receives from."""
        return self._queue or f"{self._topic}/Subscriptions/{self._subscription}"

    @property
    def at_once(self) -> int:
        """Messages, or sessions, that one instance handles at a time."""
        if self._sessions:
            return self._options.concurrent_sessions
        return self._options.batch if self._many else self._options.concurrent_calls

    def start(self) -> None:
        count = self._options.concurrent_sessions if self._sessions else 1
        loop = asyncio.get_running_loop()
        self._loops = [loop.create_task(self._run()) for _ in range(count)]

    async def stop(self) -> None:
        """Receive nothing more; what is being handled may end and be settled."""
        self._stopping.set()
        if self._calls:
            await asyncio.wait(self._calls, timeout=_GRACE)
        for task in (*self._loops, *self._calls):
            task.cancel()
        await asyncio.gather(*self._loops, *self._calls, return_exceptions=True)

    async def _run(self) -> None:
        pause = 0.1
        while not self._stopping.is_set():
            try:
                async with (
                    self._identity() as credential,
                    self._connection.service_bus(credential, retry_total=0) as client,
                    AutoLockRenewer(self._options.renewal) as renewer,
                ):
                    if self._sessions:
                        await self._session(client, renewer)
                    else:
                        await self._receive(self._receiver(client), renewer, self._options.concurrent_calls)
                pause = 0.1
            except OperationTimeoutError:
                continue
            except (ServiceBusError, ClientAuthenticationError, OSError) as exc:
                log.warning("'%s' waits for Service Bus: %s", self._function.name, exc)
                await self._clock.sleep(pause)
                pause = min(_MAX_PAUSE, pause * 2)
            except Exception:
                log.exception("the listener of '%s' failed", self._function.name)
                await self._clock.sleep(_MAX_PAUSE)

    @asynccontextmanager
    async def _identity(self) -> AsyncIterator[AsyncTokenCredential | None]:
        """What the client's tokens are got with; `None` where it has a key."""
        if self._connection.text:
            yield None
            return
        async with self._connection.credential() as credential:
            yield credential

    def _receiver(self, client: ServiceBusClient, **options: Any) -> ServiceBusReceiver:
        options["prefetch_count"] = max(self._options.prefetch, 0 if self._sessions else self._options.concurrent_calls)
        if self._queue:
            return client.get_queue_receiver(self._queue, **options)
        return client.get_subscription_receiver(self._topic, self._subscription, **options)

    async def _session(self, client: ServiceBusClient, renewer: AutoLockRenewer) -> None:
        receiver = self._receiver(client, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=self._options.session_idle)
        async with receiver:
            renewer.register(receiver, receiver.session, self._options.renewal)
            while not self._stopping.is_set():
                most = self._options.batch if self._many else 1
                messages = await receiver.receive_messages(most, max_wait_time=self._options.session_idle)
                if not messages:
                    return
                # a call of its own, so that a host that stops lets it end
                call = asyncio.get_running_loop().create_task(self._handle(receiver, messages, None))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)
                await asyncio.shield(call)

    async def _receive(self, receiver: ServiceBusReceiver, renewer: AutoLockRenewer, at_once: int) -> None:
        places = asyncio.Semaphore(at_once)
        # asked for one message, the client answers as soon as it has one; asked for more, it waits for more
        wanted = self._options.batch if self._many else 1
        async with receiver:
            while not self._stopping.is_set():
                await places.acquire()
                messages: list[ServiceBusReceivedMessage] = []
                asked = time.monotonic()
                try:
                    messages = await receiver.receive_messages(wanted, max_wait_time=_WAIT)
                finally:
                    if not messages:
                        places.release()
                if messages:
                    self._call(receiver, messages, renewer, places)
                elif time.monotonic() - asked < _WAIT / 2:
                    # A receiver whose connection is gone may answer "nothing" at once, for ever, and starve the loop.
                    return

    def _call(
        self,
        receiver: ServiceBusReceiver,
        messages: Sequence[ServiceBusReceivedMessage],
        renewer: AutoLockRenewer,
        places: asyncio.Semaphore,
    ) -> None:
        async def handle() -> None:
            try:
                await self._handle(receiver, messages, renewer)
            finally:
                places.release()

        task = asyncio.get_running_loop().create_task(handle())
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _handle(
        self,
        receiver: ServiceBusReceiver,
        messages: Sequence[ServiceBusReceivedMessage],
        renewer: AutoLockRenewer | None,
    ) -> None:
        if renewer is not None:
            for message in messages:
                renewer.register(receiver, message, self._options.renewal)
        try:
            if self._many:
                data, metadata = many(messages, self._kind, self._client)
            else:
                data, metadata = one(messages[0], self._kind, self._client)
            properties = messages[0].application_properties or {}
            traceparent = properties.get(b"Diagnostic-Id") or properties.get("traceparent") or ""
            await invoke_with_retries(
                self._invoker,
                self._clock,
                self._function,
                self._policy,
                data,
                metadata=metadata,
                traceparent=str(traceparent),
                stopping=self._stopping,
            )
        except Exception as exc:
            delivery = (messages[0].delivery_count or 0) + 1
            log.warning("'%s' failed on delivery %d: %r", self._function.name, delivery, exc)
            settle = receiver.abandon_message
        else:
            settle = receiver.complete_message
        for message in messages:
            try:
                await settle(message)
            except (ServiceBusError, ValueError, OSError) as exc:
                log.warning("a message of '%s' was not settled and will come again: %s", self._function.name, exc)


def _one_of(function: Function, option: str, known: tuple[str, ...], default: str) -> str:
    """An option that has one of a few words, in any letter case. Raises InvalidFunction."""
    word = function.trigger.text(option, default).lower()
    if word in ("undefined", default):
        return default
    if word not in known:
        raise InvalidFunction(function.name, f"{option} must be one of {', '.join(known)}, not '{word}'")
    return word


def _client(connection: Connection) -> Datum:
    """What is left of .NET's client in the metadata."""
    name = urlsplit(connection.parts.get("Endpoint", "")).hostname or connection.address
    return Datum(
        json.dumps(
            {
                "FullyQualifiedNamespace": name,
                "IsClosed": False,
                "TransportType": 0,
                "Identifier": f"{name}-{uuid.uuid4()}",
            }
        ),
        "json",
    )
