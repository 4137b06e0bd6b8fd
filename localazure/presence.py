"""One run of a functions host, as the other hosts on the same files see it.

A run is named by a GUID, and holds a lock file that the kernel frees when its process ends, however it ends. What a
dead run still holds (leases, fetched messages) is free when its time-outs are over, as on Azure; with `recovery=fast`,
for tests, it is free as soon as the run's lock is.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

RECOVERY = ("azure", "fast")
FIRST = "1"
"""The name of an instance that nobody named."""


class PresenceError(ValueError):
    """An instance of that name runs already, or an option of it makes no sense."""


class Presence:
    """This run. `folder` is where the runs have their lock files; `None`: nobody else can see this one."""

    def __init__(self, folder: Path | None, name: str = FIRST, *, fast: bool = False) -> None:
        self.run = str(uuid.uuid4())
        self.name = name
        self.fast = fast
        """Whether what a dead run holds is free at once."""
        self._folder = folder
        self._held: list[TextIO] = []
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._sweep(folder)
            self._hold_name(folder / f"{name}.name")
            self._hold_run(folder / f"{self.run}.run")

    def alive(self, run: str) -> bool:
        """Whether the process of another run has not ended."""
        if run == self.run:
            return True
        if self._folder is None:
            return False
        try:
            with (self._folder / f"{run}.run").open() as file:
                return not _free(file)
        except FileNotFoundError:
            return False

    def gone(self, run: str) -> bool:
        """Whether what that run holds is free before its time-outs are over."""
        return self.fast and not self.alive(run)

    def close(self) -> None:
        """Let the others see that this run has ended."""
        if self._folder is not None and self._held:
            (self._folder / f"{self.run}.run").unlink(missing_ok=True)
        while self._held:
            self._held.pop().close()

    def _hold_name(self, path: Path) -> None:
        self._held.append(path.open("w"))
        try:
            fcntl.flock(self._held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._held.pop().close()
            raise PresenceError(f"an instance named '{self.name}' is running on these files already") from None

    def _hold_run(self, path: Path) -> None:
        while True:
            self._held.append(path.open("w"))
            fcntl.flock(self._held[-1], fcntl.LOCK_EX)  # somebody who looks whether it is free holds it for a moment
            if os.fstat(self._held[-1].fileno()).st_nlink:
                return
            self._held.pop().close()  # somebody took it for a dead run's before it was held

    @staticmethod
    def _sweep(folder: Path) -> None:
        """Forget the runs that have ended: a run whose file is missing is as dead as one whose lock is free."""
        for path in folder.glob("*.run"):
            try:
                with path.open() as file:
                    if _free(file):
                        path.unlink(missing_ok=True)
            except FileNotFoundError:
                continue


def presence_of(options: Mapping[str, str], folder: Path | None) -> Presence:
    """By the options `instance` and `recovery` of a host. Raises PresenceError."""
    recovery = options.get("recovery", RECOVERY[0])
    if recovery not in RECOVERY:
        raise PresenceError(f"recovery is one of {', '.join(RECOVERY)}, not '{recovery}'")
    name = options.get("instance", FIRST)
    if not name.isalnum():
        raise PresenceError(f"the name of an instance has letters and digits alone, not '{name}'")
    return Presence(folder, name, fast=recovery == "fast")


def _free(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
