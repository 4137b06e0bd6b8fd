"""`make run` in a terminal: Ctrl-C and closing it end all, a second one finds the first, the next what was bought.

It reads the `local.settings.json` of `make setup`.
"""

from __future__ import annotations

import asyncio
import os
import pty
import re
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from localazure.parts import TABLE, port_variable
from localazure.running import Running, find
from scripts.shop import Shop

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
RUN = (sys.executable, "-m", "scripts.run")
CTRL_C = b"\x03"


class Terminal:
    """One that a program runs in, which is read all the time, as a terminal is."""

    def __init__(self, end: int, process: Process) -> None:
        self.process, self.shown, self._end = process, "", end
        asyncio.get_running_loop().add_reader(end, self._read)

    def _read(self) -> None:
        try:
            text = os.read(self._end, 4096)
        except OSError:  # the program has ended, and its side with it
            asyncio.get_running_loop().remove_reader(self._end)
        else:
            self.shown += text.decode(errors="replace")

    def type(self, keys: bytes) -> None:
        os.write(self._end, keys)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._end)
        with suppress(OSError):
            os.close(self._end)

    async def shows(self, words: str) -> None:
        """Wait until it does."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.shown:
            assert time.monotonic() < deadline and self.process.returncode is None, self.shown
            await asyncio.sleep(0.05)

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


def environment(state: Path, reload: str = "") -> dict[str, str]:
    ports = {port_variable(name): "0" for name in TABLE}
    return {**os.environ, **ports, "LOCALAZURE_STATE": str(state), "SPLIT": "", "INSTANCES": "", "RELOAD": reload}


@asynccontextmanager
async def run(state: Path, reload: str = "") -> AsyncIterator[tuple[Terminal, Running]]:
    """`make run` in a terminal of its own, once its parts have addresses."""
    outside, inside = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *("setsid", "--ctty", *RUN),
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env=environment(state, reload),
        cwd=ROOT,
    )
    os.close(inside)
    terminal = Terminal(outside, process)
    try:
        async with asyncio.timeout(PATIENCE):
            running = await _ready(state)
        yield terminal, running
    finally:
        terminal.close()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready(state: Path) -> Running:
    while True:
        running = find(state)
        if running is not None and running.addresses:
            return running
        await asyncio.sleep(0.1)


def asked_for(running: Running) -> list[str]:
    """The arguments of the `up` that runs."""
    return Path(f"/proc/{running.pid}/cmdline").read_text(encoding="utf-8").split("\0")


def nothing_runs(state: Path, former: Running) -> bool:
    return find(state) is None and not any(former.answers(name) for name in former.addresses)


async def test_closing_the_terminal_stops_everything(tmp_path: Path) -> None:
    async with run(tmp_path) as (terminal, running):
        assert "--reload" in asked_for(running)
        terminal.close()
        await terminal.ended()
    assert nothing_runs(tmp_path, running)


async def test_a_second_one_finds_the_first_and_the_next_what_was_bought(tmp_path: Path) -> None:
    async with run(tmp_path, reload="0") as (terminal, running):
        assert "--reload" not in asked_for(running), "RELOAD=0 turns it off"
        await _a_second_one_says_where_it_is(tmp_path, running)
        await terminal.shows("CONFIRMED")
        (order,) = re.findall(r"(ord_\w+) .* 202 Accepted", terminal.shown)
        async with Shop("shopper", tmp_path) as shopper, asyncio.timeout(PATIENCE):
            while not (await shopper.call("GET", "/orders?limit=1"))["items"]:  # noqa: ASYNC110 - a poll
                await asyncio.sleep(0.05)
        terminal.type(CTRL_C)
        assert await terminal.ended() == 0, terminal.shown
        assert "Stopping: the hosts end what is under way, then the services" in terminal.shown
    assert nothing_runs(tmp_path, running)
    async with run(tmp_path) as (again, _):
        await again.shows(f"The shop is as it was left; the shopper's last order, {order}, is confirmed")
        assert "202 Accepted" not in again.shown, "nothing is bought again"
        again.type(CTRL_C)
        assert await again.ended() == 0, again.shown


async def _a_second_one_says_where_it_is(state: Path, running: Running) -> None:
    second = await asyncio.create_subprocess_exec(*RUN, env=environment(state), cwd=ROOT, stdout=PIPE, stderr=STDOUT)
    said = (await second.communicate())[0].decode()
    assert second.returncode == 0 and said.startswith(f"Already running, process {running.pid};"), said
    assert {name: url for name, url in running.addresses.items() if url not in said} == {}
    found = find(state)
    assert found is not None and found.addresses == running.addresses and found.answers("apim")
