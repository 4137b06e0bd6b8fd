"""`make setup`, `make tools` and `make clean` in a copy of the project; the installer is a stand-in that is slow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.localazure.commands import command

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
INSTALLER = """\
#!/bin/sh
echo "$@" >>installed.txt
[ -e broken ] && { echo "no such package" >&2; exit 1; }
sleep 5
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What `make` needs of the project, in a folder of its own."""
    for name in ("Makefile", "local.settings.sample.json", "host.json", "function_app.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("requirements.txt", "requirements-local.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    installer = tmp_path / "installer"
    installer.write_text(INSTALLER)
    installer.chmod(0o755)
    return tmp_path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`make` of the copy, with the installer of the test; no `uv`, no other `make` around it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "VIRTUAL_ENV"))}
    environment = {**clean, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    orders = ("make", *words, f"PYTHON={sys.executable}", f"PIP={folder / 'installer'}")
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
