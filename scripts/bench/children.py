"""Processes that are run for what they print."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.bench.options import MeasurementFailed

ROOT = Path(__file__).parents[2]
TAIL = 2_000
"""Characters of what a process said last that are passed on where it fails."""


async def output(words: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path = ROOT) -> str:
    """What the command prints. It ends with the caller.

    Raises MeasurementFailed with the end of its standard error where it fails, or with the reason why it cannot start.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *words, cwd=cwd, env={**os.environ, **(environment or {})}, stdout=PIPE, stderr=PIPE
        )
    except OSError as exc:
        raise MeasurementFailed(f"{words[0]} cannot be run: {exc}") from exc
    try:
        out, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise MeasurementFailed(f"{' '.join(words[:4])} … failed: {errors.decode(errors='replace')[-TAIL:].strip()}")
    return out.decode()
