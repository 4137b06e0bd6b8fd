"""The recorded HTTP requests, with and without keys, sent to this project's host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .comparing import compare, load
from .hosting import hosting

DIFFERENT = {
    "path-root-001": "the start page is another one: Microsoft's has 150 kB of fonts and pictures",
    "method-CONNECT-001": "a 2xx to CONNECT has no body here, as RFC 9110 says; Azure's front end lets no CONNECT pass",
}
"""Recordings that are answered differently here → why."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    with hosting("http", tmp_path_factory.mktemp("http")) as where:
        yield where


RECORDED = [recording for file in ("http.jsonl", "keys.jsonl") for recording in load(file)]


@pytest.mark.parametrize("recording", RECORDED, ids=lambda recording: recording["id"])
def test_a_recorded_request_is_answered_as_microsofts_host_did(
    recording: dict[str, Any], address: tuple[str, int]
) -> None:
    found = compare(recording, address)
    if recording["id"] in DIFFERENT:
        assert found, f"{recording['id']} agrees now and leaves the table"
    else:
        assert not found, "\n".join(map(str, found))
