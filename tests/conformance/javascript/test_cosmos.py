"""@azure/cosmos, the official JavaScript client, beside the Python one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localazure.cosmos import EMULATOR_KEY, PART
from localazure.testing import serving
from tests.conformance.javascript.node import Results, probes, run

SCRIPT = "cosmos.mjs"


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    with serving(PART) as server:
        yield run(SCRIPT, {"COSMOS_URL": server.url, "COSMOS_KEY": EMULATOR_KEY})


@pytest.mark.parametrize("probe", probes(SCRIPT))
def test_the_javascript_client(results: Results, probe: str) -> None:
    results.check(probe)
