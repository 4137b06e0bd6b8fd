"""Several worker processes, as FUNCTIONS_WORKER_PROCESS_COUNT asks for: the host's side of them.

An invocation goes to the process that has the fewest under way. A process that dies takes its invocations with it
and is replaced by a new one.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from localazure.functions.engine import Invocation, Result
from localazure.functions.errors import InvalidApp
from localazure.functions.frames import Answer, Call, Failure, pack, unpack

log = logging.getLogger("localazure.functions")

_SHORTEST_PAUSE, _MAX_PAUSE = 0.1, 5.0
_SHORT_LIFE = 5.0
"""Seconds: a process that lives no longer is replaced after a pause that grows."""
_PATIENCE = 5.0
"""Seconds that a process has to end once it is told to."""
_GRACE = 2.0
"""Seconds past the time limit, which the process keeps itself unless a function never lets it."""


class WorkerExited(Exception):
    """The worker process died with the invocation under way: how far it got nobody knows."""


class FunctionFailed(Exception):
    """What a function raised in a worker process, in that exception's own words."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self._failure = failure
        self.raised = failure.raised
        self.add_note(failure.traceback)

    @property
    def type(self) -> str:
        """The name of the exception's type."""
        return self._failure.type

    @property
    def traceback(self) -> str:
        """Where it was raised in the worker process."""
        return self._failure.traceback

    def __str__(self) -> str:
        return self._failure.text

    def __repr__(self) -> str:
        return self._failure.shown


class Process:
    """One worker process, started at once; `connect` waits until it is ready."""

    def __init__(self, app: Path, timeout: float) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        with theirs:
            module = ("-m", "localazure.functions.worker_process", str(theirs.fileno()), str(app), str(timeout))
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, *module], stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),)
            )
        self.began = time.monotonic()
        self._limit = None if timeout == float("inf") else timeout + _GRACE
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Result]] = {}
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def under_way(self) -> int:
        return len(self._waiting)

    async def connect(self) -> bool:
        """True once it is ready, False if it ends before."""
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._socket)
        return await unpack(self._reader) is not None

    async def call(self, invocation: Invocation) -> Result:
        """Raises WorkerExited, TimeoutError, or FunctionFailed for anything that the function raises."""
        assert self._writer is not None, "it was ready"
        number = next(self._numbers)
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(pack(Call(number, invocation)))
            async with asyncio.timeout(self._limit):
                return await answer
        except TimeoutError:
            if not answer.done() or answer.cancelled():
                log.error("worker process %d hangs in '%s' and is killed", self.pid, invocation.function)
                self._process.kill()
            raise
        finally:
            del self._waiting[number]

    async def serve(self) -> None:
        """Hand answers to those who wait for them, until the process is gone."""
        assert self._reader is not None, "it was ready"
        while (answer := await unpack(self._reader)) is not None:
            self._take(answer)

    def close(self) -> None:
        """Tell it to end, without waiting for that."""
        (self._writer or self._socket).close()

    def kill(self) -> None:
        """End it now."""
        self.close()
        self._process.kill()
        self._process.wait()

    async def ended(self) -> int:
        """Its exit code, once it has one; it is killed where it takes too long. Whoever waits for an answer is told."""
        self.close()
        if self._writer is not None:
            with suppress(OSError):
                await self._writer.wait_closed()
        try:
            code = await asyncio.to_thread(self._process.wait, _PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = await asyncio.to_thread(self._process.wait)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(WorkerExited(f"the worker process {self.pid} exited with {code}"))
        return code

    def _take(self, answer: Answer) -> None:
        waiting = self._waiting.get(answer.number)
        if waiting is None or waiting.done():
            return
        if answer.failure is None:
            waiting.set_result(answer.result)
        elif answer.failure.timed_out:
            waiting.set_exception(TimeoutError(answer.failure.text))
        else:
            waiting.set_exception(FunctionFailed(answer.failure))


class Processes:
    """A worker that is `count` processes. They start at once, so that they import the app while the host does."""

    def __init__(self, app: Path, count: int, timeout: float) -> None:
        self._app, self._timeout = app, timeout
        self._processes = [Process(app, timeout) for _ in range(count)]
        self._ready: list[Process] = []
        self._some = asyncio.Condition()
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def pids(self) -> list[int]:
        """Process ids of those that are ready."""
        return [process.pid for process in self._ready]

    async def start(self) -> None:
        """Return when all of them are ready. Raises InvalidApp if one ends before."""
        if not all(await asyncio.gather(*(process.connect() for process in self._processes))):
            raise InvalidApp(f"a worker process could not load {self._app}")
        self._ready = list(self._processes)
        loop = asyncio.get_running_loop()
        self._keepers = [loop.create_task(self._keep(place)) for place in range(len(self._processes))]

    async def call(self, invocation: Invocation) -> Result:
        """Raises WorkerExited, TimeoutError, or FunctionFailed for anything that the function raises."""
        if not self._ready:
            async with self._some:
                await self._some.wait_for(lambda: self._ready)
        return await min(self._ready, key=lambda process: process.under_way).call(invocation)

    async def stop(self) -> None:
        self._stopping = True
        for process in self._processes:
            process.close()
        await asyncio.gather(*self._keepers)
        await asyncio.gather(*(process.ended() for process in self._processes))

    def kill(self) -> None:
        """End them now, where there is no host to serve."""
        for process in self._processes:
            process.kill()

    async def _keep(self, place: int) -> None:
        """Replace the process when it ends, until all are to stop."""
        pause = _SHORTEST_PAUSE
        while True:
            process = self._processes[place]
            await process.serve()
            self._ready.remove(process)
            code = await process.ended()
            while not self._stopping:
                log.error("worker process %d exited with %d; another takes its place", process.pid, code)
                young = time.monotonic() - process.began < _SHORT_LIFE
                pause = min(_MAX_PAUSE, pause * 2) if young else _SHORTEST_PAUSE
                await asyncio.sleep(pause)
                process = self._processes[place] = Process(self._app, self._timeout)
                if await process.connect():
                    break
                code = await process.ended()
            if self._stopping:
                return
            async with self._some:
                self._ready.append(process)
                self._some.notify_all()
