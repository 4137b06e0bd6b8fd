"""JSON as Newtonsoft.Json has it: which strings are dates, what is written in their place, and what is read at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.functions.dates import dates_rewritten
from localazure.newtonsoft import read

_DATES = st.datetimes().map(lambda moment: moment.isoformat())
_ZONES = st.sampled_from(["", "Z", "z", "+00:00", "-05:30", "+0200", "+14"])
_TEXTS = (
    st.text()
    | st.builds(str.__add__, _DATES, _ZONES)
    | st.sampled_from(['"2026-01-01T00:00:00.10Z', "\\", "/Date(1)/"])
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)


def _again(value: Any) -> Any:
    """The same, each string by itself."""
    if isinstance(value, str):
        return json.loads(dates_rewritten(json.dumps(value)))
    if isinstance(value, list):
        return [_again(item) for item in value]
    return {name: _again(item) for name, item in value.items()} if isinstance(value, dict) else value


@given(_VALUES)
def test_strings_that_are_dates_change_and_nothing_else_does(value: Any) -> None:
    assert json.loads(dates_rewritten(json.dumps(value))) == _again(value)


@given(_VALUES)
def test_what_was_written_again_stays_as_it_is(value: Any) -> None:
    text = dates_rewritten(json.dumps(value))
    assert dates_rewritten(text) == text


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("2026-01-01T00:00:00.1230000z", "2026-01-01T00:00:00.123Z"),
        ("2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00.1234567Z"),
        ("2026-01-01T00:00:00.12345678", "2026-01-01T00:00:00.12345678"),
        ("2026-01-01T00:00:00.123456789", "2026-01-01T00:00:00.1234567"),  # two digits more are taken for minutes
        ("2026-01-01T23:59:60Z", "2026-01-01T23:59:60Z"),
        ("2026-01-01T24:00:01Z", "2026-01-01T24:00:01Z"),
        ("2026-02-29T00:00:00.0Z", "2026-02-29T00:00:00.0Z"),
        ("0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59+00:00"),
        ("2026-01-01T00:00:00+2", "2026-01-01T00:00:00+2"),
        ("/Date(-1500)/", "1969-12-31T23:59:58.5Z"),
        ("/Date(0+0200)/", "1970-01-01T00:00:00+00:00"),
        ("/Date(999999999999999999)/", "/Date(999999999999999999)/"),
        ("/Date(x)/", "/Date(x)/"),
    ],
)
def test_a_date_is_written_again(text: str, again: str) -> None:
    assert json.loads(dates_rewritten(json.dumps([text]))) == [again]


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("2026-01-01T00:00:00.120Z", "2026-01-01T00:00:00.12+00:00"),
        ("2026-01-01T00:00:00.100-05:30", "2026-01-01T00:00:00.1-05:30"),
        ("2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00"),
    ],
)
def test_a_date_keeps_its_offset_where_the_reader_asks_for_one(text: str, again: str) -> None:
    assert json.loads(dates_rewritten(json.dumps([text]), keep_offsets=True)) == [again]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'a': 'it\\'s \"so\"', }", {"a": 'it\'s "so"'}),
        ("{a: [1, 2,], /* , */ $b_1: {} // end\n}", {"a": [1, 2], "$b_1": {}}),
        ('{"a": "/* no */ // comment, }"}', {"a": "/* no */ // comment, }"}),
    ],
)
def test_more_than_json_is_read(text: str, value: Any) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    "text", ["", "{", "{a b}", "{'a': 1", "[1 2]", "[" * 100_000, "{" + '"\\"' * 50_000, "{/*" * 50_000]
)
def test_what_is_neither_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)


@given(_VALUES)
def test_json_is_read_as_json(value: Any) -> None:
    assert read(json.dumps(value)) == value
