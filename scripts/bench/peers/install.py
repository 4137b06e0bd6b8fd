"""Getting the peers: a virtual environment of their own, and a temporary folder for what comes from npm."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from scripts.bench.children import ROOT, output
from scripts.bench.options import MeasurementFailed, say

REQUIREMENTS = ROOT / "requirements-bench.txt"
ENVIRONMENT = ROOT / ".venv-bench"
SERVER = "@vercel/cosmosdb-server@1.0.1"


async def environment() -> str:
    """The Python of `.venv-bench`, made where it is missing or its requirements changed. Raises MeasurementFailed."""
    python = ENVIRONMENT / "bin" / "python"
    ready = ENVIRONMENT / f".ready-{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]}"
    if not ready.exists():
        say(f"  setting up {ENVIRONMENT.name}")
        await output([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)])
        (ENVIRONMENT / ".gitignore").write_text("*\n")
        words = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        await output([*words, "-r", str(REQUIREMENTS)])
        ready.touch()
    return str(python)


async def node_server(folder: Path) -> list[str]:
    """The command of the npm package's server, installed into `folder`. Raises MeasurementFailed."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        raise MeasurementFailed(f"{' and '.join(missing)} cannot be found")
    say(f"  installing {SERVER}")
    (folder / "package.json").write_text("{}")
    await output(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", SERVER], cwd=folder)
    return ["node", str(folder / "node_modules" / ".bin" / "cosmosdb-server")]
