"""AMQP values: read and written alike by the server's codec and by the tests' own; and bytes that are none."""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.servicebus.amqp import decode, encode, frames, message
from localazure.servicebus.amqp.types import (
    Array,
    Byte,
    Char,
    Decimal,
    DecodeError,
    Described,
    Float32,
    Int32,
    Short,
    Symbol,
    Timestamp,
    Ubyte,
    Uint,
    Ulong,
    Ushort,
)

from . import amqp

_TEXT = st.text(max_size=300)
_ASCII = st.text(st.characters(max_codepoint=127), max_size=300)
_PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), _TEXT,
    st.binary(max_size=300), st.uuids(), _ASCII.map(Symbol), st.integers(0, 255).map(Ubyte),
    st.integers(0, 2**16 - 1).map(Ushort), st.integers(0, 2**32 - 1).map(Uint), st.integers(0, 2**64 - 1).map(Ulong),
    st.integers(-128, 127).map(Byte), st.integers(-(2**15), 2**15 - 1).map(Short),
    st.integers(-(2**31), 2**31 - 1).map(Int32), st.floats(width=32, allow_nan=False).map(Float32),
    st.integers(-(2**63), 2**63 - 1).map(Timestamp), st.characters().map(Char),
    st.binary(min_size=16, max_size=16).map(lambda raw: Decimal(0x94, raw)),
)  # fmt: skip
_VALUES = st.recursive(
    _PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(_TEXT, inner, max_size=4),
        st.builds(Described, _ASCII.map(Symbol), inner),
        st.lists(st.uuids(), max_size=4).map(Array),
        st.lists(_TEXT, max_size=4).map(Array),
        st.lists(st.integers(0, 2**32 - 1).map(Uint), max_size=4).map(Array),
    ),
    max_leaves=12,
)


def typed(value: Any) -> Any:
    """A value with the types in it, because an int and a long are equal."""
    if isinstance(value, Described):
        return ("described", typed(value.descriptor), typed(value.value))
    if isinstance(value, list):
        return (type(value), [typed(item) for item in value])
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return (type(value), value)


@settings(deadline=None)
@given(_VALUES)
def test_every_value_is_read_as_it_was_written(value: Any) -> None:
    written = encode.encode(value)
    read, end = decode.exact(written)
    assert end == decode.skip(written, 0) == len(written)
    assert typed(read) == typed(value)
    assert encode.encode(read) == written


@settings(deadline=None)
@given(_VALUES)
def test_the_tests_own_decoder_reads_the_same(value: Any) -> None:
    def bare(value: Any) -> Any:
        if isinstance(value, Described):
            return amqp.Described(bare(value.descriptor), bare(value.value))
        if isinstance(value, list):
            return [bare(item) for item in value]
        if isinstance(value, dict):
            return {key: bare(item) for key, item in value.items()}
        return value

    def known(value: Any) -> bool:
        if isinstance(value, Described):
            return known(value.value)
        if isinstance(value, list | dict):
            return all(known(item) for item in (value.values() if isinstance(value, dict) else value))
        return not isinstance(value, Float32 | Char | Decimal)

    if known(value):
        assert amqp.decode(encode.encode(value)) == (bare(value), b"")


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=60), _VALUES.map(encode.encode)), st.integers(0, 60), st.binary(max_size=3))
def test_bytes_that_are_no_value_are_a_decode_error_and_nothing_else(data: bytes, at: int, put: bytes) -> None:
    spoilt = data[:at] + put + data[at + len(put) :]
    for read in (
        lambda: decode.decode(spoilt),
        lambda: decode.exact(spoilt),
        lambda: decode.skip(spoilt, 0),
        lambda: decode.elements(spoilt),
        lambda: message.parse(spoilt),
        lambda: message.parse(amqp.described(0x74, spoilt)),
        lambda: frames.read(0, amqp.described(0x12, spoilt)),
    ):
        with contextlib.suppress(DecodeError):
            read()


@pytest.mark.parametrize(
    "data",
    [
        b"\xd0\x00\x00\x00\x04\x00\x01\x00\x00",  # more elements than bytes
        b"\xf0\x00\x00\x00\x05\x00\x00\xff\xff\x40",  # 65,535 values that take none
        b"\xc0\x02\x01" * 100_000,
        b"\x00" * 100_000,
        b"\xc1\x03\x01\xa1\x00",
        b"\xa3\x01\xff",
        b"\x98\x00",
    ],
)
def test_a_client_cannot_make_much_of_little(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode.decode(data)


def test_what_amqp_has_no_type_for_is_not_written() -> None:
    with pytest.raises(TypeError):
        encode.encode(object())
    with pytest.raises(OverflowError):
        encode.encode(2**63)


def test_sections_are_put_in_order_and_stand_once() -> None:
    """The JavaScript client writes a footer before the body, the Python client delivery annotations behind it."""
    header, annotations = amqp.described(0x70, amqp.list_(amqp.TRUE)), amqp.described(0x71, amqp.map_())
    data = [amqp.described(0x75, amqp.binary(text)) for text in (b"x", b"y")]
    properties, footer = amqp.described(0x73, amqp.list_()), amqp.described(0x78, amqp.map_())
    found = message.parse(footer + data[0] + properties + data[1] + annotations + header)
    assert found.content == properties + data[0] + data[1] + footer
    assert (list(found.header), found.data) == ([True], [b"x", b"y"])
    with pytest.raises(DecodeError):
        message.parse(footer + data[0] + footer)


def test_a_frame_keeps_its_fields_as_they_came() -> None:
    identifier = uuid.uuid4()
    body = amqp.described(0x12, amqp.list_(amqp.string("n"), amqp.uint(5), amqp.guid(identifier), amqp.int32(5)))
    frame = frames.read(3, body + b"payload")
    assert (frame.channel, frame.code, frame.payload) == (3, 0x12, b"payload")
    assert (frame.raw(0), frame.raw(2), frame.raw(9)) == (amqp.string("n"), amqp.guid(identifier), amqp.NULL)
    assert (type(frame.exactly(1)), type(frame.exactly(3))) == (Uint, Int32)
    assert frame.fields[:5] == ["n", 5, identifier, 5, None]
