"""The recorded app that fails and is tried again, run on a turned clock: what it noted, and what it answered."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time as real
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import aiohttp

from localazure.clock import ManualClock
from localazure.functions import PART
from localazure.functions.wire import Host
from localazure.part import Config
from tests.conformance.functions.process import restored

from .comparing import RECORDINGS

NOW = datetime(2026, 11, 26, 17, 12, 45, tzinfo=UTC)
"""When the recordings were made."""
STEP = 0.05
_SECONDS = 24
_PATIENCE = 60.0
_REQUESTS = ("http_fixed", "http_none", "http_second")


class TurnedTime:
    """What the app has in place of the module `time`."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW.timestamp())
        self._ends: list[float] = []

    def begin(self) -> None:
        """Take a clock of its own for a run."""
        self.clock, self._ends = ManualClock(NOW.timestamp()), []

    @property
    def asleep(self) -> int:
        """How many calls wait for the clock."""
        return sum(end > self.clock.time() for end in self._ends)

    def time(self) -> float:
        return self.clock.time()

    def sleep(self, seconds: float) -> None:
        end = self.clock.time() + seconds
        self._ends.append(end)
        while self.clock.time() < end:
            real.sleep(0.001)
        self._ends.remove(end)


time = TurnedTime()


@dataclass(frozen=True)
class Run:
    """What the app noted of each attempt, and the status and body of each request's answer."""

    notes: list[dict[str, Any]]
    answers: dict[str, tuple[int, str]]

    def of(self, function: str) -> list[dict[str, Any]]:
        return [note for note in self.notes if note["function"] == function]


def run(directory: Path) -> Run:
    """Raises TimeoutError where the app does not come to rest."""
    time.begin()
    with restored():
        return asyncio.run(_run(directory))


async def _run(directory: Path) -> Run:
    app, notes = directory / "app", directory / "attempts.jsonl"
    shutil.copytree(RECORDINGS / "apps" / "retries", app)
    (app / "settings.json").rename(app / "local.settings.json")
    code = (app / "function_app.py").read_text(encoding="utf-8")
    turned = code.replace("import time\n", "from tests.conformance.realhost.turned import time\n")
    assert turned != code
    (app / "function_app.py").write_text(turned, encoding="utf-8")
    os.environ["PROBE_LOG"] = str(notes)
    config = Config(state=directory / "state", options={"app": str(app)}, clock=time.clock)
    host = cast(Host, await PART.start(config))
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(_PATIENCE):
            requests = [asyncio.create_task(_ask(session, host, name)) for name in _REQUESTS]
            while sum(note["function"] in _REQUESTS for note in _read(notes)) < len(_REQUESTS):  # noqa: ASYNC110 - threads note
                await asyncio.sleep(0.01)
            for _ in range(round(_SECONDS / STEP)):
                await _rest(host)
                await time.clock.advance(STEP)
            return Run(_read(notes), dict(zip(_REQUESTS, await asyncio.gather(*requests), strict=True)))
    finally:
        stopping = asyncio.create_task(host.stop())
        while not stopping.done():  # a run that waits for the clock ends with it
            await time.clock.advance(STEP)
            await asyncio.sleep(0.001)
        await stopping


async def _rest(host: Host) -> None:
    """Return when no call is under way but those that wait for the clock."""
    invoker = cast(Any, host)._invoker
    calm = 0
    while calm < 2:
        for _ in range(20):  # what the clock has woken takes a few turns of the loop to begin its call
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        calm = calm + 1 if invoker._running == time.asleep else 0


async def _ask(session: aiohttp.ClientSession, host: Host, name: str) -> tuple[int, str]:
    async with session.get(f"{host.url}/api/{name}") as answer:
        return answer.status, await answer.text()


def _read(notes: Path) -> list[dict[str, Any]]:
    if not notes.exists():
        return []
    return [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
