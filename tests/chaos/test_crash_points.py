"""The functions host dies at every crash point in turn, while orders are under way, and nothing is lost or doubled.

At each point: the host is started with the order to crash there, stories are told (`scenarios.py`) until it is dead,
it is started again, and when everything is quiet the stores are audited. A few systems do this side by side, because
most of it is waiting for the locks that the dead host held.

CRASH_POINTS_DEPTH=n also crashes at the second to the n-th passing of each point, where there is one.
"""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from shared.faultpoints.table import POINTS
from shared.faultpoints.trap import EXIT_CODE
from tests.chaos.audit import Expected, when_quiet
from tests.chaos.scenarios import ALWAYS, BESIDES
from tests.chaos.shop import sign_in
from tests.chaos.stage import Stage, Story, Told
from tests.chaos.stores import Snapshot
from tests.chaos.system import running

SYSTEMS = 6
PATIENCE = 60.0
MAX_LIFE = 300.0
"""Seconds after which a system takes no further point: what was sent is read from the broker's memory of message ids,
which is ten minutes long."""
IN_THE_HOST = {"FUNCTIONS_WORKER_PROCESS_COUNT": "1"}
"""The app runs in the host's own process, so that both die at once; `test_chaos.py` kills workers as well."""
DEPTH = int(os.environ.get("CRASH_POINTS_DEPTH", "1"))

NAMES = [point.name for point in POINTS]
CASES = [name if number == 1 else f"{name}:{number}" for number in range(1, DEPTH + 1) for name in NAMES]


class NeverPassed(AssertionError):
    """All stories were told to their end, and the host is still alive."""


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What became of every point that is asked for: nothing, or the story of what went wrong."""
    asked = {
        str(item.callspec.params["case"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "case" in item.callspec.params
    }
    began = time.monotonic()
    found = asyncio.run(_all([case for case in CASES if case in asked], tmp_path_factory.mktemp("crash")))
    seconds = time.monotonic() - began
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        fell = sum(not problem for problem in found.values())
        print(f"\n{len(POINTS)} crash points; crashed at {len(found)} and found all well at {fell}, {seconds:.0f} s")
    yield found


@pytest.mark.parametrize("case", CASES)
def test_a_crash_there_loses_nothing_and_doubles_nothing(case: str, outcomes: Mapping[str, str]) -> None:
    problem = outcomes[case]
    if problem.startswith(NeverPassed.__name__) and case not in NAMES:
        pytest.skip("nothing passes this point so often")
    assert not problem, problem


async def _all(cases: list[str], folder: Path) -> dict[str, str]:
    waiting, found = deque(cases), dict[str, str]()
    async with asyncio.TaskGroup() as group:
        for number in range(min(SYSTEMS, len(cases))):
            group.create_task(_in_turn(folder / str(number), waiting, found))
    return found


async def _in_turn(folder: Path, waiting: deque[str], found: dict[str, str]) -> None:
    """Crash at one point after the other, in one system as long as all is well with it and it is young."""
    while waiting:
        async with running(folder / str(len(waiting))) as system, aiohttp.ClientSession() as session:
            shopper, staff = await sign_in(system, session, "shopper"), await sign_in(system, session, "staff")
            stage, well, began = Stage(system, session, shopper, staff, Told()), True, time.monotonic()
            while waiting and well and time.monotonic() - began < MAX_LIFE:
                case = waiting.popleft()
                try:
                    found[case] = await _crash(case, stage)
                except Exception as exc:
                    found[case] = f"{type(exc).__name__}: {exc}\n{''.join(traceback.format_exception(exc))}"
                well = not found[case]


async def _crash(case: str, stage: Stage) -> str:
    """Crash once at the point; what the audit then finds wrong, empty for nothing."""
    system = stage.system
    await system.restart("functions", CRASH_AT=case, **IN_THE_HOST)
    stories = asyncio.create_task(_tell(stage, _stories(case)))
    code = asyncio.create_task(system.ended("functions"))
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({stories, code}, return_when=asyncio.FIRST_COMPLETED)
            if not code.done():
                await _crashed_or_quiet(stage, code)
            if not code.done():
                raise NeverPassed(f"{case} was never passed")
            assert code.result() == EXIT_CODE, f"the host ended with {code.result()}: {system.log('functions')[-2000:]}"
            await system.restart("functions", CRASH_AT=case, **IN_THE_HOST)
            await stories
    finally:
        for task in (stories, code):
            task.cancel()
        await asyncio.gather(stories, code, return_exceptions=True)
    snapshot = await system.stores.at_rest(PATIENCE)
    return "\n".join([*when_quiet(snapshot, _expected(stage.told)), *_unexpected_ends(snapshot, stage.told)])


async def _tell(stage: Stage, stories: tuple[Story, ...]) -> None:
    async with asyncio.TaskGroup() as group:
        for story in stories:
            group.create_task(story(stage))


def _stories(case: str) -> tuple[Story, ...]:
    extra = [story for point, story in BESIDES.items() if case == point or case.startswith(f"{point}:")]
    return (*ALWAYS, *extra)


async def _crashed_or_quiet(stage: Stage, code: asyncio.Task[int]) -> None:
    """Everything has been asked for: wait until the host dies of it, or has nothing left to do."""
    quiet = asyncio.create_task(stage.system.stores.quiet(PATIENCE))
    try:
        await asyncio.wait({quiet, code}, return_when=asyncio.FIRST_COMPLETED)
        if not code.done():
            quiet.result()
    finally:
        quiet.cancel()
        await asyncio.gather(quiet, return_exceptions=True)


def _expected(told: Told) -> Expected:
    return Expected(frozenset(told.accepted), told.stocked, frozenset(told.parked), restocked=told.restocked)


def _unexpected_ends(snapshot: Snapshot, told: Told) -> Iterator[str]:
    """A crash may delay an order; it may not turn one that would be confirmed into one that is not."""
    for order in snapshot.orders:
        end = (order["status"], order["history"][-1].get("reason") or "")
        if end not in told.accepted[order["id"]]:
            yield f"{order['id']} came to {end}, not to one of {sorted(told.accepted[order['id']])}"
