"""Several instances of a small app, each a process of its own: a timer that counts, and requests that are answered."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import aiohttp

from .commands import PATIENCE, Up, command

EVERY = 2
"""Seconds between two runs of the timer: several times what another instance takes to get a dead one's lock."""
TICKS = f"""
import os, time
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.timer_trigger(arg_name="timer", schedule="*/{EVERY} * * * * *")
async def tick(timer: func.TimerRequest) -> None:
    with open(os.environ["TICKS"], "a") as file:
        file.write(f"{{int(time.time() // {EVERY})}} {{os.getpid()}}\\n")
"""
WHO = """
import os
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="who")
async def who(req: func.HttpRequest) -> str:
    return str(os.getpid())
"""


def up_of(folder: Path, code: str, count: int) -> list[str]:
    """The arguments of an `up` that runs so many instances of an app alone."""
    app = folder / "app"
    app.mkdir()
    (app / "function_app.py").write_text(code)
    (app / "host.json").write_text('{"version": "2.0"}')
    own = ["--set", f"functions.app={app}", "--set", "functions.recovery=fast", "--instances", str(count)]
    return ["up", "--only", "functions", "--port", "all=0", *own]


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - other processes make it so
            await asyncio.sleep(0.02)


async def test_a_timer_runs_once_at_each_of_its_times_also_when_the_instance_that_runs_it_is_killed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "ticks"
    file.touch()

    def ticks() -> list[tuple[int, int]]:
        return [(int(tick), int(pid)) for tick, pid in (line.split() for line in file.read_text().splitlines())]

    environment = {"TICKS": str(file), "FUNCTIONS_WORKER_PROCESS_COUNT": "1"}
    async with command(*up_of(tmp_path, TICKS, 3), state=tmp_path / "state", environment=environment) as running:
        await running.ready()
        await until(lambda: len(ticks()) >= 2)
        runner = ticks()[-1][1]
        assert runner in running.processes.values()
        os.kill(runner, signal.SIGKILL)
        await running.until(lambda line: " is back at " in line)
        assert set(running.processes) == {"functions", "functions-2", "functions-3"}
        seen = len(ticks())
        await until(lambda: len(ticks()) >= seen + 2)
    runs = ticks()
    assert all(later == earlier + 1 for (earlier, _), (later, _) in pairwise(runs)), runs
    assert len({pid for _, pid in runs}) == 2, "one ran it until its end, then another"


async def scaled(running: Up, count: int) -> None:
    async with command("scale", f"functions={count}", state=running.state) as scaling:
        assert await scaling.ended() == 0
    await running.until(lambda line: line == f"functions has {count} instances\n")


class Caller:
    """Somebody who asks all the time, on a new connection each, and once more where a connection breaks."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answered: list[tuple[int, str]] = []
        self.task = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(PATIENCE)) as session:
            while True:
                try:
                    self.answered.append(await self._once(session))
                except aiohttp.ClientConnectionError:  # given by the kernel to an instance that had stopped listening
                    self.answered.append(await self._once(session))

    async def _once(self, session: aiohttp.ClientSession) -> tuple[int, str]:
        async with session.get(self.url) as answer:
            return answer.status, await answer.text()

    async def hears(self, count: int) -> None:
        """Wait until the last answers were from so many processes."""

        def heard() -> bool:
            assert not self.task.done(), self.task.result()
            return len(self.answered) - before >= 50 and len({pid for _, pid in self.answered[-50:]}) == count

        before = len(self.answered)
        await until(heard)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_instances_are_added_and_taken_away_while_every_request_is_answered(tmp_path: Path) -> None:
    environment = {"FUNCTIONS_WORKER_PROCESS_COUNT": "1"}
    async with command(*up_of(tmp_path, WHO, 2), state=tmp_path / "state", environment=environment) as running:
        await running.ready()
        caller = Caller(f"{running.addresses['functions']}/api/who")
        try:
            await caller.hears(2)
            for count in (3, 1):
                await scaled(running, count)
                await caller.hears(count)
        finally:
            await caller.stop()
        assert {pid for _, pid in caller.answered[-50:]} == {str(running.processes["functions"])}
        assert set(running.processes) == {"functions"}
    assert {status for status, _ in caller.answered} == {200}
