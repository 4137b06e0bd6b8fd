"""Node for tests that need JavaScript: the packages that a folder's lock file names, installed once."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_PATIENCE = 600.0
"""Seconds for an installation."""


def installed(folder: Path) -> str:
    """The path of Node, with the packages of the folder's `package-lock.json`. Skips the test without Node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("needs the programs node (20 or later) and npm")
    _install(npm, folder)
    return node


def _install(npm: str, folder: Path) -> None:
    """Install what the lock file names, once; test processes that start together wait for one another."""
    wanted, stamp = (folder / "package-lock.json").read_bytes(), folder / "node_modules" / ".installed"
    with (folder / ".npmrc").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_bytes() == wanted:
            return
        print(f"Installing the packages of {folder.name} (once, and when its lock file changes)", file=sys.stderr)
        subprocess.run([npm, "ci", "--ignore-scripts", "--silent"], cwd=folder, check=True, timeout=_PATIENCE)
        stamp.write_bytes(wanted)
