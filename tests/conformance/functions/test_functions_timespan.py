"""Spans of time in `host.json` and in attributes: as .NET reads and writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.functions.timespan import seconds
from localazure.functions.timespan import text as written


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("00:00:30", 30.0),
        ("1.00:00:01", 86_401.0),
        ("00:00:00.250", 0.25),
        ("24:00:00", 24 * 86_400.0),  # 24 is past the last hour: days, hours, minutes
        ("25:00:00", 25 * 86_400.0),
        ("23:59", 86_340.0),
        ("1.12:30", 131_400.0),
        ("7", 7 * 86_400.0),
        ("1:2:3:4", 93_784.0),
        (" -00:00:10 ", -10.0),
    ],
)
def test_a_time_span_is_read_as_dotnet_reads_it(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    "text", ["", "soon", "24:60:00", "00:61", "1.24:00:00", "7.5", "1:2:3:4:5", "00:00:00.12345678"]
)
def test_a_text_that_is_no_time_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="was not recognized as a valid TimeSpan"):
        seconds(text)


@given(ticks=st.integers(0, 10**14), negative=st.booleans())
def test_a_time_span_that_is_written_reads_the_same(ticks: int, negative: bool) -> None:
    length = ticks / 10**7 * (-1 if negative else 1)
    assert seconds(written(length)) == pytest.approx(length)
