"""Queries of @azure/cosmos over all partitions: its own merging, by the plans it is given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localazure.cosmos import EMULATOR_KEY, PART
from localazure.part import Config
from localazure.testing import serving
from tests.conformance.javascript.node import Results, probes, run

SCRIPT = "cosmos_queries.mjs"


@pytest.fixture(scope="module", params=["1", "4"], ids=["one-range", "four-ranges"])
def results(request: pytest.FixtureRequest) -> Iterator[Results]:
    with serving(PART, Config(options={"ranges": request.param})) as server:
        yield run(SCRIPT, {"COSMOS_URL": server.url, "COSMOS_KEY": EMULATOR_KEY})


@pytest.mark.parametrize("probe", probes(SCRIPT))
def test_the_javascript_client_merges(results: Results, probe: str) -> None:
    results.check(probe)
