"""Service Bus triggers, through the official client: one receiver an entity, as many calls at once as host.json says.

A call that returns completes its message, one that raises abandons it; the broker counts deliveries and has the
dead-letter queue. A lost connection is opened again, for ever, with backoff.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from azure.functions.meta import Datum
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusReceivedMessage
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import OperationTimeoutError, ServiceBusError

from localazure.clock import Clock
from localazure.functions.engine import Invoker
from localazure.functions.errors import Unsupported
from localazure.functions.indexing import Function
from localazure.functions.retry import invoke_with_retries, policy_of
from localazure.functions.settings import ServiceBusOptions, connection

log = logging.getLogger("localazure.functions")

_LONGEST_PAUSE = 5.0
_GRACE = 25.0
_NEVER = datetime.max.replace(tzinfo=UTC)
"""When a message without a time to live expires, by the .NET client."""
_WAIT = 30.0
"""Seconds that one receive waits; an end without a message is no event, the next receive follows at once."""


class Listener:
    """One function's queue or subscription."""

    def __init__(self, function: Function, invoker: Invoker, clock: Clock, options: ServiceBusOptions) -> None:
        trigger = function.trigger
        self._function, self._invoker, self._clock, self._options = function, invoker, clock, options
        self._connection = connection(trigger.options["connection"])
        self._queue = trigger.text("queueName")
        self._topic, self._subscription = trigger.text("topicName"), trigger.text("subscriptionName")
        self._sessions = str(trigger.options.get("isSessionsEnabled", False)).lower() == "true"
        self._many = str(trigger.options.get("cardinality", "one")).lower() == "many"
        if not options.auto_complete:
            raise Unsupported(function.name, "autoCompleteMessages=false (a Python function cannot settle a message)")
        self._policy = policy_of(function)
        self._stopping = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []

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
                    ServiceBusClient.from_connection_string(self._connection, retry_total=0) as client,
                    AutoLockRenewer(self._options.renewal) as renewer,
                ):
                    if self._sessions:
                        await self._session(client, renewer)
                    else:
                        await self._receive(self._receiver(client), renewer, self._options.concurrent_calls)
                pause = 0.1
            except OperationTimeoutError:
                continue
            except (ServiceBusError, OSError) as exc:
                log.warning("'%s' waits for Service Bus: %s", self._function.name, exc)
                await self._clock.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            except Exception:
                log.exception("the listener of '%s' failed", self._function.name)
                await self._clock.sleep(_LONGEST_PAUSE)

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
            data, metadata = many(messages) if self._many else one(messages[0])
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


def one(message: ServiceBusReceivedMessage) -> tuple[Datum, dict[str, Datum]]:
    """A message's body and metadata as the converter for cardinality one wants them."""
    described = {name: value for name, value in _metadata(message).items() if value is not None}
    return Datum(_body(message), "bytes"), {name: _datum(value) for name, value in described.items()}


def many(messages: Sequence[ServiceBusReceivedMessage]) -> tuple[Datum, dict[str, Datum]]:
    """The same for cardinality many: arrays, one element a message."""
    described = [_metadata(message) for message in messages]
    arrays = {
        f"{name}Array": Datum(json.dumps([item[name] for item in described], default=str), "json")
        for name in described[0]
    }
    return Datum(_Bytes([_body(message) for message in messages]), "collection_bytes"), arrays


class _Bytes:
    """What the worker's protocol calls a collection of bytes."""

    def __init__(self, items: list[bytes]) -> None:
        self.bytes = items


def _metadata(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    properties = {_plain(name): _plain(value) for name, value in (message.application_properties or {}).items()}
    return {
        "ApplicationProperties": properties,
        "UserProperties": properties,
        "ContentType": message.content_type,
        "CorrelationId": message.correlation_id,
        "DeadLetterErrorDescription": message.dead_letter_error_description,
        "DeadLetterReason": message.dead_letter_reason,
        "DeadLetterSource": message.dead_letter_source,
        # the .NET client counts the delivery that is under way, the Python client those before it
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "EnqueuedSequenceNumber": message.enqueued_sequence_number,
        "EnqueuedTimeUtc": _moment(message.enqueued_time_utc),
        "ExpiresAtUtc": _moment(message.expires_at_utc or _NEVER),
        "Label": message.subject,
        "LockedUntil": _moment(message.locked_until_utc) if message.session_id is None else None,
        "LockToken": str(message.lock_token) if message.lock_token else None,
        "MessageId": message.message_id,
        "PartitionKey": message.partition_key,
        "ReplyTo": message.reply_to,
        "ReplyToSessionId": message.reply_to_session_id,
        "ScheduledEnqueueTimeUtc": _moment(message.scheduled_enqueue_time_utc),
        "SequenceNumber": message.sequence_number,
        "SessionId": message.session_id,
        "Subject": message.subject,
        "To": message.to,
    }


def _datum(value: Any) -> Datum:
    if isinstance(value, str):
        return Datum(value, "string")
    if isinstance(value, int) and not isinstance(value, bool):
        return Datum(value, "int")
    return Datum(json.dumps(value, default=str), "json")


def _body(message: ServiceBusReceivedMessage) -> bytes:
    parts: Any = message.body
    return b"".join(parts) if not isinstance(parts, bytes | str) else _encoded(parts)


def _encoded(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
