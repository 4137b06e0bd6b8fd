"""The app on Microsoft's worker library, beside a system of `localazure` with the same app in its own host."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localazure.launch import settings as overrides
from scripts.release.environment import made_once
from tests.e2e.conftest import System, anonymous, login, session, shopper, staff, started

__all__ = ["anonymous", "login", "session", "shopper", "staff"]

ROOT = Path(__file__).parents[3]
WORKER = Path(__file__).with_name("worker.py")
VERSION = "3.13"


def python313() -> str | None:
    """An interpreter of the version that the library is for, among pyenv's or on the path, that really runs."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [*map(str, root.glob(f"versions/{VERSION}.*/bin/python")), shutil.which(f"python{VERSION}")]
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


@pytest.fixture(scope="session")
def interpreter() -> str:
    """That version with the app's requirements and the library, in a virtual environment that is kept."""
    base = python313()
    if base is None:
        pytest.skip(f"azure-functions-runtime is for Python {VERSION}, which is not on this machine")
    files = [ROOT / name for name in ("requirements.txt", "requirements-runtime.txt")]
    state = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    folder = ROOT / ".venv-runtime" / state
    python = folder / "bin" / "python"
    with made_once(folder) as there:
        if not there:
            subprocess.run([base, "-m", "venv", str(folder)], check=True)
            install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            for file in files:
                subprocess.run([*install, "-r", str(file)], check=True, capture_output=True)
    return str(python)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The fixtures of the end-to-end tests stand on this one."""
    with started(tmp_path_factory.mktemp("runtime")) as running:
        yield running


class Worker:
    """The library in its process. `functions` is what it says the app has: name → bindings."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.functions: dict[str, list[dict[str, Any]]] = self._read()["functions"]

    def invoke(
        self, function: str, metadata: dict[str, Any] | None = None, **inputs: tuple[str, Any]
    ) -> dict[str, Any]:
        """Its answer to one invocation: status, and value or error."""
        assert self._process.stdin is not None
        order = {"function": function, "inputs": inputs, "metadata": metadata or {}}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._read()

    def http(
        self, function: str, method: str, path: str, token: str = "", body: Any = None, **params: str
    ) -> dict[str, Any]:
        """One HTTP request: status, headers, body."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["content-type"] = "application/json"
        request = {
            "method": method,
            "url": f"http://localhost/api/v1{path}",
            "headers": headers,
            "params": params,
            "query": {},
            "body": "" if body is None else json.dumps(body),
        }
        answer = self.invoke(function, req=("http", request))
        assert answer["status"] == "Success", answer
        return dict(answer["value"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("» "):
                return dict(json.loads(line[2:]))
        raise AssertionError(f"the worker has ended: {self._process.stderr.read() if self._process.stderr else ''}")


@pytest.fixture(scope="session")
def worker(interpreter: str, system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    sample = ROOT / "local.settings.sample.json"
    ports = {name: int(url.rpartition(":")[2]) for name, url in system.addresses.items()}
    values = json.loads(sample.read_text())["Values"] | overrides(ports, {}, sample)
    log = (tmp_path_factory.mktemp("worker") / "log").open("w+")
    process = subprocess.Popen(
        [interpreter, str(WORKER), str(ROOT)],
        env={**os.environ, **values, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        yield Worker(process)
    finally:
        process.kill()
        process.communicate()
        log.close()


@pytest.fixture(scope="session")
def indexed() -> dict[str, list[dict[str, Any]]]:
    """What localazure's own host says the app has, in a process of its own."""
    script = (
        "import json; from pathlib import Path; from localazure.functions import indexing; "
        "print(json.dumps({f.name: [b.options for b in (f.trigger, *f.inputs, *f.outputs)] "
        "for f in indexing.load(Path('.'))}))"
    )
    env = {**os.environ, "SERVICES": "*", "RECONCILE_SCHEDULE": "0 * * * * *"}
    output = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    found: dict[str, list[dict[str, Any]]] = json.loads(output.stdout)
    return found
