"""Whether what the documents name is there: targets of the Makefile with their variables, modules with their flags,
paths, links. Nothing of it is run but `--help`."""

from __future__ import annotations

import functools
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.documents.reading import COMMENT, Document

ROOT = Path(__file__).parents[2]
MADE_HERE = (".local", ".artifacts", ".venv")
"""Folders that are not in the repository: what lies there is made by commands."""
SHELL = frozenset("cd do done export eval for in read set source unset while if then fi test echo".split())
AT_HAND = frozenset({"make", "git", "curl", "bash", "cat", "grep", "python3", ".venv/bin/python"})
"""What README says you need, and what every Debian has."""

_MAKE = re.compile(
    r"((?:[A-Z_]+=[^\s$(]* +)*)(?<![\w/.-])make((?: +(?:-s|[A-Z_]+=\S*|[a-z][a-z-]*))*)(?= *(?:$|[|;&)>#\n`]| {2}))"
)
_MODULE = re.compile(r"(?:python3?|\.venv/bin/python) -m ([\w.]+)([^|;&)\n`>]*)")
_PATH = re.compile(r"(?<![\w/.:$<>~@-])((?:[\w-]+|\.[a-z]+)(?:/[\w.*<>{}-]+)+/?)")
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def documents(root: Path = ROOT) -> list[Path]:
    """README, the pages of docs/ and what else tells people what to do, of what is kept in git."""
    names = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "apim/README.md", "data/README.md"]
    return [*(root / name for name in names), *sorted((root / "docs").glob("*.md"))]


def wrong(document: Document) -> Iterator[str]:
    """What the document names and is not there, each in words."""
    typed = [(f"line {command.line}", command.text, command) for command in document.commands]
    said = [("in the text", text, None) for text in sorted(document.code)]
    for block in document.blocks:
        if not block.language:
            yield f"line {block.line}: the block does not say what it is (sh, text, json, …)"
    for where, text, command in [*typed, *said]:
        yield from (f"{where}: {fault}" for fault in _of_make(text))
        yield from (f"{where}: {fault}" for fault in _of_modules(text))
        yield from (f"{where}: {fault}" for fault in _of_paths(text))
        if command is not None and not command.needs:
            yield from (
                f"{where}: {name} is not on every machine: say needs={name}"
                for name in programs(text) - AT_HAND - SHELL
                if not (ROOT / name).is_file()
            )


def dead_links(document: Document) -> Iterator[str]:
    """Links to files, and to headings, that are not there."""
    for link in sorted(document.links):
        name, _, anchor = link.partition("#")
        target = (document.path.parent / name).resolve() if name else document.path
        if not target.exists():
            yield f"{link}: no such file"
        elif anchor and anchor not in Document(target).anchors:
            yield f"{link}: no such heading"


def programs(text: str) -> set[str]:
    """The programs that a command starts: the first word of each simple command, less variables before it."""
    bare = re.sub(r"'[^']*'", "''", COMMENT.sub("", text))
    bare = re.sub(r'"(?:[^"$\\]|\\.|\$(?!\())*"', '""', bare.replace("\\\n", " "))
    found = re.findall(r"(?:^|[|;&(\n]|\bdo\b|\bthen\b) *((?:[A-Z_]+=[^\s$(]* +)*)([\w.][\w./-]*)(?![\w./=-])", bare)
    return {word for _, word in found}


def _of_make(text: str) -> Iterator[str]:
    for before, found in _MAKE.findall(text):
        targets = [word for word in found.split() if "=" not in word and word != "-s"]
        for target in targets:
            if target not in _recipes():
                yield f"make has no target {target}"
        variables = re.findall(r"([A-Z_]+)=", before + found)
        for name in variables if len(targets) == 1 and targets[0] in _recipes() else ():
            if not _takes(targets[0], name):
                yield f"make {targets[0]} takes no {name}"


def _takes(target: str, name: str) -> bool:
    return f"$({name})" in _recipes()[target] or name.startswith("LOCALAZURE_") or name == "PYTHON"


@functools.cache
def _recipes() -> dict[str, str]:
    """Target → its recipe, with the Makefile's own lists of arguments written out."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    lists = dict(re.findall(r"^([A-Z]+) = (.*)$", text, re.MULTILINE))
    recipes = dict(re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)*)", text, re.MULTILINE))
    return {
        target: re.sub(r"\$\((\w+)\)", lambda m: lists.get(m[1], m[0]), recipe) for target, recipe in recipes.items()
    }


def _of_modules(text: str) -> Iterator[str]:
    for module, given in _MODULE.findall(text):
        if module == "pytest":
            continue
        if importlib.util.find_spec(module) is None:
            yield f"there is no module {module}"
            continue
        words = re.sub(r"  +#.*$", "", given).split()
        positional = [word for word in _until_flag(words) if re.fullmatch(r"[\w.=/-]+", word)]
        flags = set(_FLAG.findall(given))
        if (flags or positional) and (fault := _refused(module, tuple(positional), frozenset(flags))):
            yield fault


def _until_flag(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        if word.startswith("-"):
            return
        yield word


@functools.cache
def _help(module: str, positional: tuple[str, ...]) -> tuple[int, str]:
    command = [sys.executable, "-m", module, *positional, "--help"]
    done = subprocess.run(  # noqa: S603 - a module of this project
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def _refused(module: str, positional: tuple[str, ...], flags: frozenset[str]) -> str:
    """Why the module would not take these words; empty: it takes them. A module without a parser takes none."""
    spec = importlib.util.find_spec(module)
    source = Path(str(spec.origin if spec else ""))
    sources = source.parent.glob("*.py") if source.name == "__init__.py" else [source]
    if not any(re.search(r"import (argparse|click)", found.read_text(encoding="utf-8")) for found in sources):
        return f"{module} takes no arguments"
    status, text = _help(module, positional)
    if status:
        return f"{module} refuses {' '.join(positional)}: {text.strip().splitlines()[-1]}"
    unknown = sorted(flags - set(_FLAG.findall(text)))
    return f"{module} {' '.join(positional)} takes no {', '.join(unknown)}" if unknown else ""


def _of_paths(text: str) -> Iterator[str]:
    for name in _PATH.findall(text.replace("\\\n", " ")):
        top = name.split("/")[0]
        if top in MADE_HERE or not (ROOT / top).is_dir():
            continue
        pattern = re.sub(r"<[^>]*>|\{[^}]*\}", "*", name.rstrip("/."))
        if not next(ROOT.glob(pattern), None):
            yield f"there is no {name}"
