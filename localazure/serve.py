"""One part in one process: started, announced, and stopped by a signal."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import resource
import signal
import sys
import traceback
from pathlib import Path

from localazure.memory import settle
from localazure.part import Config, Part
from localazure.parts import port_variable

READY_FD = "LOCALAZURE_READY_FD"
"""Set by `up`: the file descriptor on which a part says that it accepts connections, as one line of JSON. Such a
part also stops when its standard input ends, so that nothing outlives an `up` that was killed."""


LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run(part: Part, port: int, state: Path, options: dict[str, str]) -> int:
    """Serve until SIGINT or SIGTERM; the process's exit code."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    if part.memory is not None:
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (part.memory, most))
    return asyncio.run(_serve(part, Config(port=port, state=state, options=options)))


async def _serve(part: Part, config: Config) -> int:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        server = await part.start(config)
    except Exception as exc:
        print(_why_not(part, config, exc), file=sys.stderr, flush=True)
        return 1
    print(f"{part.name} ({part.summary}) is at {server.url}", flush=True)
    if ready := os.environ.get(READY_FD):
        await _stop_with_parent(stop)
        with os.fdopen(int(ready), "w") as announcement:
            announcement.write(json.dumps({"url": server.url, "port": server.port}) + "\n")
    settle()
    await stop.wait()
    await server.stop()
    print(f"{part.name} has stopped", flush=True)
    return 0


async def _stop_with_parent(stop: asyncio.Event) -> None:
    class ParentGone(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            stop.set()

    await asyncio.get_running_loop().connect_read_pipe(ParentGone, sys.stdin)


def _why_not(part: Part, config: Config, exc: Exception) -> str:
    if isinstance(exc, OSError) and exc.errno == errno.EADDRINUSE:
        return f"port {config.port} ({part.name}) is in use; set {port_variable(part.name)} or --port N"
    expected = isinstance(exc, (OSError, ValueError)) or type(exc).__module__.startswith("localazure.")
    story = "" if expected else "".join(traceback.format_exception(exc))
    return f"{story}{part.name} cannot start: {exc}"
