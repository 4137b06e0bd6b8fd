"""Frames: a performative in a header, and what follows it.

The fields of what is sent are written in full, because clients read trailing ones by their place.
Source: AMQP 1.0 (OASIS), part 2.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from localazure.servicebus.amqp.decode import decode, elements, exact
from localazure.servicebus.amqp.encode import (
    FALSE,
    NULL,
    TRUE,
    binary,
    boolean,
    described,
    encode,
    mapping,
    sequence,
    string,
    symbol,
    uint,
)
from localazure.servicebus.amqp.types import DecodeError, Described

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
SASL_MECHANISMS, SASL_INIT, SASL_OUTCOME = 0x40, 0x41, 0x44
RECEIVED, ACCEPTED, REJECTED, RELEASED, MODIFIED = range(0x23, 0x28)
SOURCE, TARGET, ERROR = 0x28, 0x29, 0x1D
COORDINATOR, DECLARE, DISCHARGE, DECLARED, TRANSACTIONAL = range(0x30, 0x35)
AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
EMPTY = b"\x00\x00\x00\x08\x02\x00\x00\x00"
_FIELDS = 14
"""As many as the longest performative has; those that are left out are `None`."""
_PADDING = (None,) * _FIELDS
_HEAD = struct.Struct(">IBBH").pack
_ACCEPTED = b"\x00\x53\x24\x45"
_RELEASED = b"\x00\x53\x26\x45"


class Frame(NamedTuple):
    """What a client sent. `body` is the whole frame behind its header, `payload` what follows the performative."""

    channel: int
    code: int
    fields: list[Any]
    payload: bytes
    body: bytes

    def raw(self, index: int) -> bytes:
        """One field as it came; null if it was left out."""
        _, at = decode(self.body, 1)
        found = elements(self.body, at)
        return found[index] if index < len(found) else NULL

    def exactly(self, index: int) -> Any:
        """One field with every number in its own type."""
        return exact(self.raw(index))[0]


def read(channel: int, body: bytes) -> Frame:
    """Raises DecodeError."""
    found, end = decode(body)
    if not isinstance(found, Described) or not isinstance(found.value, list) or not isinstance(found.descriptor, int):
        raise DecodeError("a frame without a performative")
    fields = found.value
    fields.extend(_PADDING[len(fields) :])
    return Frame(channel, found.descriptor, fields, body[end:], body)


def frame(channel: int, code: int, fields: Sequence[bytes], payload: bytes = b"", kind: int = 0) -> bytes:
    """`fields` are encoded already."""
    body = b"\x00\x53" + bytes((code,)) + sequence(fields)
    return _HEAD(8 + len(body) + len(payload), 2, kind, channel) + body + payload


def sasl_mechanisms() -> bytes:
    names = (b"ANONYMOUS", b"MSSBCBS")
    body = b"\xa3" + b"".join(bytes((len(name),)) + name for name in names)
    array = b"\xf0" + struct.pack(">II", len(body) + 4, len(names)) + body
    return frame(0, SASL_MECHANISMS, [array], kind=1)


def sasl_ok() -> bytes:
    return frame(0, SASL_OUTCOME, [b"\x50\x00", NULL], kind=1)


def open_(container: str, largest_frame: int, last_channel: int, idle_timeout: int) -> bytes:
    fields = [string(container), NULL, uint(largest_frame), b"\x60" + struct.pack(">H", last_channel)]
    return frame(0, OPEN, [*fields, uint(idle_timeout), *(NULL,) * 5])


def begin(channel: int, outgoing: int, window: int, last_handle: int) -> bytes:
    fields = [b"\x60" + struct.pack(">H", channel), uint(outgoing), uint(window), uint(window), uint(last_handle)]
    return frame(channel, BEGIN, [*fields, NULL, NULL, NULL])


def attach(
    channel: int, name: bytes, handle: int, receiver: bool, modes: tuple[int, int], source: bytes, target: bytes,
    largest: int, properties: Mapping[str, Any] | None = None,
) -> bytes:  # fmt: skip
    """`name`, `source` and `target` are encoded already: they are those of the client, which finds them again so."""
    told = NULL if properties is None else symbols(properties)
    sender = NULL if receiver else uint(0)
    return frame(
        channel,
        ATTACH,
        [name, uint(handle), boolean(receiver), bytes((0x50, modes[0])), bytes((0x50, modes[1])), source, target,
         NULL, NULL, sender, b"\x80" + struct.pack(">Q", largest), NULL, NULL, told],
    )  # fmt: skip


def symbols(pairs: Mapping[str, Any]) -> bytes:
    """A map with symbols as keys."""
    return mapping([part for name, value in pairs.items() for part in (symbol(name), encode(value))])


def source(told: bytes, filters: Mapping[str, Any] | None = None) -> bytes:
    """A client's source as it is sent back: with the filters that hold, and without the outcomes it would take."""
    if told == NULL:
        return NULL
    _, at = decode(told, 1)
    fields = elements(told, at)[:11]
    fields += [NULL] * (11 - len(fields))
    fields[7] = NULL if filters is None else symbols(filters)
    fields[8] = fields[9] = NULL
    return described(SOURCE, sequence(fields))


