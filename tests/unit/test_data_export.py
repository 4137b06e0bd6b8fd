"""What a service tells of a person: sealed for one reader, in parts that an event can carry, and of much the newest."""

from __future__ import annotations

import base64
import random
import string
import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import data_export
from shared.contracts.accounts import ExportStarted
from shared.contracts.event import make_event
from shared.data_export import Held, Unreadable
from shared.sealing import Broken, open_with, private_key, public_key, seal_for

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
LETTERS = string.ascii_letters + string.digits
STARTED = ExportStarted(export_id="exp_a", account_id="someone", key=public_key(KEY))
MAX_MESSAGE = 256 * 1024
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda values: st.lists(values) | st.dictionaries(st.text(string.ascii_lowercase), values),
    max_leaves=10,
)


def told(held: Held) -> tuple[list[str], Held]:
    parts = data_export.parts_of(STARTED, held, "tests")
    assert [(part.part, part.parts) for part in parts] == [(n + 1, len(parts)) for n in range(len(parts))]
    texts = [part.sealed for part in parts]
    return texts, data_export.opened("".join(texts), KEY)


def incompressible(seed: int) -> str:
    return base64.b64encode(random.Random(seed).randbytes(7_500)).decode()


@given(st.dictionaries(st.from_regex(r"[a-z]{1,40}", fullmatch=True), st.lists(JSON, max_size=5)), st.booleans())
def test_what_is_told_is_what_is_read(files: dict[str, list[Any]], complete: bool) -> None:
    held = Held(files, complete)
    assert told(held)[1] == held


@given(st.binary(max_size=2_000))
def test_only_the_reader_opens_what_is_sealed_for_them(data: bytes) -> None:
    sealed = seal_for(data, public_key(KEY))
    assert open_with(sealed, KEY) == data
    assert sealed != seal_for(data, public_key(KEY)), "two that are alike do not look alike"
    with pytest.raises(Broken):
        open_with(sealed, private_key())


@given(st.data())
def test_what_was_changed_is_not_opened(data: st.DataObject) -> None:
    sealed = seal_for(b"a person", public_key(KEY))
    place = data.draw(st.integers(0, len(sealed) - 1))
    # another letter than the one there, which is a different one each time: drawn as a distance from it
    other = LETTERS[(LETTERS.find(sealed[place]) + data.draw(st.integers(1, len(LETTERS) - 1))) % len(LETTERS)]
    changed = sealed[:place] + other + sealed[place + 1 :]
    try:
        assert open_with(changed, KEY) == b"a person", "unless only bits that stand for nothing are different"
    except Broken:
        return
    whole = [base64.urlsafe_b64decode(text) for text in sealed.split(".")]
    assert [base64.urlsafe_b64decode(text) for text in changed.split(".")] == whole


@pytest.mark.parametrize("key", ["", "a", "AAAA", base64.urlsafe_b64encode(bytes(32)).decode(), "ä" * 44])
def test_what_is_no_public_key_is_refused(key: str) -> None:
    with pytest.raises(Broken):
        seal_for(b"a", key)


@pytest.mark.parametrize("sealed", ["", ".", "a.b", f"{public_key(KEY)}.", f"{public_key(KEY)}.gAAAAA", "ä.ä"])
def test_what_was_never_sealed_is_refused(sealed: str) -> None:
    with pytest.raises(Broken):
        open_with(sealed, KEY)


def test_of_what_is_too_much_the_newest_is_told_in_parts_that_a_message_can_carry() -> None:
    items = [{"number": number, "text": incompressible(number)} for number in range(80)]
    texts, read = told(Held({"orders": items, "returns": items[:4]}))
    assert len(texts) <= data_export.MAX_PARTS
    assert not read.complete
    kept = len(read.files["orders"])
    assert 0 < kept < len(items) and read.files["orders"] == items[:kept]
    for part in data_export.parts_of(STARTED, Held({"orders": items}), "tests"):
        event = make_event(
            part, source="orders", subject="exp_a", version=part.part, time="2026-03-01T12:00:00.000Z",
            traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )  # fmt: skip
        assert len(msgspec.json.encode(event)) < MAX_MESSAGE - 64 * 1024


def test_several_parts_are_one_text() -> None:
    items = [incompressible(number) for number in range(15)]
    texts, read = told(Held({"orders": items}))
    assert len(texts) > 1 and read == Held({"orders": items})


def test_more_items_than_are_read_are_said_to_be_more() -> None:
    many = list(range(data_export.MAX_ITEMS + 1))
    assert data_export.held(a=many[:-1]) == Held({"a": many[:-1]})
    assert data_export.held(a=many, b=[]) == Held({"a": many[:-1], "b": []}, complete=False)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"no zlib",
        zlib.compress(b"no JSON"),
        zlib.compress(b'{"files":{"../up":[]}}'),
        zlib.compress(b'{"files":{}}')[:-4],
        zlib.compress(b'{"files":{"a":["' + b"a" * data_export.MAX_AMOUNT + b'"]}}'),
    ],
)
def test_what_was_not_packed_here_is_refused(packed: bytes) -> None:
    with pytest.raises(Unreadable):
        data_export.unpack(packed)
