"""@azure/service-bus, the official JavaScript client, beside the Python one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from localazure.servicebus import PART
from localazure.servicebus.wire import ServiceBusServer
from localazure.testing import serving
from tests.conformance.javascript.node import Results, probes, run

SCRIPT = "servicebus.mjs"


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    with serving(PART) as started:
        server = cast(ServiceBusServer, started)
        yield run(
            SCRIPT,
            {
                "SERVICEBUS": server.connection_string,
                "SERVICEBUS_TLS": server.connection_string.replace(";UseDevelopmentEmulator=true", ""),
                "NODE_EXTRA_CA_CERTS": str(server.certificate),
            },
        )


@pytest.mark.parametrize("probe", probes(SCRIPT))
def test_the_javascript_client(results: Results, probe: str) -> None:
    results.check(probe)
