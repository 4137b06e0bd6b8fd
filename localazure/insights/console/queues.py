"""The queues, through Service Bus's own clients: how deep they are, what lies in them, and sending one again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localazure.insights.console.errors import BadRequest, Missing, Unavailable
from localazure.servicebus import EMULATOR_KEY, KEY_NAME

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
    from azure.servicebus.aio.management import ServiceBusAdministrationClient

PAGE = 50
"""Messages that are looked at in one go."""
MAX_BODY = 64 * 1024
"""Characters of a body that are shown."""
_SEARCHED = 2_000
"""Dead letters among which the one to send again is looked for."""
_PATIENCE = 15.0
"""Seconds for one thing that a person does."""
_REASONS = frozenset({"DeadLetterReason", "DeadLetterErrorDescription"})
_BETWEEN = "/subscriptions/"
_AGAIN = "sent-again"
"""The label of a copy that is addressed: rules that go by labels leave it to the one that goes by `to`."""


class Queues:
    """Owns the clients; they are made when somebody looks. `address` is `sb://HOST:PORT`."""

    def __init__(self, address: str, certificate: Path | None) -> None:
        self._key = f"Endpoint={address};SharedAccessKeyName={KEY_NAME};SharedAccessKey={EMULATOR_KEY}"
        self._certificate = certificate
        self._administration: ServiceBusAdministrationClient | None = None

    async def depths(self) -> list[dict[str, Any]]:
        """Every queue and subscription: `{entity, topic, name, active, dead, scheduled, transfer_dead}`."""
        async with _told():
            client = await self._administrator()
            found = [_depth(queue.name, "", queue) async for queue in client.list_queues_runtime_properties()]
            async for topic in client.list_topics():
                async for each in client.list_subscriptions_runtime_properties(topic.name):
                    found.append(_depth(f"{topic.name}{_BETWEEN}{each.name}", topic.name, each))
            return found

    async def peek(self, entity: str, dead: bool, since: int) -> list[dict[str, Any]]:
        """At most a page of messages from a sequence number on; they stay where they are. Raises Missing."""
        async with _told(), self._client() as client, _receiver(client, entity, dead) as receiver:
            found = await receiver.peek_messages(max_message_count=PAGE, sequence_number=max(1, since))
            return [_shown(message) for message in found]

    async def send_again(self, entity: str, sequence: int) -> str:
        """Send a dead letter to its queue or topic under a new message id, which is returned, and remove it.

        Where a rule of the subscription takes what is addressed to it (`to`), nobody else hears the copy.

        A copy is sent before the dead letter is removed: a process that dies in between leaves both, and consumers know
        a repeat by the id in the body. Of two callers, one finds it locked. Raises Missing.
        """
        async with _told(), self._client() as client, _receiver(client, entity, dead=True) as receiver:
            message = await _locked(receiver, sequence)
            copy, identifier = _copy(message, await self._addressee(entity))
            topic, _, subscription = entity.partition(_BETWEEN)
            sender = client.get_topic_sender(topic) if subscription else client.get_queue_sender(entity)
            async with sender:
                await sender.send_messages(copy)
            await receiver.complete_message(message)
            return identifier

    async def _addressee(self, entity: str) -> str:
        """What a message's `to` has to be for the subscription alone to hear it; empty where there is no such rule."""
        from azure.servicebus.management import CorrelationRuleFilter

        topic, _, subscription = entity.partition(_BETWEEN)
        if not subscription:
            return ""
        async for rule in (await self._administrator()).list_rules(topic, subscription):
            asked = vars(rule.filter) if isinstance(rule.filter, CorrelationRuleFilter) else {}
            if {name for name, value in asked.items() if value} == {"to"}:
                return str(asked["to"])
        return ""

    async def stop(self) -> None:
        if self._administration is not None:
            await self._administration.close()

    def _client(self) -> ServiceBusClient:
        from azure.servicebus.aio import ServiceBusClient

        return ServiceBusClient.from_connection_string(f"{self._key};UseDevelopmentEmulator=true", retry_total=0)

    async def _administrator(self) -> ServiceBusAdministrationClient:
        if self._administration is None:
            from azure.servicebus.aio.management import ServiceBusAdministrationClient

            trusted = {"connection_verify": str(self._certificate)} if self._certificate else {}
            self._administration = ServiceBusAdministrationClient.from_connection_string(
                self._key, retry_total=0, **trusted
            )
        return self._administration


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """The clients' errors as the console's, within the patience of a person."""
    from azure.core.exceptions import AzureError, ResourceNotFoundError
    from azure.servicebus.exceptions import MessagingEntityNotFoundError, ServiceBusAuthenticationError, ServiceBusError

    try:
        async with asyncio.timeout(_PATIENCE):
            yield
    except (MessagingEntityNotFoundError, ResourceNotFoundError, ServiceBusAuthenticationError) as exc:
        # a token for an entity that does not exist is refused, as on Azure
        raise Missing("there is no such queue or subscription, or Service Bus has another key") from exc
    except TimeoutError as exc:
        raise Unavailable(f"Service Bus did not answer within {_PATIENCE:g} s") from exc
    except (AzureError, ServiceBusError, OSError) as exc:
        raise Unavailable(f"Service Bus does not answer: {type(exc).__name__}") from exc


