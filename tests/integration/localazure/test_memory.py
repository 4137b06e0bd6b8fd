"""What a process that serves asks the kernel for while it receives: nothing anew for each request."""

from __future__ import annotations

import sys
from pathlib import Path

import aiohttp
import pytest

from .commands import command, output

RECEIVED = 200
RECEIVER = f"""
import resource, socket
from localazure.memory import settle

settle()
ours, theirs = socket.socketpair()
def receive():
    for _ in range({RECEIVED}):
        theirs.send(b"x")
        ours.recv(256 * 1024)  # as asyncio does
receive()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
receive()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""Prints how many pages of memory the process was given while it received."""


async def test_what_is_received_goes_into_memory_that_the_process_has() -> None:
    assert int(await output(sys.executable, "-c", RECEIVER)) < RECEIVED / 4


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="page faults are read from /proc, which Linux has")
@pytest.mark.parametrize("part", ["cosmos", "servicebus", "stripe", "easypost"])
async def test_every_part_receives_so(tmp_path: Path, part: str) -> None:
    async with command(part, "--port", "0", state=tmp_path) as running:
        line = await running.until(lambda line: line.startswith(f"{part} ("))
        url = line.split()[-1].replace("sb://", "http://")
        async with aiohttp.ClientSession() as session:

            async def ask() -> None:
                for _ in range(RECEIVED):
                    async with session.get(f"{url}/nothing") as answer:
                        await answer.read()

            await ask()
            before = page_faults(running.process.pid)
            await ask()
            assert page_faults(running.process.pid) - before < RECEIVED / 4


def page_faults(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])
