"""Artifacts that were changed: looked for when a request comes, at most once a second. Nothing runs in between."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LOOK_EVERY = 1.0
"""Seconds: a look at a hundred files takes about a millisecond."""

Signature = dict[str, tuple[int, int]]


class Watch:
    """Which files stand below a directory, and beside it, and when each was written."""

    def __init__(self, directory: Path, more: tuple[Path, ...] = ()) -> None:
        self._directory, self._more = directory, more
        self._known = self._signature()
        self._next = time.monotonic() + LOOK_EVERY

    def changed(self) -> bool:
        """Whether something differs from the last look. Looks once a second at most."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + LOOK_EVERY
        found = self._signature()
        if found == self._known:
            return False
        self._known = found
        return True

    def _signature(self) -> Signature:
        found = dict(_files(self._directory))
        for file in self._more:
            with suppress(OSError):
                status = file.stat()
                found[str(file)] = (status.st_mtime_ns, status.st_size)
        return found


def _files(directory: str | Path) -> Iterator[tuple[str, tuple[int, int]]]:
    with suppress(OSError), os.scandir(directory) as entries:  # what is gone in the midst of it is seen the next time
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            else:
                status = entry.stat()
                yield entry.path, (status.st_mtime_ns, status.st_size)
