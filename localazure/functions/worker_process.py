"""A worker process: `python -m localazure.functions.worker_process DESCRIPTOR APP TIMEOUT`, started by `processes`.

It ends when the host's end of its socket is closed, also if the host was killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path

from localazure.durable.failure import raised
from localazure.functions import indexing
from localazure.functions import worker as worker_module
from localazure.functions.errors import HostError
from localazure.functions.frames import Answer, Call, Failure, pack, unpack
from localazure.functions.settings import read_host_file
from localazure.functions.worker import AppWorker
from localazure.memory import settle
from localazure.serve import LOG_FORMAT

_PATIENCE = 10.0
"""Seconds that what the app has running may take once the host is gone."""


def main(descriptor: str, app: str, timeout: str) -> int:
    """Serve invocations until the host is gone; the process's exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the host as well, which says when to stop
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    logging.getLogger("azure").setLevel(logging.WARNING)
    try:
        level = read_host_file(Path(app)).log_level
        logging.getLogger().setLevel(logging.INFO if level is None else level)
        worker = AppWorker(indexing.load(Path(app)), float(timeout))
    except HostError:
        return 1  # the host finds the same in the same app, and says so
    settle()
    asyncio.run(_serve(socket.socket(fileno=int(descriptor)), worker))
    late = threading.Timer(_PATIENCE, os._exit, (1,))  # a thread of the app's that never ends would keep it for ever
    late.daemon = True
    late.start()
    return 0


async def _serve(host: socket.socket, worker: AppWorker) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=host)
    running: set[asyncio.Task[None]] = set()

    async def answer(call: Call) -> None:
        try:
            result = Answer(call.number, await worker.call(call.invocation))
        except Exception as exc:
            result = Answer(call.number, failure=_failure(exc))
        writer.write(pack(result))

    writer.write(pack(Answer(0)))
    while (call := await unpack(reader)) is not None:
        task = asyncio.get_running_loop().create_task(answer(call))
        running.add(task)
        task.add_done_callback(running.discard)


def _failure(exc: Exception) -> Failure:
    story = "".join(traceback.format_exception(exc))
    told = raised(exc, outside=worker_module.__file__)
    return Failure(type(exc).__name__, str(exc), repr(exc), story, isinstance(exc, TimeoutError), told)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
