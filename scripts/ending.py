"""Ending `python -m localazure up`, started by a script in a session of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import Process

GRACE = 45.0
"""Seconds that the parts may take to end what is under way."""


async def end(up: Process) -> None:
    """Ask it to stop the parts, and return when it has ended; after the grace, it and they are killed."""
    if up.returncode is not None:
        return
    up.terminate()
    try:
        await asyncio.wait_for(up.wait(), GRACE)
    except TimeoutError:
        os.killpg(up.pid, signal.SIGKILL)
        await up.wait()
