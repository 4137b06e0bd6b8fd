"""`make trigger`: each story ends as its name says, and the books stand as they should then."""

from __future__ import annotations

import asyncio
import os
import re
import sys

import pytest

from scripts.trigger import STORIES
from tests.e2e.conftest import ROOT, Stocked, System

HOLDS_NOTHING = "the provider has 1 payment of this order, 0 held, 0 captured; the shelf holds 0 pieces back"
SOLD = r"the provider has 1 payment of this order, 0 held, [1-9]\d* captured; the shelf holds 0 pieces back"
ENDS = {
    "confirmed": ("CONFIRMED", SOLD),
    "declined": (r"CANCELLED \(payment_declined\)", HOLDS_NOTHING),
    "out_of_stock": (r"CANCELLED \(out_of_stock\)", HOLDS_NOTHING),
    "cancelled": (r"CANCELLED \(customer_request\)", HOLDS_NOTHING),
    "refunded": (r"CONFIRMED.*REFUNDED (\d+) of \1 pence", SOLD),
    "silent_provider": ("CONFIRMED", SOLD),
    "timed_out": (r"CANCELLED \(timed_out\)", "0 held, 0 captured; the shelf holds 0 pieces back"),
    "duplicate": ("three requests, 1 order.*CONFIRMED", SOLD),
    "poison": ("CONFIRMED.*MaxDeliveryCountExceeded", SOLD),
}


@pytest.mark.parametrize("story", STORIES)
async def test_a_story_ends_as_it_says(story: str, system: System, stocked: Stocked) -> None:
    await stocked(300, 50)
    command = [sys.executable, "-m", "scripts.trigger", story]
    environment = {**os.environ, "LOCALAZURE_STATE": str(system.state), "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    for words in ENDS[story]:
        assert re.search(words, said, re.DOTALL), said