@asynccontextmanager
async def _receiver(client: ServiceBusClient, entity: str, dead: bool) -> AsyncIterator[ServiceBusReceiver]:
    """Raises BadRequest for what cannot be the name of an entity."""
    from azure.servicebus import ServiceBusSubQueue

    if not entity or len(entity) > 400 or entity.startswith("/"):
        raise BadRequest("the entity is a queue, or TOPIC/subscriptions/SUBSCRIPTION")
    of = ServiceBusSubQueue.DEAD_LETTER if dead else None
    topic, _, subscription = entity.partition(_BETWEEN)
    if subscription:
        made = client.get_subscription_receiver(topic, subscription, sub_queue=of)
    else:
        made = client.get_queue_receiver(entity, sub_queue=of)
    async with made as receiver:
        yield receiver


async def _locked(receiver: ServiceBusReceiver, sequence: int) -> ServiceBusReceivedMessage:
    """The dead letter of that number, under a lock; the others are let go of. Raises Missing."""
    others: list[ServiceBusReceivedMessage] = []
    try:
        while len(others) < _SEARCHED:
            received = await receiver.receive_messages(max_message_count=PAGE, max_wait_time=1)
            found = next((message for message in received if message.sequence_number == sequence), None)
            others += [message for message in received if message is not found]
            if found is not None:
                return found
            if not received or all((message.sequence_number or 0) > sequence for message in received):
                break
    finally:
        for message in others:
            await receiver.abandon_message(message)
    raise Missing("the dead letter is not there, or somebody else has it: look again")


def _copy(message: ServiceBusReceivedMessage, addressee: str) -> tuple[Any, str]:
    """The same body and properties under a new id, and that id; why it died is left out.

    One for an `addressee` has a label that no rule knows.
    """
    from azure.servicebus import ServiceBusMessage
    from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType

    identifier = uuid.uuid4().hex
    properties: dict[Any, Any] = {
        name: value for name, value in (message.application_properties or {}).items() if _text(name) not in _REASONS
    }
    if message.body_type != AmqpMessageBodyType.DATA:
        raw = message.raw_amqp_message
        body = {f"{message.body_type.value}_body": _values(message)}
        about = {
            name: getattr(raw.properties, name) if raw.properties else None
            for name in ("subject", "correlation_id", "content_type", "group_id", "reply_to", "to")
        }
        about = {name: value for name, value in about.items() if value is not None} | {"message_id": identifier}
        about |= {"to": addressee, "subject": _AGAIN} if addressee else {}
        return AmqpAnnotatedMessage(**body, properties=about, application_properties=properties), identifier
    copy = ServiceBusMessage(
        b"".join(message.body),
        application_properties=properties,
        message_id=identifier,
        session_id=message.session_id,
        subject=_AGAIN if addressee else message.subject,
        content_type=message.content_type,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        reply_to_session_id=message.reply_to_session_id,
        to=addressee or message.to,
    )
    return copy, identifier


def _depth(entity: str, topic: str, counted: Any) -> dict[str, Any]:
    return {
        "entity": entity,
        "topic": topic,
        "name": counted.name,
        "active": counted.active_message_count or 0,
        "dead": counted.dead_letter_message_count or 0,
        "scheduled": getattr(counted, "scheduled_message_count", 0) or 0,
        "transfer_dead": counted.transfer_dead_letter_message_count or 0,
    }


def _shown(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    body, size = _body(message)
    return {
        "sequence": message.sequence_number,
        "id": message.message_id,
        "subject": message.subject,
        "session": message.session_id,
        "correlation": message.correlation_id,
        "type": message.content_type,
        "enqueued": message.enqueued_time_utc.isoformat() if message.enqueued_time_utc else None,
        "deliveries": message.delivery_count,
        "reason": message.dead_letter_reason,
        "description": message.dead_letter_error_description,
        "properties": _properties(message.application_properties),
        "body": body[:MAX_BODY],
        "partial": len(body) > MAX_BODY,
        "bytes": size,
    }


def _body(message: ServiceBusReceivedMessage) -> tuple[str, int]:
    """As text, and its size in bytes; a body of AMQP values as Python writes them."""
    from azure.servicebus.amqp import AmqpMessageBodyType

    if message.body_type == AmqpMessageBodyType.DATA:
        content = b"".join(message.body)
        return content.decode("utf-8", "replace"), len(content)
    found = _values(message)
    text = found if isinstance(found, str) else repr(found)
    return text, len(text.encode())


def _values(message: ServiceBusReceivedMessage) -> Any:
    """A body that is not bytes: one value, or a list of lists."""
    from azure.servicebus.amqp import AmqpMessageBodyType

    return [list(each) for each in message.body] if message.body_type == AmqpMessageBodyType.SEQUENCE else message.body


def _properties(found: Mapping[Any, Any] | None) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in (found or {}).items()}


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
