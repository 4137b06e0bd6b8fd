"""`make run` in a terminal: a second one finds it, Ctrl-C and closing the terminal end it, and nothing stays behind. It
reads the `local.settings.json` of `make setup`."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from localazure.parts import TABLE, port_variable
from localazure.running import Running, find
from tests.integration.localazure.commands import output

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


async def asked_for(running: Running) -> list[str]:
    """The arguments of the `up` that runs."""
    return (await output("ps", "-ww", "-o", "args=", "-p", str(running.pid))).split()


def nothing_runs(state: Path, former: Running) -> bool:
    return find(state) is None and not any(former.answers(name) for name in former.addresses)


async def test_closing_the_terminal_stops_everything(tmp_path: Path) -> None:
    async with run(tmp_path) as (terminal, running):
        assert "--reload" in await asked_for(running)
        terminal.close()
        await terminal.ended()
    assert nothing_runs(tmp_path, running)


async def test_a_second_one_says_where_the_first_one_is_and_ctrl_c_says_what_it_does(tmp_path: Path) -> None:
    async with run(tmp_path, reload="0") as (terminal, running):
        assert "--reload" not in await asked_for(running), "RELOAD=0 turns it off"
        second = await asyncio.create_subprocess_exec(
            *RUN, env=environment(tmp_path), cwd=ROOT, stdout=PIPE, stderr=STDOUT
        )
        said = (await second.communicate())[0].decode()
        assert second.returncode == 0 and said.startswith(f"Already running, process {running.pid};"), said
        assert {name: url for name, url in running.addresses.items() if url not in said} == {}
        found = find(tmp_path)
        assert found is not None and found.addresses == running.addresses and found.answers("apim")
        terminal.type(CTRL_C)
        assert await terminal.ended() == 0, terminal.shown
        assert "Stopping: the hosts end what is under way, then the services" in terminal.shown
    assert nothing_runs(tmp_path, running)
