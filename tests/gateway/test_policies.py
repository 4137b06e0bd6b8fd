"""Every promise of the gateway's policies, kept by the policies as they are deployed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.gateway.promises import CASES
from tests.gateway.world import World

Run = Callable[[Callable[[World], Awaitable[Any]]], Any]


@pytest.mark.parametrize("name", CASES)
def test_policy(run: Run, name: str) -> None:
    run(CASES[name])
