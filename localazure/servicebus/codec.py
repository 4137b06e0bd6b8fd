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
PROPERTIES, APPLICATION = 0x73, 0x74
_DATA, _SEQUENCE, _AMQP_VALUE = 0x75, 0x76, 0x77
PROPERTY_NAMES = (
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
        if code == PROPERTIES:
            properties = dict(zip(PROPERTY_NAMES, map(text, decoded), strict=False))
        elif code == APPLICATION:
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
    _described(out, PROPERTIES, _typed(AMQPTypes.list, [None, None, None, None, None, identifier]))
    pairs = [(_typed(AMQPTypes.string, name), item) for name, item in application.items()]
    _described(out, APPLICATION, _typed(AMQPTypes.map, pairs))
    _described(out, _AMQP_VALUE, value)
    return bytes(out)


def sections(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The sections of a message as they are: code and bytes."""
    for code, raw, _ in _sections(memoryview(content)):
        yield code, bytes(raw)


def elements(section: bytes) -> list[bytes]:
    """What a section's list or map is made of, each element with its constructor; a map's are key, value, key, value.

    Raises ValueError for a section that is neither.
    """
    decoders: Any = _decode._DECODE_BY_CONSTRUCTOR
    view = memoryview(section)
    view, _ = decoders[view[1]](view[2:])
    widths = {0x45: 0, 0xC0: 1, 0xC1: 1, 0xD0: 4, 0xD1: 4}
    if view[0] not in widths:
        raise ValueError(f"a message section is no list and no map, but {view[0]:#x}")
    width = widths[view[0]]
    rest, found = view[1 + 2 * width :], []
    while width and rest:
        after, _ = decoders[rest[0]](rest[1:])
        found.append(bytes(rest[: len(rest) - len(after)]))
        rest = after
    return found


def section(code: int, constructor: int, parts: Sequence[bytes]) -> bytes:
    """A section that holds a list (constructor 0xD0) or a map (0xD1) of elements that are encoded already."""
    body = len(parts).to_bytes(4, "big") + b"".join(parts)
    return bytes((0, 0x53, code, constructor)) + len(body).to_bytes(4, "big") + body


def element(value: Any) -> bytes:
    """A value of the rule language, encoded: numbers are longs or doubles."""
    out = bytearray()
    if value is None:
        _encode.encode_value(out, _typed(AMQPTypes.null, None))
    elif isinstance(value, bool):
        _encode.encode_value(out, _typed(AMQPTypes.boolean, value))
    else:
        kinds = {int: AMQPTypes.long, float: AMQPTypes.double, uuid.UUID: AMQPTypes.uuid, bytes: AMQPTypes.binary}
        _encode.encode_value(out, _typed(kinds.get(type(value), AMQPTypes.string), value))
    return bytes(out)


def key_of(raw: bytes) -> str:
    """The text of an encoded string or symbol."""
    decoders: Any = _decode._DECODE_BY_CONSTRUCTOR
    return str(text(decoders[raw[0]](memoryview(raw)[1:])[1]))


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
