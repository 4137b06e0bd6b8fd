"""`make setup`, `tools`, `token` and `clean` in a copy of the project, where the installers are stand-ins."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import System
from tests.integration.localazure.commands import command

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
INSTALLER = """\
echo "$@" >>installed.txt
[ -e broken ] && { echo "no such package" >&2; exit 1; }
sleep 5"""


PYTHON = f"""\
[ "$1 $2" = "-m venv" ] && exec {sys.executable} "$@" --without-pip
exec {sys.executable} "$@\""""
"""Nothing is installed in the environments, which are made in less time without an installer of their own."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What `make` needs of the project, in a folder of its own."""
    for name in ("Makefile", "local.settings.sample.json", "host.json", "function_app.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("requirements.txt", "requirements-local.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    program(tmp_path / "installer", INSTALLER)
    program(tmp_path / "python", PYTHON)
    return tmp_path


def program(file: Path, script: str) -> Path:
    """A stand-in at that place."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def make(
    folder: Path, *words: str, python: str = "./python", state: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`make` of the copy, with the installer of the test; no other `make` around it, and `uv` if it is in `bin`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "VIRTUAL_ENV"))}
    environment = {**clean, "PATH": f"{folder / 'bin'}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    environment |= {"LOCALAZURE_STATE": str(state)} if state else {}
    orders = ("make", *words, f"PYTHON={python}", f"PIP={folder / 'installer'}")
    return subprocess.run(
        orders, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )


def test_set_up_shows_what_it_does_and_leaves_standard_output_alone(copy: Path) -> None:
    first = make(copy, "setup")
    assert (first.returncode, first.stdout) == (0, "")
    progress = [int(seconds) for seconds in re.findall(r"^  (\d+) s, \d+ packages$", first.stderr, re.MULTILINE)]
    assert first.stderr.startswith("Setting up .venv with Python 3.")
    assert {2, 4} <= set(progress), first.stderr
    asked = (copy / "installed.txt").read_text().splitlines()
    assert asked == ["--require-hashes -r requirements.txt", "-r requirements-local.txt"]
    assert (copy / "local.settings.json").read_text() == (copy / "local.settings.sample.json").read_text()


def test_what_is_set_up_stays_until_the_requirements_change(copy: Path) -> None:
    assert make(copy, "tools").returncode == 0
    asked = (copy / "installed.txt").read_text().splitlines()
    assert asked[2:] == ["-r requirements-dev.txt"]
    (copy / "local.settings.json").write_text("mine")
    again = make(copy, "tools")
    assert (again.returncode, again.stderr) == (0, "")
    assert (copy / "installed.txt").read_text().splitlines() == asked
    with (copy / "requirements-dev.txt").open("a") as more:
        more.write("# another line\n")
    assert make(copy, "tools").returncode == 0
    assert (copy / "installed.txt").read_text().splitlines()[3:] == ["-r requirements-dev.txt"]
    assert (copy / "local.settings.json").read_text() == "mine"


def test_a_set_up_that_fails_says_why_and_is_tried_again(copy: Path) -> None:
    (copy / "broken").touch()
    failed = make(copy, "setup")
    assert failed.returncode == 2 and "no such package" in failed.stderr and failed.stdout == ""
    (copy / "broken").unlink()
    assert make(copy, "setup").returncode == 0
    assert len((copy / "installed.txt").read_text().splitlines()) == 3


def test_uv_installs_where_there_is_one(copy: Path) -> None:
    program(copy / "bin" / "uv", 'echo "$@" >>asked-of-uv.txt; echo "said by uv"')
    done = make(copy, "tools")
    assert (done.returncode, done.stdout) == (0, "") and "said by uv" in done.stderr
    assert not (copy / "installed.txt").exists()
    into = "pip install --python .venv/bin/python"
    assert (copy / "asked-of-uv.txt").read_text().splitlines() == [
        f"{into} --require-hashes -r requirements.txt",
        f"{into} -r requirements-local.txt",
        f"{into} -r requirements-dev.txt",
    ]


def test_another_python_gets_an_environment_of_its_own(copy: Path) -> None:
    program(copy / "bin" / "uv", "true")
    assert make(copy, "setup").returncode == 0
    (copy / ".venv" / "of-the-first").touch()
    program(copy / "other", '[ "$1" = -V ] && { echo "Python 3.99.0"; exit; }; exec ./python "$@"')
    anew = make(copy, "setup", python="./other")
    assert anew.returncode == 0 and "Setting up .venv with Python 3.99.0" in anew.stderr
    assert not (copy / ".venv" / "of-the-first").exists()
    assert make(copy, "setup", python="./other").stderr == "", "and keeps it"


def test_a_token_is_all_that_is_printed_also_when_it_is_set_up_first(copy: Path, system: System) -> None:
    program(copy / ".venv" / "bin" / "python", f'exec {sys.executable} "$@"')
    program(copy / "bin" / "uv", 'echo "said by uv"')
    done = make(copy, "token", "ACCOUNT=staff", state=system.state)
    assert done.returncode == 0 and "said by uv" in done.stderr, done.stderr
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", done.stdout)


async def test_clean_refuses_while_something_runs_and_forgets_everything_after(copy: Path) -> None:
    sys_python = Path(sys.executable)
    (copy / ".venv").symlink_to(sys.prefix)
    state = copy / ".local"
    async with command("up", "--only", "stripe", "--port", "all=0", state=state) as running:
        await running.ready()
        refused = make(copy, "clean")
        assert refused.returncode == 2 and "Stop it first: make stop" in refused.stderr
        assert (state / "addresses.json").exists() and (copy / ".venv").exists()
        assert running.process.returncode is None
    assert make(copy, "clean").returncode == 0
    assert not state.exists() and not (copy / ".venv").is_symlink()
    assert os.access(sys_python, os.X_OK), "what a link points to is not ours to delete"
