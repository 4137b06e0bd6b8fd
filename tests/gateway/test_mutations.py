"""No element of the policies is there for nothing: leave any one out, and a promise breaks."""

from __future__ import annotations

import asyncio

from tests.gateway.mutations import judge, mutants


def test_every_policy_element_is_missed() -> None:
    fates = asyncio.run(judge(list(mutants())))
    assert len(fates) > 300
    assert [str(fate.mutant) for fate in fates if fate.noticed_by is None] == []
