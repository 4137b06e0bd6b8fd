"""One Service Bus client a process, created on first use, and the receivers that only look."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import ServiceBusError

from shared.errors import Transient
from shared.identity import own_credential, service_bus_options
from shared.settings import SERVICEBUS_CONNECTION, settings
from shared.turns import Turns

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

Queue = tuple[str, str, bool]
"""Topic, subscription, and whether its dead letters are meant."""

_client: ServiceBusClient | None = None
_peekers: dict[Queue, ServiceBusReceiver] = {}
_turns = Turns()


def bus() -> ServiceBusClient:
    """The client of the process."""
    global _client  # noqa: PLW0603 - one client a process is what the SDK asks for
    if _client is None:
        from azure.servicebus.aio import ServiceBusClient

        connection = settings().connection(SERVICEBUS_CONNECTION)
        if connection.string:
            _client = ServiceBusClient.from_connection_string(connection.string)
        else:
            address = connection.address
            _client = ServiceBusClient(address, own_credential(connection.client_id), **service_bus_options(address))
    return _client


def receiver_of(queue: Queue) -> ServiceBusReceiver:
    """A new receiver in peek-lock mode, not open yet."""
    topic, subscription, dead = queue
    return bus().get_subscription_receiver(
        topic, subscription, sub_queue=ServiceBusSubQueue.DEAD_LETTER if dead else None
    )


async def peek(queue: Queue, first: int, most: int) -> list[ServiceBusReceivedMessage]:
    """At most `most` messages from the number `first` on; the broker may give fewer. Raises Transient.

    The receiver is kept: opening and closing one takes a second. One that was left idle may have been closed by the
    broker, which is worth another try.
    """
    async with _turns.of(repr(queue)):
        for last in (False, True):
            try:
                peeker = _peekers.get(queue)
                if peeker is None:
                    peeker = _peekers[queue] = receiver_of(queue)
                return await peeker.peek_messages(most, sequence_number=first)
            except (ServiceBusError, OSError) as exc:
                await _forget(queue)
                if last:
                    raise Transient("the message broker does not answer at present", retry_after=1) from exc
    raise AssertionError("the last try has an answer or an error")


async def open_all(queues: Iterable[Queue]) -> None:
    """Open the receivers that only look, for those that have none yet, at once: each takes a third of a second.

    Raises Transient.
    """
    await asyncio.gather(*(peek(queue, 1, 1) for queue in queues if queue not in _peekers))


async def _forget(queue: Queue) -> None:
    peeker = _peekers.pop(queue, None)
    if peeker is not None:
        with suppress(ServiceBusError, OSError):
            await peeker.close()


async def close() -> None:
    """Close the connection and what is open on it; the next use opens a new one."""
    global _client
    for queue in list(_peekers):
        await _forget(queue)
    known, _client = _client, None
    if known is not None:
        await known.close()
