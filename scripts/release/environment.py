"""The environment of what is deployed: a virtual environment with the lock alone, kept until the lock changes.

    python -m scripts.release.environment       make it, and say where its Python is

Azure's remote build installs the same file in the same way: with hashes, pip takes nothing that the lock does not name.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.txt"
KEPT = ROOT / ".venv-deployed"


def python() -> Path:
    """Its interpreter, of the version that runs this. Raises CalledProcessError where pip refuses the lock."""
    state = hashlib.sha256(LOCK.read_bytes() + platform.python_version().encode()).hexdigest()[:12]
    folder = KEPT / state
    found = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        shutil.rmtree(KEPT, ignore_errors=True)
        venv.create(folder, symlinks=True)
        (KEPT / ".gitignore").write_text("*\n")
        words = [sys.executable, "-m", "pip", "--python", str(found), "install", "--quiet"]
        words += ["--disable-pip-version-check", "--require-hashes", "--requirement", str(LOCK)]
        subprocess.run(words, check=True, stdout=sys.stderr)  # noqa: S603 - this very Python's pip
        (folder / ".ready").touch()
    return found


if __name__ == "__main__":
    print(python())
