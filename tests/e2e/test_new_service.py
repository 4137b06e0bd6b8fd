"""What it takes to add services: their folders and their events, and one command.

In a copy of the project `tests/e2e/new_service` adds two. loyalty has operations, a container with an outbox, a topic,
a subscription, a setting and an orchestrator; letters hears what loyalty tells.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import PATIENCE, ROOT, Client, System, started

NEW = Path(__file__).with_name("new_service")
WRITTEN = (
    ".github/workflows/",
    "README.md",
    "apim/",
    "azure.yaml",
    "docs/",
    "infra/",
    "local.settings.sample.json",
    "shared/contracts/schemas/",
    "shared/faultpoints/points.json",
    "shared/messaging/topology.py",
)
BACK_OFFICE = "local-back-office-primary"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the new folders, before the command."""
    copy = tmp_path_factory.mktemp("project")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if source.is_file() and NEW not in source.parents:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy / name)
    shutil.copytree(NEW, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def ran(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=project, capture_output=True, text=True, check=False)


def digests(project: Path) -> dict[str, str]:
    """What is in every file, but for what Python and its tools keep."""
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in project.rglob("*")
        if path.is_file() and not any(part.startswith(("__pycache__", ".mypy", ".pytest")) for part in path.parts)
    }


@pytest.fixture(scope="module")
def written(project: Path) -> set[str]:
    """The files that the command wrote."""
    before = digests(project)
    assert ran(project, "-m", "scripts.infrastructure", "--check").returncode == 1
    assert digests(project) == before
    made = ran(project, "-m", "scripts.infrastructure")
    assert made.returncode == 0, made.stderr
    after = digests(project)
    return {name for name in after if before.get(name) != after[name]}


def test_one_command_writes_everything_else_and_then_has_nothing_to_say(project: Path, written: set[str]) -> None:
    for name in (
        "infra/cosmos.json",
        "infra/servicebus.json",
        "infra/services.json",
        "infra/entra.json",
        "docs/access.md",
    ):
        assert name in written
    assert [name for name in written if not name.startswith(WRITTEN)] == []
    checked = ran(project, "-m", "scripts.infrastructure", "--check")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.usefixtures("written")
def test_the_gate_takes_the_new_services_as_its_own(project: Path) -> None:
    asked = ("tests/architecture/test_imports.py", "tests/unit/test_declarations.py", "tests/unit/test_openapi.py")
    tested = ran(project, "-m", "pytest", "-p", "no:cacheprovider", *asked)
    assert tested.returncode == 0, tested.stdout[-2_000:]
    typed = ran(project, "-m", "mypy", "blueprints/loyalty", "blueprints/letters")
    assert typed.returncode == 0, typed.stdout


@pytest.fixture(scope="module")
def running(project: Path, written: set[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A functions host for each service, behind the gateway."""
    names = [service["name"] for service in json.loads((project / "infra/services.json").read_text())["services"]]
    assert {"loyalty", "letters"} < set(names)
    with started(tmp_path_factory.mktemp("grown"), "--split", ",".join(names), root=project) as found:
        yield found


async def _client(system: System, session: aiohttp.ClientSession, **order: object) -> Client:
    async with session.post(f"{system.addresses['entra']}/_local/tokens", json=order) as answer:
        return Client(system, session, (await answer.json())["access_token"]).at_gateway(BACK_OFFICE)


async def test_the_new_services_serve_and_hear_behind_the_gateway(
    running: System, session: aiohttp.ClientSession
) -> None:
    anyone = Client(running, session, "").at_gateway(BACK_OFFICE)
    weak = await _client(running, session, account="shopper", scopes=["orders.read"])
    shopper = await _client(running, session, account="shopper")
    staff = await _client(running, session, account="staff")
    joining = {"greeting": "Hello"}
    assert (await anyone.call("POST", "/members", joining)).status == 401
    refused = await weak.call("POST", "/members", joining)
    assert (refused.status, refused.problem) == (403, "insufficient-scope")
    assert (await shopper.call("POST", "/members", {"greeting": 1})).status == 400

    answer = await shopper.call("POST", "/members", joining)
    assert answer.status == 202, answer
    member = answer.json["id"]
    assert answer.headers["Location"].endswith(f"/members/{member}")

    await shopper.until(f"/members/{member}", lambda found: found["welcomed"])
    letter = await staff.until(f"/letters/{member}", lambda found: True)
    assert letter == {"text": f"Welcome, {member}"}
    assert (await shopper.call("GET", f"/letters/{member}")).status == 403
    assert (await anyone.call("DELETE", f"/members/{member}")).headers["Allow"] == "GET"

    host = running.addresses["functions-loyalty"]
    async with asyncio.timeout(PATIENCE):
        while True:
            async with session.get(f"{host}/runtime/webhooks/durabletask/instances/{member}") as ended:
                if ended.status == 200:
                    assert (await ended.json())["output"] == "welcomed"
                    return
            await asyncio.sleep(0.03)
