"""The zip of each service, unpacked, in an environment that has the locked requirements alone.

Each is served by a host of its own, and together they sell something. An app can import that host beside itself.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp
import pytest

from localazure.launch import settings as overrides
from scripts.declared import operations, routes
from scripts.release.environment import python
from scripts.release.package import ROOT, services, unpack, write
from shared.web.operation import Operation
from tests.e2e.conftest import PATIENCE, Client, System, basket, started

SERVICES = services()


@pytest.fixture(scope="module")
def backing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """What the hosts need, without a host."""
    parts = "cosmos,servicebus,entra,stripe,easypost,email"
    with started(tmp_path_factory.mktemp("backing"), "--only", parts) as running:
        yield running


@pytest.fixture(scope="module")
def hosts(backing: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Service → where its package is served."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "host").mkdir()
    (folder / "host" / "localazure").symlink_to(ROOT / "localazure")
    with ExitStack() as running:
        begun = [running.enter_context(_served(service, backing, folder)) for service in SERVICES]
        yield {service: _address(*each) for service, each in zip(SERVICES, begun, strict=True)}


@contextmanager
def _served(service: str, backing: System, folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The package in a host of its own: the process and its log."""
    app = unpack(write(service, folder))
    sample = ROOT / "local.settings.sample.json"
    ports = {name: int(url.rpartition(":")[2]) for name, url in backing.addresses.items()}
    own = {"SERVICES": service, "FUNCTIONS_WORKER_PROCESS_COUNT": "1", "PRODUCT_CACHE_SECONDS": "1"}
    command = [
        str(python()),
        "-m",
        "localazure",
        "functions",
        "--port",
        "0",
        "--state",
        str(folder / f"{service}-state"),
    ]
    command += ["--option", f"app={app}", "--option", f"settings={sample}"]
    environment = {
        **overrides(ports, {}, sample),
        **own,
        "PYTHONPATH": str(folder / "host"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = folder / f"{service}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=app, env={"PATH": os.environ["PATH"], **environment}, stdout=output, stderr=output, text=True
        )
        try:
            yield process, log
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _address(process: subprocess.Popen[str], log: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while not (found := re.search(r"is at (http\S+)", log.read_text())):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return found[1]


@pytest.fixture
def system(backing: System) -> System:
    """Whose accounts sign in."""
    return backing


@pytest.fixture
async def anyone() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as made:
        yield made


def _path(template: str) -> str:
    return f"/api/v1{re.sub(r'{[^}]+}', 'none', template)}"


def test_the_environment_has_what_is_locked_and_nothing_else() -> None:
    words = [
        str(python()),
        "-c",
        "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))",
    ]
    found = {
        name.lower() for name in json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    }
    assert {"azure-functions", "azure-cosmos"} <= found
    assert found.isdisjoint({"pytest", "lark", "google-re2", "mypy"})


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.id)
async def test_each_package_serves_its_own_routes_and_no_others(
    hosts: dict[str, str], anyone: aiohttp.ClientSession, operation: Operation
) -> None:
    for owner, (_, path) in routes(operation).items():
        for service, address in hosts.items():
            async with anyone.request(operation.method, address + _path(path)) as answer:
                served = answer.status in (200, 201) or answer.headers.get("Content-Type") == "application/problem+json"
                assert served == (service == owner), f"{service}: {answer.status} {await answer.text()}"


async def test_the_packages_together_sell_something(hosts: dict[str, str], staff: Client, shopper: Client) -> None:
    def at(caller: Client, service: str) -> Client:
        return Client(caller.system, caller.session, caller.token, f"{hosts[service]}/api/v1")

    sku = f"T{secrets.token_hex(5)}"
    product = {"name": "Thing", "category": "tests", "price": {"amount": 250, "currency": "GBP"}}
    assert (await at(staff, "catalog").call("PUT", f"/products/{sku}", product)).status == 201
    assert (await at(staff, "inventory").call("PUT", f"/stock/{sku}", {"on_hand": 2})).status == 201
    buyer = at(shopper, "orders")
    order = await buyer.placed(basket((sku, 2)))
    assert (await buyer.settled(order["id"]))["status"] == "confirmed"
    payments = at(shopper, "payments")
    paid = await payments.until(f"/orders/{order['id']}/payment", lambda payment: payment["status"] == "captured")
    assert paid["amount"]["amount"] == 500
