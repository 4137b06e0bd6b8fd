"""What a Service Bus trigger gives a function of its messages: the body, and the metadata beside it.

The extension binds a body as text unless the trigger's `data_type` says otherwise; the host then adds the members of a
body that is a JSON object to the metadata, where **they win over the message's own properties**. A batch has arrays,
from which empty texts are missing. Sources: Microsoft.Azure.WebJobs.Extensions.ServiceBus,
`ServiceBusTriggerBindingStrategy` and its message converters; azure-functions-host, `Utility.ApplyBindingData`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from azure.functions.meta import Datum
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from localazure import newtonsoft
from localazure.functions.dates import date, dates_rewritten

TEXT, BINARY, JSON = "string", "binary", "json"
_ALWAYS = dict.fromkeys(
    ("MessageReceiver", "MessageSession", "MessageActions", "SessionActions", "ReceiveActions"), Datum("{}", "json")
)
"""Objects of .NET's, of which nothing is left on the way to Python."""
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


class Unbindable(Exception):
    """A body that the trigger cannot give to the function, which is not called."""


def one(message: ServiceBusReceivedMessage, kind: str, client: Datum) -> tuple[Datum, dict[str, Datum]]:
    """A message's body and metadata for cardinality one. Raises Unbindable."""
    own = _properties(message)
    metadata = {
        **_ALWAYS,
        "Client": client,
        **{name: _datum(value) for name, value in own.items() if value is not None},
    }
    if kind == BINARY:
        return Datum(_bytes(message), "bytes"), metadata
    text = _text(message)
    if text[:1] in "{ \t\r\n" and text:
        _add_members(metadata, text)
    return Datum(text, "string"), metadata


def many(messages: Sequence[ServiceBusReceivedMessage], kind: str, client: Datum) -> tuple[Datum, dict[str, Datum]]:
    """The same for cardinality many: arrays, one element a message."""
    described = [_properties(message) for message in messages]
    arrays = {f"{name}Array": _array(name, [item[name] for item in described]) for name in described[0]}
    arrays["TransactionPartitionKeyArray"] = arrays["PartitionKeyArray"]
    return _bodies(messages, kind), {**_ALWAYS, "Client": client, **arrays}


@dataclass(frozen=True)
class _Texts:
    """What the worker's protocol calls a collection of strings."""

    string: list[str]


@dataclass(frozen=True)
class _Binaries:
    """What it calls a collection of bytes."""

    bytes: list[bytes]


@dataclass(frozen=True)
class _Numbers:
    """What it calls a collection of 64-bit numbers."""

    sint64: list[int]


def _bodies(messages: Sequence[ServiceBusReceivedMessage], kind: str) -> Datum:
    if kind == BINARY:
        return Datum(_Binaries([_bytes(message) for message in messages]), "collection_bytes")
    if kind == TEXT:
        return Datum(_Texts([text for message in messages if (text := _text(message))]), "collection_string")
    text = json.dumps([_value(message) for message in messages])
    return Datum(dates_rewritten(text, keep_offsets=True), "json")


def _value(message: ServiceBusReceivedMessage) -> Any:
    """The JSON that a body in a batch must be where the trigger has no `data_type`."""
    text = _text(message, strict=True)
    try:
        return newtonsoft.read(text) if text.strip() else None
    except ValueError as exc:
        raise Unbindable(
            "Binding parameters to complex objects (such as 'Object') uses Json.NET serialization or XML object "
            f"serialization. The JSON parser failed: {exc}"
        ) from exc


def _bytes(message: ServiceBusReceivedMessage) -> bytes:
    if message.body_type != AmqpMessageBodyType.DATA:
        kind = "value" if message.body_type == AmqpMessageBodyType.VALUE else "sequence"
        raise Unbindable(f"A {kind} body message cannot be bound to bytes.")
    return b"".join(message.body)


def _text(message: ServiceBusReceivedMessage, *, strict: bool = False) -> str:
    if message.body_type == AmqpMessageBodyType.DATA:
        body = b"".join(message.body)
    elif message.body_type == AmqpMessageBodyType.VALUE:
        value: Any = message.body  # the client has texts as bytes
        if not isinstance(value, bytes | str):
            raise Unbindable(f"A message with a value type of {type(value).__name__} cannot be bound to a string.")
        body = value.encode() if isinstance(value, str) else value
    else:
        raise Unbindable("A sequence body message cannot be bound to a string.")
    try:
        return body.decode("utf-8", "strict" if strict else "replace")
    except UnicodeDecodeError as exc:
        raise Unbindable(f"The body is not UTF-8: {exc}") from exc


