"""Which files an app consists of, and that one of them was changed: for `up --reload`.

An app is what is deployed of its directory: everything that `.funcignore` does not leave out, and the settings file.
Directories whose names begin with a dot are never part of it; at its top only `.py` and `.json` count, because what
else lies there may be what somebody has this very system's words written to (`make run > out.txt`).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from pathspec import GitIgnoreSpec
from watchfiles import awatch

IGNORED = ".funcignore"
_AT_THE_TOP = frozenset({".py", ".json"})
_TO_BE_SURE = 50
"""Milliseconds of quiet after a change: an editor or a checkout writes several files at once."""


class App:
    """The files of the app in a directory, and its settings file."""

    def __init__(self, directory: Path, settings: Path) -> None:
        self._directory, self._settings = directory.resolve(), settings.resolve()
        ignored = self._directory / IGNORED
        self._ignored = GitIgnoreSpec.from_lines(ignored.read_text().splitlines() if ignored.exists() else [])

    def has(self, path: Path) -> bool:
        """Whether the file belongs to the app."""
        if path == self._settings:
            return True
        if not path.is_relative_to(self._directory):
            return False
        relative = path.relative_to(self._directory)
        if len(relative.parts) == 1 and relative.suffix not in _AT_THE_TOP:
            return False
        hidden = any(part.startswith((".", "__pycache__")) for part in relative.parts)
        return not hidden and not self._ignored.match_file(relative)

    @property
    def folders(self) -> list[Path]:
        """The directories at its top; what lies below them may be the app's."""
        return [path for path in sorted(self._directory.iterdir()) if path.is_dir() and self.has(path / "any")]

    async def watch(self, changed: set[str]) -> None:
        """Add to `changed`, by name, what is changed, until it is cancelled."""
        places = [(self._directory, False), *((folder, True) for folder in self.folders)]
        if self._settings.parent != self._directory:
            places.append((self._settings.parent, False))
        async with asyncio.TaskGroup() as watching:
            for path, deep in places:
                watching.create_task(self._watch(path, deep, changed))

    async def _watch(self, path: Path, deep: bool, changed: set[str]) -> None:
        async for changes in awatch(
            path, recursive=deep, step=_TO_BE_SURE, watch_filter=lambda _, file: self.has(Path(file))
        ):
            changed |= {self._name(Path(file)) for _, file in changes}

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._directory)) if path.is_relative_to(self._directory) else str(path)
