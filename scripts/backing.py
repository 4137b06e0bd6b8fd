"""Start what Core Tools needs around the app, and say what `local.settings.json` needs. This is `make backing`.

    python -m scripts.backing [--gateway] [--only PART,…] [--port PART=N]

`func start` is then the host: Cosmos DB, Service Bus, Entra, Stripe and EasyPost are the local ones, storage is
Azurite. With --gateway API Management stands in front of that host. --only starts some, where Microsoft's emulators are
the others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localazure.launch import settings as moved
from localazure.parts import FUNCTIONS, TABLE, load, port_variable
from localazure.running import find
from scripts.ending import end
from scripts.infrastructure import ROOT
from scripts.shop import STATE

SAMPLE, SETTINGS = ROOT / "local.settings.sample.json", ROOT / "local.settings.json"
PARTS = ("cosmos", "servicebus", "entra", "stripe", "easypost", "email")
ENDPOINTS = {name: ROOT / TABLE[name].files["endpoint"] for name in PARTS if "endpoint" in TABLE[name].files}
"""Provider → what it is told of the app's webhook."""
GATEWAY = "apim"


def needed(ports: Mapping[str, int], file: Path = SETTINGS) -> dict[str, str]:
    """What the settings file lacks, and what names another address than the parts are at."""
    present = _document(file).get("Values", {})
    wanted = _document(SAMPLE)["Values"] | moved(ports, {}, SAMPLE)
    addresses = {TABLE[part].setting for part in ports}
    return {
        name: value
        for name, value in wanted.items()
        if name not in present or (name in addresses and present[name] != value)
    }


def command(only: Sequence[str], gateway: bool, given: Sequence[str], host: int) -> list[str]:
    """The arguments of `python -m localazure up`; `given`: ports as `PART=N`, `host`: the port of `func start`."""
    words = ["--only", ",".join([*only, *([GATEWAY] if gateway else [])])]
    words += [word for port in given for word in ("--port", port)]
    for name, endpoint in ENDPOINTS.items():
        if name in only and not gateway:
            words += ["--set", f"{name}.webhook_url=http://localhost:{host}/api{_document(endpoint)['url']}"]
    return words


def said(ports: Mapping[str, int], host: int, file: Path = SETTINGS) -> str:
    """What a person does next."""
    lacking = needed(ports, file)
    if lacking:
        lines = json.dumps(lacking, indent=2)[2:-2]
        settings = f'{file.name} needs these under "Values":\n{lines}\n'
    else:
        settings = f"{file.name} has all that Core Tools needs\n"
    return (
        f"\n{settings}\n"
        "Storage, in a second terminal\n"
        "  npx azurite --silent --skipApiVersionCheck --location .local/azurite\n"
        "The host, in a third, with the virtual environment activated\n"
        f"  func start --port {host}\n\nServing until Ctrl-C"
    )


async def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.backing", description="Start what Core Tools needs.")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART,…", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--gateway", action="store_true", help="API Management in front of the host of Core Tools")
    parser.add_argument("--port", action="append", default=[], metavar="PART=N")
    parser.add_argument(
        "--host", type=int, metavar="N", help="port of func start; default: that of local.settings.json"
    )
    parser.add_argument("--state", type=Path, default=STATE, metavar="DIR", help=f"default {STATE}")
    given = parser.parse_args(arguments)
    if unknown := set(given.only.split(",")) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))} is not among {', '.join(PARTS)}")
    if (running := find(given.state)) is not None:
        print(f"Already running, process {running.pid}; make stop ends it\n{running.table()}")
        return 0
    host = given.host or int(_document(SETTINGS).get("Host", {}).get("LocalHttpPort", load(FUNCTIONS).default_port))
    (given.state / "addresses.json").unlink(missing_ok=True)  # of a system that was killed
    words = command(given.only.split(","), given.gateway, given.port, host)
    up = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localazure", "up", "--state", str(given.state), *words),
        env={**os.environ, port_variable(FUNCTIONS): str(host)},  # where the gateway looks for the host
        start_new_session=True,
    )
    return await _serve(up, given.state, host)


async def _serve(up: Process, state: Path, host: int) -> int:
    """Say what is needed as soon as the parts are ready, and end them with Ctrl-C."""
    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupted.set)
    tasks = [asyncio.create_task(each) for each in (interrupted.wait(), up.wait(), _say(state, host))]
    stop, ended, saying = tasks
    try:
        await asyncio.wait({stop, ended}, return_when=asyncio.FIRST_COMPLETED)
        return 0 if stop.done() or up.returncode == 0 else 1
    finally:
        for task in (stop, saying):
            task.cancel()
        await end(up)


async def _say(state: Path, host: int) -> None:
    while not (state / "addresses.json").exists():  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.05)
    addresses = json.loads((state / "addresses.json").read_text())
    ports = {part: int(url.rpartition(":")[2]) for part, url in addresses.items() if part in PARTS}
    print(said(ports, host), flush=True)


def _document(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
