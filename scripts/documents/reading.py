"""Blocks, commands, code, links and headings of a Markdown file."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from localazure.apim.guides import anchor

_BASH = shutil.which("bash") or "bash"
_FENCE = re.compile(r"^```(?P<info>[^`\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
COMMENT = re.compile(r"(?:^| )#.*$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"<[A-Za-z][^<>|&;]*>|…")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its marks (`needs=az` as `{"needs": "az"}`), its text, the line it begins at, and
    the heading above it."""

    language: str
    marks: dict[str, str]
    text: str
    line: int
    section: str


@dataclass(frozen=True)
class Command:
    """One command of a block that is typed, with what follows it on the line; `line` counts from 1 in the file."""

    text: str
    line: int
    marks: dict[str, str]
    section: str = ""

    @property
    def is_example(self) -> bool:
        """Whether the reader has to complete it. What a comment leaves open is nothing to complete."""
        return _PLACEHOLDER.search(COMMENT.sub("", self.text)) is not None

    @property
    def needs(self) -> list[str]:
        """Programs that a machine with Python, make, git and curl may lack."""
        return [name for name in self.marks.get("needs", "").split(",") if name]


class Document:
    """A Markdown file, read once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text = path.read_text(encoding="utf-8")
        self.prose = _FENCE.sub("", self._text)

    @property
    def blocks(self) -> Iterator[Block]:
        for found in _FENCE.finditer(self._text):
            language, *marks = found["info"].split() or [""]
            line = self._text.count("\n", 0, found.start()) + 2
            *_, section = ["", *_HEADING.findall(_FENCE.sub("", self._text[: found.start()]))]
            yield Block(language, dict(mark.partition("=")[::2] for mark in marks), found["text"], line, section)

    @property
    def commands(self) -> Iterator[Command]:
        """In order. Raises ValueError for a block that is no complete shell text."""
        for block in self.blocks:
            if block.language == "sh":
                for text, line in _commands(block.text.splitlines(), block.line):
                    yield Command(text, line, block.marks, block.section)

    @property
    def code(self) -> set[str]:
        """What stands between backticks in the prose."""
        return set(_CODE.findall(self.prose))

    @property
    def links(self) -> set[str]:
        """Targets of links that do not lead elsewhere."""
        return {link for link in _LINK.findall(self.prose) if "://" not in link}

    @property
    def anchors(self) -> set[str]:
        """What the headings are called in links."""
        return {anchor(heading.strip()) for heading in _HEADING.findall(self.prose)}


def _commands(lines: Iterable[str], number: int) -> Iterator[tuple[str, int]]:
    """Lines that belong together: a command goes on where the shell would ask for more."""
    pending: list[str] = []
    for offset, line in enumerate(lines):
        if not pending and line.strip()[:1] in ("", "#"):
            continue
        pending.append(line)
        text = "\n".join(pending)
        if not line.endswith("\\") and _is_complete(text):
            yield text, number + offset - len(pending) + 1
            pending = []
    if pending:
        raise ValueError(f"line {number}: the block ends within a command: {pending[0]}")


def _is_complete(text: str) -> bool:
    done = subprocess.run(  # noqa: S603 - the shell only reads it
        [_BASH, "-n"], input=_PLACEHOLDER.sub("x", text), capture_output=True, text=True, check=False
    )
    return done.returncode == 0
