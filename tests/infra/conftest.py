"""The templates, evaluated once a run for each environment."""

from __future__ import annotations

import pytest

from tests.infra import compiler
from tests.infra.compiler import ENVIRONMENTS, Deployment


@pytest.fixture(scope="session")
def bicep() -> None:
    """Skips where there is no compiler, and says so."""
    if compiler.find() is None:
        pytest.skip(compiler.MISSING)


@pytest.fixture(scope="session")
def deployments(bicep: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Deployment]:
    """Environment → what its deployment would make."""
    folder = compiler.copy(tmp_path_factory.mktemp("deployment"))
    return {name: compiler.deployment(folder, name) for name in ENVIRONMENTS}


@pytest.fixture(params=ENVIRONMENTS)
def made(request: pytest.FixtureRequest, deployments: dict[str, Deployment]) -> Deployment:
    """What the deployment of one environment would make."""
    return deployments[request.param]
