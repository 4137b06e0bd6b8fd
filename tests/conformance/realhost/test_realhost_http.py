"""The recorded HTTP requests, with and without keys, sent to this project's host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .comparing import compare, load
from .hosting import hosting

_TO_COME = "not as there yet"
DIFFERENT: dict[str, str] = {
    "method-TRACE-001": _TO_COME,
    "method-CONNECT-001": _TO_COME,
    "method-FOO-001": _TO_COME,
    "method-only-FOO-001": _TO_COME,
    "method-get-001": _TO_COME,
    "method-only-get-001": _TO_COME,
    "path-root-001": _TO_COME,
    "path-echofrag-001": _TO_COME,
    "path-echo-query-002": _TO_COME,
    "path-echo-query-003": _TO_COME,
    "path-echo-query-013": _TO_COME,
    "path-seg-010": _TO_COME,
    "path-seg-014": _TO_COME,
    "path-seg-016": _TO_COME,
    "path-seg-017": _TO_COME,
    "path-seg-022": _TO_COME,
    "path-seg-023": _TO_COME,
    "path-seg-027": _TO_COME,
    "path-seg-028": _TO_COME,
    "path-seg-029": _TO_COME,
    "path-rest-002": _TO_COME,
    "path-rest-005": _TO_COME,
    "path-long-002": _TO_COME,
    "path-bool-006": _TO_COME,
    "path-guid-002": _TO_COME,
    "path-guid-003": _TO_COME,
    "path-guid-004": _TO_COME,
    "out-204-001": _TO_COME,
    "out-204body-001": _TO_COME,
    "out-418-001": _TO_COME,
    "out-cookie-001": _TO_COME,
    "out-cookiedict-001": _TO_COME,
    "out-nonascii-001": _TO_COME,
    "gzip-001": _TO_COME,
    "expect-001": _TO_COME,
    "nohost-001": _TO_COME,
    "header-026": _TO_COME,
    "admin-003": _TO_COME,
    "admin-004": _TO_COME,
    "admin-005": _TO_COME,
    "admin-008": _TO_COME,
    "admin-010": _TO_COME,
    "admin-013": _TO_COME,
    "admin-015": _TO_COME,
    "admin-post-001": _TO_COME,
    "admin-ping-post-001": _TO_COME,
    "api_k_function-h-master-001": _TO_COME,
    "api_k_function-h-function-001": _TO_COME,
    "api_k_function-both-001": _TO_COME,
    "api_k_function-CODE-001": _TO_COME,
    "api_k_function-clientid2-001": _TO_COME,
    "api_k_admin-q-master-001": _TO_COME,
    "api_k_admin-q-case-001": _TO_COME,
    "api_echo-q-empty-001": _TO_COME,
    "admin-m-001": _TO_COME,
    "admin-f-001": _TO_COME,
    "admin-m-002": _TO_COME,
    "admin-f-002": _TO_COME,
    "admin-f-003": _TO_COME,
    "admin-f-005": _TO_COME,
    "admin-m-006": _TO_COME,
    "admin-f-006": _TO_COME,
    "admin-m-007": _TO_COME,
    "admin-f-007": _TO_COME,
    "admin-f-008": _TO_COME,
    "admin-m-009": _TO_COME,
    "admin-f-011": _TO_COME,
    "admin-m-013": _TO_COME,
    "admin-f-013": _TO_COME,
    "admin-m-015": _TO_COME,
    "admin-f-015": _TO_COME,
    "admin-f-016": _TO_COME,
    "admin-run-001": _TO_COME,
    "admin-run-none-001": _TO_COME,
    "admin-run-badjson-001": _TO_COME,
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
