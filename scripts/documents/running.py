"""Type what the documents say, in a clone of the repository that has nothing but what is in git.

Commands run in the order of the documents, each in a shell that has the variables which those before it in the document
have set. `curl` fails where the answer is an error. `make run` is left running for what comes after it; what else
serves until Ctrl-C is started at the end, waited for, and interrupted.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.documents.checks import documents
from scripts.documents.reading import Command, Document

_BASH = shutil.which("bash") or "bash"
PATIENCE = 900.0
"""Seconds for one command, the first `make run` with its installation included."""
LONG = re.compile(r"\bmake (?:-s )?(test|bench|bench-peers)\b")
"""What takes minutes by itself."""
SERVES = re.compile(r"\bmake (run|up|debug|backing)\b|-m localazure up\b")
RUN = "make run"
READY = ("Serving until Ctrl-C", "Ready in ")
ENDS = ("make stop", "make reset", "make clean")
TYPED = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:make [a-z]|\.venv/bin/python -m |curl )")
"""What stands in the prose between backticks and is a command."""


@dataclass(frozen=True)
class Result:
    """What became of a command: its exit status, or why it was left out."""

    where: str
    command: str
    status: int | None
    seconds: float
    note: str

    def __str__(self) -> str:
        verdict = "left out" if self.status is None else "ok" if self.status == 0 else f"FAILED {self.status}"
        first = self.command.splitlines()[0]
        note = f"\n    {self.note}" if self.note else ""
        return f"{verdict:<10} {self.seconds:6.1f} s  {self.where:<26} {first}{note}"


class Clone:
    """A fresh clone, and what runs in it."""

    def __init__(self, source: Path, folder: Path, long: bool = False) -> None:
        self._folder, self._long = folder, long
        self._served: subprocess.Popen[bytes] | None = None
        git = shutil.which("git") or "git"
        subprocess.run([git, "clone", "--quiet", "--no-hardlinks", str(source), str(folder)], check=True)  # noqa: S603
        self._settings = folder.with_name(f"{folder.name}.curl")
        self._settings.mkdir()
        (self._settings / ".curlrc").write_text("fail-with-body\n")
        self._variables = self._settings / "variables"

    def run(self) -> Iterator[Result]:
        """Every command of every document, then what the prose names, then what serves, then what ends it."""
        pages = [Document(path) for path in documents(self._folder)]
        try:
            yield self._serve("README.md", RUN)
            typed = set()
            for page in pages:
                self._variables.write_text("")
                name = str(page.path.relative_to(self._folder))
                for command in page.commands:
                    typed.add(_bare(command.text))
                    yield self._result(f"{name}:{command.line}", command)
            said = {text for page in pages for text in page.code if TYPED.match(text)} - typed - set(ENDS)
            self._variables.write_text("")
            serving = sorted(text for text in said if SERVES.search(text))
            for text in sorted(said - set(serving)):
                yield self._result("in the text", Command(text, 0, {}))
            yield self._typed("in the text", "make stop")
            for text in serving:
                yield self._serve("in the text", text)
                yield self._interrupt(text)
            for text in ENDS[1:]:
                yield self._typed("in the text", text)
        finally:
            if self._served and self._served.poll() is None:
                self._interrupt(RUN)

    def _result(self, where: str, command: Command) -> Result:
        missing = [name for name in command.needs if not shutil.which(name)]
        long = "long" in command.marks or LONG.search(command.text)
        if missing or command.is_example or (long and not self._long):
            why = f"needs {', '.join(missing)}" if missing else "is for the reader to complete"
            return Result(where, command.text, None, 0.0, why if missing or command.is_example else "takes minutes")
        return self._typed(where, command.text)

    def _typed(self, where: str, text: str) -> Result:
        began, shell = (
            time.monotonic(),
            f'set -a; . "{self._variables}"; {text}\nstatus=$?; export -p >"{self._variables}"; exit $status',
        )
        self._variables.touch()
        try:
            done = subprocess.run(  # noqa: S603 - what is kept in git here
                [_BASH, "-c", shell],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Result(where, text, 124, PATIENCE, "did not end")
        said = done.stdout.decode(errors="replace").strip().splitlines()[-3:]
        return Result(
            where, text, done.returncode, time.monotonic() - began, " / ".join(said) if done.returncode else ""
        )

    def _serve(self, where: str, text: str) -> Result:
        """Start it and wait until it serves. `make run` has served only when its first order is confirmed."""
        began, log = time.monotonic(), self._settings / "served.log"
        with log.open("wb") as output:
            self._served = served = subprocess.Popen(  # noqa: S603 - as above
                [_BASH, "-c", text if text[0].isupper() else f"exec {text}"],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        ready = READY[:1] if RUN in text else READY
        while time.monotonic() - began < PATIENCE and served.poll() is None:
            if any(words in log.read_text(errors="replace") for words in ready):
                return Result(where, text, 0, time.monotonic() - began, "")
            time.sleep(0.1)
        return Result(where, text, served.poll() or 124, time.monotonic() - began, log.read_text()[-400:])

    def _interrupt(self, text: str) -> Result:
        """Ctrl-C, as a terminal sends it: to everything of the process's group."""
        began, served = time.monotonic(), self._served
        if served is None:
            raise RuntimeError(f"{text} was not started")
        if served.poll() is None:
            os.killpg(served.pid, signal.SIGINT)
        status = served.wait(PATIENCE)
        return Result("", f"Ctrl-C at {text}", 0 if status in (0, 2, 130, -2) else status, time.monotonic() - began, "")

    @property
    def _environment(self) -> dict[str, str]:
        """That of whoever runs this, less what would lead to another environment of Python than the clone's."""
        left = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "MAKEFLAGS", "MAKELEVEL"}
        kept = {name: value for name, value in os.environ.items() if name not in left}
        return {**kept, "CURL_HOME": str(self._settings)}


def _bare(text: str) -> str:
    return re.sub(r" +#.*$", "", text)
