"""The lock of a singleton: of several instances of an app one has it, and loses it when it does not renew it in time.

Source: `SingletonManager` and `SingletonOptions` of azure-webjobs-sdk, whose lock is a lease of a blob.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import TextIO

from localazure.clock import Clock
from localazure.presence import Presence

PERIOD = 60.0
"""Seconds that a listener's lock lasts without being renewed: `ListenerLockPeriod`."""
AGAIN = 60.0
"""Seconds after which an instance that has not got it tries again: `ListenerLockRecoveryPollingInterval`."""
_AGAIN_FAST = 0.5


class Lock:
    """One lock, in a file that all instances see."""

    def __init__(self, path: Path, presence: Presence, clock: Clock) -> None:
        self._path, self._presence, self._clock = path, presence, clock

    @property
    def renewal(self) -> float:
        """Seconds between two renewals; without end where the lock ends with its holder."""
        return inf if self._presence.fast else PERIOD / 2

    @property
    def again(self) -> float:
        """Seconds between two attempts."""
        return _AGAIN_FAST if self._presence.fast else AGAIN

    def acquire(self) -> bool:
        """Have it, or go on having it; False where another instance has it."""
        with self._opened() as file:
            owner, until = _read(file)
            now, run = self._clock.time(), self._presence.run
            if owner not in ("", run) and now < until and not self._presence.gone(owner):
                return False
            _write(file, run, inf if self._presence.fast else now + PERIOD)
            return True

    def release(self) -> None:
        with self._opened() as file:
            if _read(file)[0] == self._presence.run:
                _write(file, "", 0.0)

    @contextmanager
    def _opened(self) -> Iterator[TextIO]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _read(file: TextIO) -> tuple[str, float]:
    file.seek(0)
    try:
        owner, until = json.load(file)
        return str(owner), float(until)
    except (ValueError, TypeError):  # new, or its writer died in the midst
        return "", 0.0


def _write(file: TextIO, owner: str, until: float) -> None:
    file.seek(0)
    file.truncate()
    json.dump([owner, until], file)
    file.flush()