def _properties(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    own = {_plain(name): _plain(value) for name, value in (message.application_properties or {}).items()}
    properties = json.dumps(own, default=_shown)
    enqueued, expires = message.enqueued_time_utc or _LAST, message.expires_at_utc or _LAST
    return {
        # the .NET client counts the delivery that is under way, the Python client those before it
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "DeadLetterSource": message.dead_letter_source,
        "LockToken": str(message.lock_token) if message.lock_token else None,
        "ExpiresAtUtc": _Moment(expires, ""),
        "ExpiresAt": _Moment(expires, "+00:00"),
        "EnqueuedTimeUtc": _Moment(enqueued, ""),
        "EnqueuedTime": _Moment(enqueued, "+00:00"),
        "MessageId": message.message_id,
        "ContentType": message.content_type,
        "ReplyTo": message.reply_to,
        "SequenceNumber": message.sequence_number,
        "To": message.to,
        "Subject": message.subject,
        "Label": message.subject,
        "CorrelationId": message.correlation_id,
        "ApplicationProperties": _Json(properties),
        "UserProperties": _Json(properties),
        "SessionId": message.session_id,
        "ReplyToSessionId": message.reply_to_session_id,
        "PartitionKey": message.partition_key,
        "TransactionPartitionKey": None,
    }


class _Json(str):
    """A text that is JSON already."""

    __slots__ = ()


class _Moment(_Json):
    """A time as .NET writes it: the fraction without zeros at its end."""

    __slots__ = ()

    def __new__(cls, moment: datetime, offset: str) -> _Moment:
        text = moment.isoformat()[:-6]
        return super().__new__(cls, f'"{text.rstrip("0") if moment.microsecond else text}{offset}"')


_NAMES = {
    name.lower(): name
    for name in (
        *(*_ALWAYS, "Client", "DeliveryCount", "DeadLetterSource", "LockToken", "ExpiresAtUtc", "ExpiresAt"),
        *("EnqueuedTimeUtc", "EnqueuedTime", "MessageId", "ContentType", "ReplyTo", "SequenceNumber", "To", "Subject"),
        *("Label", "CorrelationId", "ApplicationProperties", "UserProperties", "SessionId", "ReplyToSessionId"),
        *("PartitionKey", "TransactionPartitionKey"),
    )
}
"""The names that a message's properties have, whether they have a value or not."""
_NUMBERS = frozenset({"SequenceNumber"})
_AS_JSON = frozenset(
    {"DeliveryCount", "ExpiresAtUtc", "ExpiresAt", "EnqueuedTimeUtc", "EnqueuedTime"}
    | {"ApplicationProperties", "UserProperties"}
)


def _array(name: str, values: list[Any]) -> Datum:
    if name in _NUMBERS:
        return Datum(_Numbers(values), "collection_sint64")
    if name in _AS_JSON:
        return Datum(f"[{','.join(map(str, values))}]", "json")
    return Datum(_Texts([value for value in values if value]), "collection_string")


def _datum(value: Any) -> Datum:
    if isinstance(value, _Json) or not isinstance(value, str):
        return Datum(str(value), "json")
    return Datum(value, "string")


def _add_members(metadata: dict[str, Datum], text: str) -> None:
    """The members of a body that is a JSON object, in place of properties of the same name in any letter case."""
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return
    try:
        members = newtonsoft.read(text)
    except ValueError:
        return
    if not isinstance(members, dict):
        return
    names = dict(_NAMES)
    for name, value in members.items():
        if value is None or isinstance(value, list):
            continue
        datum = Datum(dates_rewritten(json.dumps(value)), "json") if isinstance(value, dict) else _told(value)
        metadata[names.setdefault(name.lower(), name)] = datum


def _told(value: Any) -> Datum:
    """A scalar as .NET turns it into text."""
    if isinstance(value, str):
        found = date(value)
        return Datum(value if found is None else found.american(), "string")
    return Datum(_number(value) if isinstance(value, float) else str(value), "string")


def _number(value: float) -> str:
    """A floating-point number: digits alone up to the fifteenth place, with an exponent beyond."""
    if value in (float("inf"), float("-inf")) or value != value:
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    number = Decimal(repr(value)).normalize()
    _, digits, _ = number.as_tuple()
    exponent = number.adjusted()
    if -5 <= exponent < 15:
        return f"{number:f}"
    mantissa = "".join(map(str, digits))
    fraction = f".{mantissa[1:]}" if mantissa[1:] else ""
    sign = "-" if value < 0 else ""
    return f"{sign}{mantissa[0]}{fraction}E{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _plain(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _shown(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
