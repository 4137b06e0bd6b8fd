"""Importing the app: the larger part of its cold start."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def gc_paused() -> Iterator[None]:
    """What is imported inside stays until the process ends, so the garbage collector need not look for what does not.

    It would go through all modules again and again while they are imported, a tenth of the cold start, and then
    during every full collection.
    """
    global imported_after  # noqa: PLW0603 - told once
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
        imported_after = age()


imported_after = 0.0
"""Seconds from the process's start until the app was imported: its cold start. 0 where it is not known."""


def age() -> float:
    """For how long this process has been there. Source: proc(5), `starttime`, counted from the machine's start."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, LookupError, AttributeError):  # a system that has no such file
        return 0.0
