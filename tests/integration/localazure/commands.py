"""`python -m localazure …` in a process of its own, and what it says."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

PATIENCE = 20.0


class Up:
    """A running `up` and what it has said so far."""

    def __init__(self, process: Process, state: Path) -> None:
        self.process = process
        self.state = state
        self.said: list[str] = []

    async def until(self, meant: Callable[[str], bool]) -> str:
        """Read on until a line is the one that is meant."""
        assert self.process.stdout is not None
        while line := (await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)).decode():
            self.said.append(line.rstrip("\n"))
            if meant(line):
                return line
        raise AssertionError("it ended without saying so; it said:\n" + "\n".join(self.said))

    async def ready(self) -> None:
        await self.until(lambda line: line.startswith("Ready in"))
        await self.until(lambda line: line == "\n")

    async def ended(self) -> int:
        assert self.process.stdout is not None
        rest = await asyncio.wait_for(self.process.stdout.read(), PATIENCE)
        self.said += rest.decode().splitlines()
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    @property
    def addresses(self) -> dict[str, str]:
        return dict(json.loads((self.state / "addresses.json").read_text()))

    @property
    def processes(self) -> dict[str, int]:
        return dict(json.loads((self.state / "processes.json").read_text()))


@asynccontextmanager
async def command(*arguments: str, state: Path, environment: dict[str, str] | None = None) -> AsyncIterator[Up]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localazure", *arguments, "--state", str(state)),
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | (environment or {}),
    )
    try:
        yield Up(process, state)
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), PATIENCE)


@asynccontextmanager
async def up(state: Path, *arguments: str) -> AsyncIterator[Up]:
    async with command("up", "--only", "entra,stripe", "--port", "all=0", *arguments, state=state) as running:
        yield running


async def get(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


async def output(*arguments: str) -> str:
    """What a program prints that has to succeed."""
    process = await asyncio.create_subprocess_exec(*arguments, stdout=PIPE)
    told, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0, told
    return told.decode()
