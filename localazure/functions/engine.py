"""Invocations: each is given to a worker, counted, and waited for when the host stops."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec
from azure.functions.meta import Datum

from localazure.functions.indexing import Function

log = logging.getLogger("localazure.functions")


@dataclass(frozen=True)
class RpcException:
    """Why the attempt before failed, in the words of the .NET host; empty at the first attempt."""

    source: str = ""
    stack_trace: str = ""
    message: str = ""


@dataclass(frozen=True)
class RetryContext:
    """Which attempt a function is at; zero of zero where there is no retry policy."""

    retry_count: int = 0
    max_retry_count: int = 0
    rpc_exception: RpcException = RpcException()


NO_POLICY = RetryContext()


class Invocation(msgspec.Struct, frozen=True):
    """What a worker is told: which function, and everything that its parameters are made of."""

    function: str
    data: Datum
    id: str
    metadata: Mapping[str, Datum] = {}
    traceparent: str = ""
    retry: RetryContext = NO_POLICY
    client_binding: str = ""
    """The JSON of durableClient parameters."""
    inputs: Mapping[str, Datum | None] = {}
    """What the input bindings found, by their names."""


class Result(msgspec.Struct, frozen=True):
    """What a function returned, and what it set of its outputs, by their names."""

    value: Datum | None = None
    outputs: Mapping[str, Datum | None] = {}


NO_RESULT = Result()
NO_INPUTS: Mapping[str, Datum | None] = {}


class AppExited(Exception):
    """A function called `sys.exit`: in Azure that ends the worker process, and with it the invocation."""


class Worker(Protocol):
    """Where the app's code runs."""

    async def call(self, invocation: Invocation) -> Result:
        """What the function gave. Raises what the function raises, and TimeoutError past the time limit."""
        ...

    async def stop(self) -> None: ...


class DataBindings(Protocol):
    """What reads the functions' input bindings, and writes their output bindings."""

    async def read(
        self, function: Function, data: Datum, metadata: Mapping[str, Datum]
    ) -> Mapping[str, Datum | None]: ...

    async def write(self, function: Function, data: Datum, metadata: Mapping[str, Datum], result: Result) -> None: ...

    async def close(self) -> None: ...


class Invoker:
    """Has functions run, counts them, and knows when all have ended."""

    def __init__(self, worker: Worker, bindings: DataBindings | None = None) -> None:
        self._worker = worker
        self._bindings = bindings
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.invocations: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.client_binding = ""
        """The JSON of durableClient parameters; set once the host knows its port."""

    async def invoke(
        self,
        function: Function,
        data: Datum,
        metadata: Mapping[str, Datum] | None = None,
        traceparent: str = "",
        retry: RetryContext = NO_POLICY,
        invocation_id: str = "",
    ) -> Datum | None:
        """Call the function, under an id of its own unless one is given; its answer to HTTP, else its return value.

        Raises what `Worker.call` raises, and what a binding raises that cannot be read or written."""
        self._begin()
        started = time.perf_counter()
        try:
            given, inputs = metadata or {}, NO_INPUTS
            bindings = self._bindings if function.data_bindings else None
            if bindings is not None:
                inputs = await bindings.read(function, data, given)
            identifier = invocation_id or new_id()
            result = await self._worker.call(
                Invocation(function.name, data, identifier, given, traceparent, retry, self.client_binding, inputs)
            )
            if bindings is not None:
                await bindings.write(function, data, given, result)
            return answer_of(function, result)
        except SystemExit as exc:
            self.failures[function.name] += 1
            raise AppExited(f"function '{function.name}' exits with {exc.code}") from exc
        except BaseException:
            self.failures[function.name] += 1
            raise
        finally:
            self.invocations[function.name] += 1
            self.seconds[function.name] += time.perf_counter() - started
            self._end()

    async def drain(self, seconds: float) -> None:
        """Wait for what is running, at most so long, and stop the worker."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            log.warning("%d invocations did not end within %g s", self._running, seconds)
        await self._worker.stop()
        if self._bindings is not None:
            await self._bindings.close()

    def _begin(self) -> None:
        self._running += 1
        self._idle.clear()

    def _end(self) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()


def answer_of(function: Function, result: Result) -> Datum | None:
    """The answer to HTTP may be an output by name; everything else that a trigger waits for is the return value."""
    name = function.http_output
    return result.outputs.get(name) if name else result.value


def new_id() -> str:
    """A random UUID of version 4, made as text, which `uuid` takes three times as long for."""
    text = f"{random.getrandbits(128):032x}"  # an id is no secret
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