def flow(
    channel: int, session: tuple[int, int, int, int], link: tuple[int, int, int] | None = None, drain: bool = False
) -> bytes:
    """`session`: next incoming id and window, next outgoing id and window; `link`: handle, count, credit."""
    told = [NULL, NULL, NULL, NULL, NULL] if link is None else [*map(uint, link), NULL, boolean(drain)]
    return frame(channel, FLOW, [*map(uint, session), *told, FALSE, NULL])


def transfer(
    channel: int, handle: int, delivery: int | None, tag: bytes, settled: bool, more: bool, payload: bytes
) -> bytes:
    """`delivery` is `None` for the later frames of a delivery."""
    number, layout = (NULL, NULL) if delivery is None else (uint(delivery), b"\x43")
    fields = [uint(handle), number, binary(tag), layout, TRUE if settled else FALSE, TRUE if more else FALSE]
    return frame(channel, TRANSFER, [*fields, NULL, NULL, NULL, NULL, NULL], payload)


def disposition(channel: int, sender: bool, delivery: int, state: bytes, settled: bool = True) -> bytes:
    """`sender`: whether the broker sent the delivery."""
    number = uint(delivery)
    return frame(
        channel, DISPOSITION, [FALSE if sender else TRUE, number, number, TRUE if settled else FALSE, state, FALSE]
    )


def detach(channel: int, handle: int, error: tuple[str, str] | None = None) -> bytes:
    return frame(channel, DETACH, [uint(handle), TRUE, _error(error)])


def end(channel: int, error: tuple[str, str] | None = None) -> bytes:
    return frame(channel, END, [_error(error)])


def close(error: tuple[str, str] | None = None) -> bytes:
    return frame(0, CLOSE, [_error(error)])


def accepted() -> bytes:
    return _ACCEPTED


def released() -> bytes:
    return _RELEASED


def rejected(error: tuple[str, str] | None = None) -> bytes:
    """Bare after a message was dead-lettered: an error that comes back is one for the client."""
    return described(REJECTED, sequence([_error(error)]))


def modified(failed: bool, undeliverable: bool) -> bytes:
    return described(MODIFIED, sequence([boolean(failed), boolean(undeliverable), NULL]))


def declared(transaction: bytes) -> bytes:
    return described(DECLARED, sequence([binary(transaction)]))


def transactional(transaction: bytes, outcome: bytes) -> bytes:
    return described(TRANSACTIONAL, sequence([binary(transaction), outcome]))


def _error(error: tuple[str, str] | None) -> bytes:
    if error is None:
        return NULL
    return described(ERROR, sequence([symbol(error[0]), string(error[1]), NULL]))
