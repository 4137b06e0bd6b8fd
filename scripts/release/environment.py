"""The environment of what is deployed: a virtual environment with the lock alone, kept until the lock changes.

    python -m scripts.release.environment       make it, and say where its Python is

Azure's remote build installs the same file in the same way: with hashes, pip takes nothing that the lock does not name.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.txt"
KEPT = ROOT / ".venv-deployed"


def python() -> Path:
    """Its interpreter, of the version that runs this. Raises CalledProcessError where pip refuses the lock."""
    state = hashlib.sha256(LOCK.read_bytes() + platform.python_version().encode()).hexdigest()[:12]
    folder = KEPT / state
    found = folder / "bin" / "python"
    with made_once(folder) as there:
        if not there:
            venv.create(folder, symlinks=True)
            words = [sys.executable, "-m", "pip", "--python", str(found), "install", "--quiet"]
            words += ["--disable-pip-version-check", "--require-hashes", "--requirement", str(LOCK)]
            subprocess.run(words, check=True, stdout=sys.stderr)  # noqa: S603 - this very Python's pip
    return found


@contextmanager
def made_once(folder: Path) -> Iterator[bool]:
    """Whether the folder is there already, made to the end; who asks while another process makes it waits.

    What earlier states left beside it is removed.
    """
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = folder / ".ready"
        if ready.exists():
            yield True
            return
        for left in folder.parent.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
        (folder.parent / ".gitignore").write_text("*\n")
        yield False
        ready.touch()


if __name__ == "__main__":
    print(python())
