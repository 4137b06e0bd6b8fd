"""The same operations by the same official client, on localazure's Cosmos DB and on @vercel/cosmosdb-server."""

from __future__ import annotations

import asyncio
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from scripts.bench.cosmos_load import cosmos as ours
from scripts.bench.cosmos_load import operations
from scripts.bench.figures import ratio
from scripts.bench.options import FAILED, MeasurementFailed, Options, say
from scripts.bench.peers.install import node_server
from scripts.bench.system import free_port

PEER = "vercel_cosmosdb_server"
PATIENCE = 30.0


async def cosmos(options: Options) -> dict[str, Any]:
    """Operations per second on both, and localazure's for each one of the peer's."""
    say(f"  localazure: three kinds of operations, {options.seconds:g} s each")
    found: dict[str, dict[str, Any]] = {"localazure": await ours(options.seconds)}
    try:
        found[PEER] = await _peer(options.seconds)
    except MeasurementFailed as exc:
        say(f"  failed: {exc}")
        found[PEER] = {FAILED: str(exc)}
    return {**found, "ratios": ratios(found["localazure"], found[PEER])}


def ratios(our: Mapping[str, Any], their: Mapping[str, Any]) -> dict[str, Any]:
    """Of the rates, where below 1 localazure is slower, and of the processor time, where above 1 it needs more.

    `None`: the peer did not run.
    """
    rates = {name: ratio(our[name], their.get(name)) for name in our if name.endswith("_per_second")}
    times = their.get("server_ms", {})
    return {**rates, "server_ms": {kind: ratio(spent, times.get(kind)) for kind, spent in our["server_ms"].items()}}


async def _peer(seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="commerce-bench-") as folder:
        command = await node_server(Path(folder))
        async with _serving(command) as (url, process):
            say(f"  {PEER}: three kinds of operations, {seconds:g} s each")
            return await operations(url, process, seconds)


@asynccontextmanager
async def _serving(command: Sequence[str]) -> AsyncIterator[tuple[str, int]]:
    """Its address and its process. Without TLS, as localazure is. It keeps everything in memory."""
    port = free_port()
    words = [*command, "--port", str(port), "--host", "127.0.0.1", "--no-ssl"]
    process = await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=DEVNULL)
    assert process.stdout is not None, "it is a pipe"
    try:
        ready = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        if b"Ready" not in ready:
            raise MeasurementFailed(f"{command[-1]} does not start: {ready.decode()}")
        yield f"http://127.0.0.1:{port}", process.pid
    except TimeoutError:
        raise MeasurementFailed(f"{command[-1]} was not ready within {PATIENCE:g} s") from None
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
