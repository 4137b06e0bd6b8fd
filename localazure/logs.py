"""The logs of all parts as one, in the order of time: filtered, followed, in colour or as JSON.

A line is `2026-03-01 12:00:00,123 INFO name: text`, where the text may be one JSON object, as the app's own lines are;
what does not begin so (a traceback) belongs to the line before it.
"""

from __future__ import annotations

import heapq
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) ([A-Z]+) (\S+): (.*)", re.DOTALL)
_COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31"}
LOOK = 0.2
"""Seconds between looks for new lines."""
MAX_ENTRY = 1 << 20
"""Bytes of one entry that are kept; a part that writes more without a line feed is cut."""


@dataclass(frozen=True, order=True)
class Entry:
    """One entry of a part's log."""

    at: str
    part: str
    level: str
    name: str
    text: str

    @property
    def fields(self) -> Mapping[str, Any]:
        """What the entry says as JSON; nothing where it says something else."""
        if not self.text.startswith("{"):
            return {}
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def matches(self, wanted: Mapping[str, str]) -> bool:
        fields = self.fields if wanted else {}
        return all(str(fields.get(name)) == value for name, value in wanted.items())

    def plain(self, *, colour: bool) -> str:
        """For people: when, which part, and the JSON's `event` first."""
        fields = dict(self.fields)
        text = self.text
        if fields:
            event = fields.pop("event", "")
            text = " ".join([str(event), *(f"{name}={value}" for name, value in fields.items() if value is not None)])
        line = _visible(f"{self.at[11:]} {self.part:<10} {self.level:<7} {text}")
        return f"\x1b[{_COLOURS[self.level]}m{line}\x1b[0m" if colour and self.level in _COLOURS else line

    def as_json(self) -> str:
        own = {"at": self.at, "part": self.part, "level": self.level, "name": self.name}
        return json.dumps({**own, **(self.fields or {"text": self.text})}, ensure_ascii=False)


def _visible(text: str) -> str:
    """Without what a terminal would obey: a caller may have written it."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else ascii(character)[1:-1] for character in text
    )


class Reader:
    """Reads one part's log on from where it was; a log that was begun anew is read from its start."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.stem
        self._place, self._file = 0, 0
        self._rest = ""

    def read(self) -> Iterator[Entry]:
        """The entries that were written since the last time. Lines that belong to an earlier one are passed over."""
        entry: Entry | None = None
        for line in self._lines():
            if (found := _LINE.fullmatch(line)) is not None:
                if entry is not None:
                    yield entry
                entry = Entry(found[1], self._part, found[2], found[3], found[4])
            elif entry is not None and len(entry.text) < MAX_ENTRY:
                entry = replace(entry, text=f"{entry.text}\n{line}")
        if entry is not None:
            yield entry

    def _lines(self) -> list[str]:
        try:
            with self._path.open("rb") as file:
                status = self._path.stat()
                if status.st_ino != self._file or status.st_size < self._place:
                    self._place, self._file, self._rest = 0, status.st_ino, ""
                file.seek(self._place)
                data = file.read()
                self._place += len(data)
        except FileNotFoundError:
            return []
        *lines, self._rest = (self._rest + data.decode(errors="replace")).split("\n")
        self._rest = self._rest[-MAX_ENTRY:]
        return lines


def entries(state: Path, parts: Sequence[str], wanted: Mapping[str, str]) -> Iterator[Entry]:
    """What the logs hold now, in the order of time. Raises LookupError for a part that has none."""
    readers = _readers(state, parts)
    for entry in heapq.merge(*(reader.read() for reader in readers)):
        if entry.matches(wanted):
            yield entry


def follow(
    state: Path,
    parts: Sequence[str],
    wanted: Mapping[str, str],
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Entry]:
    """What the logs hold, and then what is written, for ever."""
    readers = _readers(state, parts)
    while True:
        found = sorted(entry for reader in readers for entry in reader.read())
        yield from (entry for entry in found if entry.matches(wanted))
        pause(LOOK)


def _readers(state: Path, parts: Sequence[str]) -> list[Reader]:
    there = {path.stem: path for path in sorted((state / "logs").glob("*.log"))}
    if unknown := [part for part in parts if part not in there]:
        raise LookupError(f"no log of {', '.join(unknown)}; there are {', '.join(there) or 'none'} in {state / 'logs'}")
    return [Reader(path) for name, path in there.items() if not parts or name in parts]
