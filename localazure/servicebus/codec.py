"""AMQP 1.0 on the wire, by the codec that the official client ships; this is the only module that touches it.

A message's bare content (properties, application properties, body) is kept byte for byte; the sections in front of
it, header and annotations, are the broker's to write.
Source: AMQP 1.0 (OASIS), parts 1 to 3; the source of azure-servicebus 7.15, `_pyamqp`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from azure.servicebus._pyamqp import _decode, _encode, endpoints, outcomes, performatives
from azure.servicebus._pyamqp.error import AMQPError
from azure.servicebus._pyamqp.types import TYPE, VALUE, AMQPTypes

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
SASL_INIT = 0x41
AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"
BATCH_FORMAT = 0x80013700

_HEADER, _DELIVERY_ANNOTATIONS, _ANNOTATIONS = 0x70, 0x71, 0x72
_PROPERTIES, _APPLICATION, _DATA, _SEQUENCE, _AMQP_VALUE = 0x73, 0x74, 0x75, 0x76, 0x77
_PROPERTY_NAMES = (
    "MessageId", "UserId", "To", "Label", "ReplyTo", "CorrelationId", "ContentType", "ContentEncoding",
    "ExpiresAt", "CreationTime", "SessionId", "GroupSequence", "ReplyToSessionId",
)  # fmt: skip


class Parsed(NamedTuple):
    """A message taken apart. `content` is what follows header and annotations."""

    content: bytes
    header: Sequence[Any]
    annotations: dict[str, Any]
    properties: dict[str, Any]
    application: dict[str, Any]
    data: list[bytes]
    value: Any


def decode_frame(frame: memoryview) -> tuple[int, list[Any]]:
    """A performative's code and fields; `frame` begins behind the frame header."""
    code, fields = _decode.decode_frame(frame)
    return int(code), list(fields)


def encode_frame(performative: Any, kind: bytes = b"\x00") -> bytes:
    """A whole frame. `kind` 1 is SASL's. The channel is 0: see `with_channel`."""
    # the client's codec leaves the channel to its transport
    header, body = _encode.encode_frame(performative)
    return header[:5] + kind + b"\x00\x00" + bytes(body or b"")


def with_channel(frame: bytes, channel: int) -> bytes:
    """The same frame on another channel."""
    return frame[:6] + channel.to_bytes(2, "big") + frame[8:]


def sasl_mechanisms() -> bytes:
    return encode_frame(performatives.SASLMechanism(sasl_server_mechanisms=[b"ANONYMOUS", b"MSSBCBS"]), b"\x01")


def sasl_ok() -> bytes:
    return encode_frame(performatives.SASLOutcome(code=0, additional_data=None), b"\x01")


def open_(container: str, idle_timeout: int) -> bytes:
    return encode_frame(
        performatives.OpenFrame(container, None, 1_048_576, 65_535, idle_timeout, None, None, None, None, None)
    )


def begin(remote_channel: int, window: int) -> bytes:
    return encode_frame(performatives.BeginFrame(remote_channel, 1, window, window, 4_294_967_295, None, None, None))


def attach(
    name: Any, handle: int, receiver: bool, modes: tuple[int, int], source: Any, target: Any, largest: int,
    properties: Mapping[bytes, Any] | None = None,
) -> bytes:  # fmt: skip
    """Source and target are those that the client asked for, as it encoded them, so that it finds them again."""
    return encode_frame(
        performatives.AttachFrame(
            name, handle, receiver, *modes, source, target, None, None, 0, largest, None, None, properties
        )
    )


def source_of(fields: Sequence[Any] | None, filters: Mapping[Any, Any] | None = None) -> Any:
    """A source as it is sent back; `filters` replaces its filter set."""
    if fields is None:
        return None
    values = [*fields, *[None] * (11 - len(fields))]
    values[7] = None if filters is None else dict(filters)
    values[8:10] = [None, None]
    return endpoints.Source(*values)


def target_of(fields: Sequence[Any] | None) -> Any:
    return None if fields is None else endpoints.Target(*fields, *[None] * (7 - len(fields)))


def flow(session: tuple[int, int, int, int], link: tuple[int, int, int] | None, drain: bool = False) -> bytes:
    """`session`: next incoming id and window, next outgoing id and window; `link`: handle, count, credit."""
    handle, count, credit = link or (None, None, None)
    return encode_frame(performatives.FlowFrame(*session, handle, count, credit, None, drain, False, None))


def transfer(handle: int, delivery_id: int | None, tag: bytes, settled: bool, more: bool, payload: bytes) -> bytes:
    return encode_frame(
        performatives.TransferFrame(
            handle, delivery_id, tag, 0 if delivery_id is not None else None, settled, more, None, None, None, None,
            None, payload,
        )
    )  # fmt: skip


def disposition(sender: bool, first: int, last: int, state: Any) -> bytes:
    return encode_frame(performatives.DispositionFrame(not sender, first, last, True, state, False))


def detach(handle: int, error: tuple[str, str] | None = None) -> bytes:
    return encode_frame(performatives.DetachFrame(handle, True, _error(error)))


def end() -> bytes:
    return encode_frame(performatives.EndFrame(None))


def close(error: tuple[str, str] | None = None) -> bytes:
    return encode_frame(performatives.CloseFrame(_error(error)))


def accepted() -> Any:
    return outcomes.Accepted()


def rejected(condition: str | None = None, description: str | None = None) -> Any:
    return outcomes.Rejected(error=None if condition is None else _error((condition, description or "")))


def modified(failed: bool, undeliverable: bool) -> Any:
    return outcomes.Modified(failed, undeliverable, None)


