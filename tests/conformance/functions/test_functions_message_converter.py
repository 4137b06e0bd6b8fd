"""The short way for a message's times gives what the package's converter gives."""

from __future__ import annotations

from typing import Any

import pytest
from azure.functions.meta import Datum
from azure.functions.servicebus import ServiceBusMessageInConverter
from hypothesis import given
from hypothesis import strategies as st

from localazure.functions.message_converter import MessageConverter

_TIMES = (
    st.datetimes().map(lambda moment: moment.isoformat())
    | st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,8})?(Z|\+00:00)?\Z")
    | st.text(max_size=30)
)


def _decoded(converter: Any, text: str) -> Any:
    metadata = {"EnqueuedTimeUtc": Datum(text, "string"), "UserProperties": Datum("{}", "json")}
    try:
        return converter.decode(Datum("", "string"), trigger_metadata=metadata).enqueued_time_utc
    except Exception as exc:
        return type(exc), str(exc)


@given(_TIMES)
def test_a_time_is_read_as_the_package_reads_it(text: str) -> None:
    assert _decoded(MessageConverter, text) == _decoded(ServiceBusMessageInConverter, text)


@pytest.mark.parametrize("text", ["2026-11-26T16:51:52.68", "2026-11-26T16:51:52", "2026-02-30T00:00:00"])
def test_a_time_without_an_offset_is_read_as_the_package_reads_it(text: str) -> None:
    assert _decoded(MessageConverter, text) == _decoded(ServiceBusMessageInConverter, text)
