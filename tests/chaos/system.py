"""The whole system as processes that a test may kill and start again, each on its own, as often as it likes."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp

from localazure.launch import plan
from localazure.parts import TABLE
from localazure.supervisor import DRAIN, Child, Launch, StartFailed
from tests.chaos.stores import Stores

ROOT = Path(__file__).parents[2]
LOCK = "PT4S"
"""How long a message stays locked by a host that died. The minute of `infra/servicebus.json` would be waited out
after every crash; a host that lives renews its locks every second either way."""
STRIPE_TIMEOUT = 3
"""Seconds that payments waits for one answer of the provider."""
CREDIT = 50_000_000
SETTINGS = {
    "ORDER_DEADLINE_SECONDS": "45",
    "STRIPE_TIMEOUT_SECONDS": str(STRIPE_TIMEOUT),
    "PRODUCT_CACHE_SECONDS": "1",
    "ORDER_LINES_PER_MINUTE": "100000",
    "ORDER_MOST_OPEN": "1000",
    "ORDER_DECLINES_PER_HOUR": "1000",
    "ORDER_CREDIT": str(CREDIT),
    "EASYPOST_TIMEOUT_SECONDS": "3",
    "TRACKING_POLL_SECONDS": "1",
    "TRACKING_SILENT_SECONDS": "2",
    "ERASURE_COOLING_OFF_SECONDS": "8",
    "ERASURE_CHASE_SECONDS": "5",
    "EXPORT_CHASE_SECONDS": "5",
    "APPROVAL_RULES": '[{"name": "abroad", "when": "country_outside", "currency": "GBP", "countries": ["GB"]}]',
    "APPROVAL_SECONDS": "12",
    "IMPORT_ROWS_PER_SECOND": "1000",
}
"""A few accounts order what many customers do elsewhere, and up to `CREDIT` the stock is asked for at once."""
_PORTS = range(20_000, 32_000)
"""Below the ports that the operating system gives to clients: while a part is dead, nobody may take its port."""
_next_port = itertools.cycle(random.sample(_PORTS, len(_PORTS)))
_START_AGAIN = 20


class System:
    """Everything `python -m localazure up` starts, without its keeper: what dies stays dead until it is started."""

    def __init__(
        self, folder: Path, launches: Mapping[str, Launch], admin_port: int, settings: Mapping[str, str]
    ) -> None:
        self._environment = settings
        self.state = folder / "state"
        self.marks = folder / "marks"
        self._launches = launches
        self._children: dict[str, Child] = {}
        self.addresses = {name: f"http://localhost:{launch.port}" for name, launch in launches.items()}
        self.bus_admin = f"http://localhost:{admin_port}"
        self.settings = {**json.loads((folder / "settings.json").read_text())["Values"], **settings}
        for launch in launches.values():
            self.settings |= launch.environment

    async def start(self, name: str, **environment: str) -> None:
        """Start a part, with `environment` beside its own. Raises StartFailed if it cannot."""
        launch = self._launches[name]
        environment = {**self._environment, "CRASH_MARKS": str(self.marks), **launch.environment, **environment}
        child = Child(replace(launch, environment=environment), self.state)
        self._children[name] = child
        await child.start()

    async def start_all(self) -> None:
        """The functions host after the others, as `up` does."""
        await asyncio.gather(*(self.start(name) for name, launch in self._launches.items() if not launch.host))
        await asyncio.gather(*(self.start(name) for name in self.hosts))

    @property
    def hosts(self) -> list[str]:
        """The names of the instances of the functions host."""
        return [name for name, launch in self._launches.items() if launch.host]

    @property
    def processes(self) -> dict[str, int]:
        """The process of each part that lives."""
        found = {name: child.process for name, child in self._children.items()}
        return {name: process.pid for name, process in found.items() if process and process.returncode is None}

    async def leave(self, name: str) -> None:
        """A clean end: what it is doing may end."""
        await self._children[name].stop(DRAIN)

    async def kill(self, name: str) -> None:
        """SIGKILL, unless it is dead already; returns when it is."""
        process = self._children[name].process
        assert process is not None, f"{name} was never started"
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()

    async def kill_worker(self, chance: random.Random) -> bool:
        """SIGKILL for one of the processes that run the app's code; False where the host is dead itself."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
                session.get(f"{self.addresses['functions']}/admin/host/processes") as answer,
            ):
                told = (await answer.json())["processes"]
                workers = [process["processId"] for process in told if process["processName"] == "python"]
            os.kill(chance.choice(workers), signal.SIGKILL)
        except (aiohttp.ClientError, TimeoutError, OSError, LookupError):
            return False
        return True

    async def ended(self, name: str) -> int:
        """Wait until the part has died; its exit code."""
        process = self._children[name].process
        assert process is not None, f"{name} was never started"
        return await process.wait()

    async def restart(self, name: str, **environment: str) -> None:
        """Kill it if it lives, and start it again on the same port and the same files."""
        await self.kill(name)
        for attempt in range(_START_AGAIN):
            try:
                await self.start(name, **environment)
                return
            except StartFailed:
                if attempt == _START_AGAIN - 1:
                    raise

    async def kill_all(self) -> None:
        await asyncio.gather(*(self.kill(name) for name in self._children))

    @property
    def stores(self) -> Stores:
        return Stores(self.settings, self.addresses, self.bus_admin, self.state)

    def log(self, name: str) -> str:
        return (self.state / "logs" / f"{name}.log").read_text(errors="replace")


@asynccontextmanager
async def running(
    folder: Path,
    lock: str = LOCK,
    ranges: int = 1,
    recovery: str = "fast",
    instances: int = 0,
    settings: Mapping[str, str] = SETTINGS,
    deliveries: int | None = None,
) -> AsyncIterator[System]:
    """A fresh system in `folder`, started; everything is killed at the end. Containers have so many physical ranges,
    and a message dies after so many `deliveries`, or as many as are declared.

    With fast recovery a host that is started again need not wait for what the dead one held, which most tests would
    otherwise spend their time with.
    """
    (folder / "state" / "logs").mkdir(parents=True)
    shutil.copy(ROOT / "local.settings.sample.json", folder / "settings.json")
    entities = folder / "servicebus.json"
    declared = json.loads((ROOT / "infra" / "servicebus.json").read_text())
    properties = {"LockDuration": lock, **({"MaxDeliveryCount": deliveries} if deliveries else {})}
    entities.write_text(json.dumps(_with(declared, properties)))
    admin_port = _free_port()
    options = {
        "functions": {"settings": str(folder / "settings.json"), "app": str(ROOT), "recovery": recovery},
        "cosmos": {"ranges": str(ranges)},
        "servicebus": {"entities": str(entities), "admin_port": str(admin_port)},
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCALAZURE_")}
    launches = plan([], {name: _free_port() for name in TABLE}, options, environment, ROOT, instances=instances)
    system = System(folder, {launch.name: launch for launch in launches}, admin_port, settings)
    try:
        await system.start_all()
        yield system
    finally:
        await system.kill_all()


def _with(declared: object, properties: Mapping[str, object]) -> object:
    """The same entities, with those properties wherever they are declared."""
    if isinstance(declared, dict):
        return {name: properties.get(name, _with(value, properties)) for name, value in declared.items()}
    return [_with(value, properties) for value in declared] if isinstance(declared, list) else declared


def _free_port() -> int:
    for port in _next_port:
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise AssertionError("an endless cycle has no end")