def released() -> Any:
    return outcomes.Released()


def _error(error: tuple[str, str] | None) -> Any:
    return None if error is None else AMQPError(condition=error[0].encode(), description=error[1], info=None)


def parse(message: bytes) -> Parsed:
    """Raises ValueError or IndexError for what is no AMQP message."""
    view = memoryview(message)
    header: Sequence[Any] = ()
    annotations: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    application: dict[str, Any] = {}
    data: list[bytes] = []
    value: Any = None
    content = bytearray()
    for code, raw, decoded in _sections(view):
        if code == _HEADER:
            header = decoded
        elif code == _ANNOTATIONS:
            annotations = {text(name): item for name, item in (decoded or {}).items()}
        elif code != _DELIVERY_ANNOTATIONS:
            content += raw
        if code == _PROPERTIES:
            properties = dict(zip(_PROPERTY_NAMES, map(text, decoded), strict=False))
        elif code == _APPLICATION:
            application = {text(name): text(item) for name, item in (decoded or {}).items()}
        elif code == _DATA:
            data.append(bytes(decoded))
        elif code == _AMQP_VALUE:
            value = decoded
    return Parsed(bytes(content), header, annotations, properties, application, data, value)


def _sections(view: memoryview) -> Iterator[tuple[int, memoryview, Any]]:
    decoders: Any = _decode._DECODE_BY_CONSTRUCTOR
    while view:
        if view[0] != 0:
            raise ValueError("a message section does not begin with a described type")
        rest, code = decoders[view[1]](view[2:])
        rest, decoded = decoders[rest[0]](rest[1:])
        yield int(code), view[: len(view) - len(rest)], decoded
        view = rest


def text(value: Any) -> Any:
    """Strings and symbols as str; what is no text stays as it is."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


def message(content: bytes, deliveries: int, annotations: Mapping[str, Any], ttl: float | None) -> bytes:
    """A message to be delivered: header and annotations in front of the content."""
    out = bytearray()
    milliseconds = None if ttl is None else min(4_294_967_295, max(0, int(ttl * 1000)))
    fields = [None, None, None if milliseconds is None else _typed(AMQPTypes.uint, milliseconds), None,
              _typed(AMQPTypes.uint, deliveries)]  # fmt: skip
    _described(out, _HEADER, _typed(AMQPTypes.list, fields))
    if annotations:
        pairs = [(_typed(AMQPTypes.symbol, name), value) for name, value in annotations.items()]
        _described(out, _ANNOTATIONS, _typed(AMQPTypes.map, pairs))
    return bytes(out) + content


def response(correlation_id: Any, application: Mapping[str, Any], value: Any) -> bytes:
    """A management answer: status in the application properties, the body as a value."""
    out = bytearray()
    kind = AMQPTypes.uuid if isinstance(correlation_id, uuid.UUID) else AMQPTypes.string
    identifier = None if correlation_id is None else _typed(kind, correlation_id)
    _described(out, _PROPERTIES, _typed(AMQPTypes.list, [None, None, None, None, None, identifier]))
    pairs = [(_typed(AMQPTypes.string, name), item) for name, item in application.items()]
    _described(out, _APPLICATION, _typed(AMQPTypes.map, pairs))
    _described(out, _AMQP_VALUE, value)
    return bytes(out)


def with_dead_letter_properties(content: bytes, reason: str | None, description: str | None) -> bytes:
    """The content with DeadLetterReason and DeadLetterErrorDescription among its application properties."""
    added = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
    pairs: list[tuple[Any, Any]] = [
        (_typed(AMQPTypes.string, name), _typed(AMQPTypes.string, value))
        for name, value in added.items()
        if value is not None
    ]
    out, done = bytearray(), False
    for code, raw, decoded in _sections(memoryview(content)):
        if code == _APPLICATION:
            kept = [(name, item) for name, item in (decoded or {}).items() if text(name) not in added]
            _described(out, _APPLICATION, _typed(AMQPTypes.map, [*((string(text(n)), v) for n, v in kept), *pairs]))
            done = True
            continue
        if code > _APPLICATION and not done:
            _described(out, _APPLICATION, _typed(AMQPTypes.map, pairs))
            done = True
        out += raw
    return bytes(out)


def timestamp(seconds: float) -> Any:
    return _typed(AMQPTypes.timestamp, int(seconds * 1000))


def long(value: int) -> Any:
    return _typed(AMQPTypes.long, value)


def integer(value: int) -> Any:
    return _typed(AMQPTypes.int, value)


def string(value: str) -> Any:
    return _typed(AMQPTypes.string, value)


def symbol(value: str) -> Any:
    return _typed(AMQPTypes.symbol, value)


def uuid_(value: uuid.UUID) -> Any:
    return _typed(AMQPTypes.uuid, value)


def binary(value: bytes) -> Any:
    return _typed(AMQPTypes.binary, value)


def list_(values: Sequence[Any]) -> Any:
    return _typed(AMQPTypes.list, list(values))


def array(values: Sequence[Any]) -> Any:
    return _typed(AMQPTypes.array, list(values))


def map_(values: Mapping[str, Any]) -> Any:
    return _typed(AMQPTypes.map, [(string(name), value) for name, value in values.items()])


def _typed(kind: Any, value: Any) -> dict[str, Any]:
    return {TYPE: kind, VALUE: value}


def _described(out: bytearray, code: int, value: Any) -> None:
    _encode.encode_value(out, _typed(AMQPTypes.described, (_typed(AMQPTypes.ulong, code), value)))
