"""How many cores each process keeps busy: whether a rate is the server's limit, or that of the client beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

CLIENT = "client"


class Busy:
    """Counts from the moment it is made."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = {name: [process, *children(process)] for name, process in processes.items()}
        self._processes[CLIENT] = [os.getpid()]
        self._began = time.perf_counter()
        self._before = self._seconds()

    def cores(self) -> dict[str, float]:
        """Average number of cores by part, its child processes included; what this client starts and has ended counts
        as the client."""
        elapsed = time.perf_counter() - self._began
        return {
            name: round((seconds - self._before[name]) / elapsed, 2)
            for name, seconds in self._seconds().items()
            if name in self._before
        }

    def _seconds(self) -> dict[str, float]:
        found = {name: [cpu_seconds(process) for process in own] for name, own in self._processes.items()}
        return {name: sum(filter(None, seconds)) for name, seconds in found.items() if seconds[0] is not None}


def children(process: int) -> list[int]:
    """Its child processes; none without a /proc. A functions host's are those that run the app."""
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def cpu_seconds(process: int) -> float | None:
    """User and system time of a process and of those children that it has waited for; `None` without a /proc.

    Source: proc_pid_stat(5), fields 14 to 17.
    """
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
