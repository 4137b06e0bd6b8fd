"""The sections of a message.

What follows header and annotations is a message's content; it is kept byte for byte. The sections in front of it are
the broker's to write.
Source: AMQP 1.0 (OASIS), part 3, section 3.2.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from localazure.servicebus.amqp.decode import decode, elements
from localazure.servicebus.amqp.encode import NULL, boolean, described, encode, mapping, sequence, string, symbol
from localazure.servicebus.amqp.encode import timestamp as _timestamp
from localazure.servicebus.amqp.types import DecodeError, Described, Int32

BATCH_FORMAT = 0x80013700
HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS = 0x70, 0x71, 0x72
PROPERTIES, APPLICATION, DATA, SEQUENCE, VALUE, FOOTER = range(0x73, 0x79)
PROPERTY_NAMES = (
    "MessageId", "UserId", "To", "Label", "ReplyTo", "CorrelationId", "ContentType", "ContentEncoding",
    "ExpiresAt", "CreationTime", "SessionId", "GroupSequence", "ReplyToSessionId",
)  # fmt: skip
MESSAGE_ID = PROPERTY_NAMES.index("MessageId")
_U32 = struct.Struct(">I").pack
_NO_TOKEN = described(DELIVERY_ANNOTATIONS, mapping([]))
"""The service does not leave the section out."""
_LOCK_TOKEN = b"\x00\x53\x71\xc1" + bytes((1 + 18 + 17, 2)) + symbol("x-opt-lock-token") + b"\x98"
_KINDS = {HEADER: list, ANNOTATIONS: dict, DELIVERY_ANNOTATIONS: dict, PROPERTIES: list, APPLICATION: dict,
          DATA: bytes, SEQUENCE: list, FOOTER: dict}  # fmt: skip


class Parsed(NamedTuple):
    """A message taken apart. Annotations, those of the delivery too, are encoded: key, value, key, value."""

    content: bytes
    header: Sequence[Any]
    annotations: list[bytes]
    properties: Sequence[Any]
    application: dict[Any, Any]
    data: list[bytes]
    value: Any
    delivery: list[bytes]

    def property(self, name: str) -> Any:
        index = PROPERTY_NAMES.index(name)
        return self.properties[index] if index < len(self.properties) else None


def parse(message: bytes) -> Parsed:
    """Raises DecodeError for bytes that cannot be read as a message."""
    header: Sequence[Any] = ()
    annotations: list[bytes] = []
    delivery: list[bytes] = []
    properties: Sequence[Any] = ()
    application: dict[Any, Any] = {}
    data: list[bytes] = []
    value: Any = None
    start, last = len(message), 0
    for code, begin, content in _sections(message):
        if code < last:
            return parse(_in_order(message))
        if code == last and code not in (DATA, SEQUENCE):
            raise DecodeError(f"a message has the section {code:#x} twice")
        last = code
        if code >= PROPERTIES and begin < start:
            start = begin
        if code == HEADER:
            header = content
        elif code == ANNOTATIONS:
            annotations = section_elements(message, begin)
        elif code == DELIVERY_ANNOTATIONS:
            delivery = section_elements(message, begin)
        elif code == PROPERTIES:
            properties = content
        elif code == APPLICATION:
            application = content
        elif code == DATA:
            data.append(content)
        elif code == VALUE:
            value = content
    return Parsed(message[start:], header, annotations, properties, application, data, value, delivery)


def _sections(message: bytes) -> Iterator[tuple[int, int, Any]]:
    """Code, where the section begins, and its value."""
    at = 0
    while at < len(message):
        found, end = decode(message, at)
        if not isinstance(found, Described):
            raise DecodeError("a section of a message is not a described value")
        code, value = found
        kind = _KINDS.get(code)
        if kind is None and code != VALUE:
            raise DecodeError(f"a message has no section {code!r}")
        if kind is not None and type(value) is not kind:
            raise DecodeError(f"the section {code:#x} of a message is not a {kind.__name__}")
        yield code, at, value
        at = end


def _in_order(message: bytes) -> bytes:
    """The sections as the standard orders them: clients write a footer, or delivery annotations, where they like."""
    return b"".join(raw for _, raw in sorted(sections(message), key=lambda section: section[0]))


def sections(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The sections as they are: code and bytes."""
    at = 0
    while at < len(content):
        found, end = decode(content, at)
        yield found.descriptor, content[at:end]
        at = end


def section_elements(message: bytes, at: int = 0) -> list[bytes]:
    """What the list or map of the section at a place is made of; a map's are key, value, key, value."""
    return elements(message, decode(message, at + 1)[1])


def list_section(code: int, parts: Sequence[bytes]) -> bytes:
    return described(code, sequence(parts))


def map_section(code: int, parts: Sequence[bytes]) -> bytes:
    return described(code, mapping(parts))


def text(value: Any) -> Any:
    """Binary that is text as text: the Python client sends on what it received so."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


def key_of(raw: bytes) -> str:
    """The text of an encoded string or symbol."""
    return str(text(decode(raw)[0]))


def seconds(value: float) -> bytes:
    """A moment in seconds since the epoch as a timestamp."""
    return _timestamp(int(value * 1000))


def header(durable: bool | None, priority: int | None, ttl: float | None, deliveries: int) -> bytes:
    """The header of a delivery; `ttl` in seconds."""
    milliseconds = NULL if ttl is None else b"\x70" + _U32(min(4_294_967_295, max(0, int(ttl * 1000))))
    return described(
        HEADER,
        sequence([
            NULL if durable is None else boolean(durable),
            NULL if priority is None else bytes((0x50, priority)),
            milliseconds,
            NULL,
            b"\x70" + _U32(deliveries),
        ]),
    )  # fmt: skip


def delivery_annotations(token: uuid.UUID | None, own: Sequence[bytes]) -> bytes:
    """Those of a delivery: the lock's token, and what the sender gave, encoded."""
    if not own:
        return _NO_TOKEN if token is None else _LOCK_TOKEN + token.bytes
    locked = [] if token is None else [symbol("x-opt-lock-token"), b"\x98" + token.bytes]
    return described(DELIVERY_ANNOTATIONS, mapping([*locked, *own]))


def response(correlation_id: Any, application: Mapping[str, Any], value: Any) -> bytes:
    """A management answer: status in the application properties, the body as a value."""
    properties = described(PROPERTIES, sequence([*(NULL,) * 5, encode(correlation_id)]))
    told = described(APPLICATION, mapping([part for k, v in application.items() for part in (string(k), encode(v))]))
    return properties + told + described(VALUE, encode(value))


def status(number: int) -> Int32:
    """A status in an answer: clients read an int."""
    return Int32(number)
