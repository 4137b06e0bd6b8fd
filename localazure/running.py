"""What runs on a state directory: held by one `up` at a time, found by its lock, stopped by its pid."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LOCK = "up.lock"
ANSWER = 1.0
"""Seconds that a part may take to accept a connection."""
LOOK = 0.05
"""Seconds between looks whether it has ended."""
GLANCE = 0.5
"""Seconds within which whoever only looks whether the directory is held has let go of it again."""


class Taken(Exception):
    """Another `up` holds the state directory."""


class StillRunning(Exception):
    """What runs has not ended within the time it was given, or must be stopped before this can be done."""


@dataclass(frozen=True)
class Running:
    """One running system: the `up` that holds the directory, and the parts it has started so far."""

    pid: int
    addresses: Mapping[str, str]
    processes: Mapping[str, int]

    def answers(self, name: str) -> bool:
        """Whether the part accepts connections."""
        address = urlsplit(self.addresses[name])
        try:
            with socket.create_connection((address.hostname or "", address.port or 0), timeout=ANSWER):
                return True
        except OSError:
            return False

    def table(self, *, ask: bool = False) -> str:
        """A line for each part: where it is, its process, and with `ask` whether it answers."""
        if not self.addresses:
            return "  its parts are still starting"
        width, length = max(map(len, self.addresses)), max(map(len, self.addresses.values()))
        return "\n".join(
            f"  {name:<{width}}  {url:<{length}}  pid {self.processes.get(name, '?')}"
            + (f"  {'answers' if self.answers(name) else 'does not answer'}" if ask else "")
            for name, url in self.addresses.items()
        )


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Hold the directory: two systems on the same files would destroy each other's work. Raises Taken."""
    (state / "logs").mkdir(parents=True, exist_ok=True)
    with (state / LOCK).open("a+") as lock:
        deadline = time.monotonic() + GLANCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Taken(f"another `up` is running on {state}; stop it, or give it another --state") from None
            time.sleep(LOOK)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def find(state: Path) -> Running | None:
    """What runs on the directory. Files that a killed system has left behind do not count."""
    try:
        with (state / LOCK).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = int(lock.read() or 0)
            else:
                return None
    except FileNotFoundError:
        return None
    return Running(pid, _read(state / "addresses.json"), _read(state / "processes.json"))


def stop(state: Path, patience: float) -> bool:
    """Ask what runs on the directory to stop, and wait until it has. False: nothing runs. Raises StillRunning."""
    running = find(state)
    if running is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while find(state) is not None:
        if time.monotonic() > deadline:
            raise StillRunning(f"process {running.pid} has not ended within {patience:g} s; see {state / 'logs'}")
        time.sleep(LOOK)
    return True


def reset(state: Path) -> bool:
    """Forget everything that is kept in the directory. False: there is nothing. Raises StillRunning."""
    if (running := find(state)) is not None:
        raise StillRunning(f"process {running.pid} is running on {state}; stop it first")
    if not (state / LOCK).exists():
        return False
    shutil.rmtree(state)
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}
