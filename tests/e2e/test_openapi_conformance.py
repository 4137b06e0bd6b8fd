"""Requests made up from the API's document, by the thousand, through the gateway: the answers are what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from scripts.declared import operations
from shared.web.operation import Operation
from tests.e2e.conftest import System, started

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
EXAMPLES = 80
"""Requests for each operation."""
LIMITS = '{"internal-calls-per-minute": "1000000", "internal-calls-per-week": "100000000"}'
_asked: Counter[str] = Counter()


@pytest.fixture(scope="module")
def own_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that may be filled with nonsense."""
    with started(tmp_path_factory.mktemp("nonsense"), "--set", f"apim.values={LIMITS}") as running:
        yield running


@pytest.fixture(scope="module")
def api(own_system: System) -> Any:
    return schemathesis.openapi.from_url(f"{own_system.addresses['apim']}/openapi.json")


@pytest.fixture(scope="module")
def headers(own_system: System) -> dict[str, str]:
    """Staff may do everything, so that requests get as far as they can."""
    answer = requests.post(f"{own_system.addresses['entra']}/_local/tokens", json={"account": "staff"}, timeout=10)
    token = answer.json()["access_token"]
    return {"Authorization": f"Bearer {token}", "Ocp-Apim-Subscription-Key": "local-back-office-primary"}


@pytest.mark.parametrize("declared", operations(), ids=lambda operation: operation.id)
def test_answers_are_as_documented(api: Any, headers: dict[str, str], declared: Operation) -> None:
    operation = api[declared.path][declared.method]

    @settings(
        max_examples=EXAMPLES // 2,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        _asked[declared.id] += 1
        case.call_and_validate(headers=headers, checks=CHECKS)

    for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
        given(case=operation.as_strategy(generation_mode=mode))(ask)()


def test_enough_was_asked() -> None:
    print(f"{sum(_asked.values())} requests: {dict(_asked)}")
    assert sum(_asked.values()) >= 2_000
