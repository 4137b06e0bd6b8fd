"""`make run` in a terminal that is closed: nothing stays behind. It reads the `local.settings.json` of `make setup`."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from pathlib import Path

from localazure.parts import TABLE, port_variable
from localazure.running import Running, find

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


async def test_closing_the_terminal_stops_everything(tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    environment = {
        **os.environ,
        **{port_variable(name): "0" for name in TABLE},
        "LOCALAZURE_STATE": str(tmp_path),
        "SPLIT": "",
        "INSTANCES": "",
    }
    process = await asyncio.create_subprocess_exec(
        *("setsid", "--ctty", sys.executable, "-m", "scripts.run"),
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env=environment,
        cwd=ROOT,
    )
    os.close(inside)
    try:
        async with asyncio.timeout(PATIENCE):
            running = await _ready(tmp_path)
        os.close(terminal)
        async with asyncio.timeout(PATIENCE):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert find(tmp_path) is None
    assert [name for name in running.addresses if running.answers(name)] == []


async def _ready(state: Path) -> Running:
    while True:
        running = find(state)
        if running is not None and running.addresses:
            return running
        await asyncio.sleep(0.1)
