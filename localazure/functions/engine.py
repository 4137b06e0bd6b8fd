"""Calling functions as the worker does: arguments decoded by its own converters, a context, a time limit."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from localazure.functions.indexing import Function

log = logging.getLogger("localazure.functions")

THREADS = 32


class Context(func.Context):
    """What a function's `context` parameter is."""

    def __init__(self, function: Function, traceparent: str, retry: RetryContext | None) -> None:
        self._function = function
        self._invocation_id = str(uuid.uuid4())
        self._trace = TraceContext(traceparent)
        self._retry = retry
        self._local = threading.local()

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        return self._local

    @property
    def function_name(self) -> str:
        return self._function.name

    @property
    def function_directory(self) -> str:
        return str(self._function.directory)

    @property
    def trace_context(self) -> Any:
        return self._trace

    @property
    def retry_context(self) -> Any:
        return self._retry


@dataclass(frozen=True)
class TraceContext:
    """Where the invocation stands in a distributed trace."""

    trace_parent: str
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RetryContext:
    """Which attempt a function is at, under a retry policy."""

    retry_count: int
    max_retry_count: int
    exception: BaseException | None


@dataclass(frozen=True)
class Result:
    """What a function gave back: its return value, and what it set through `func.Out` parameters."""

    value: Any
    outputs: Mapping[str, Any]


class _Out(func.Out[Any]):
    def __init__(self) -> None:
        self.value: Any = None

    def set(self, val: Any) -> None:
        self.value = val

    def get(self) -> Any:
        return self.value


class Invoker:
    """Runs functions, counts them, and knows when all have ended."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="function")
        self._registry: Any = func.get_binding_registry()  # type: ignore[no-untyped-call]  # untyped in the package
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
        retry: RetryContext | None = None,
    ) -> Result:
        """Call the function. Raises what it raises, and TimeoutError past the app's functionTimeout."""
        context = Context(function, traceparent, retry)
        outs = {binding.name: _Out() for binding in function.outputs if binding.name != "$return"}
        self._begin()
        started = time.perf_counter()
        try:
            arguments = self._arguments(function, data, metadata, context) | outs
            value = await self._call(function, arguments)
        except BaseException:
            self.failures[function.name] += 1
            raise
        finally:
            self.invocations[function.name] += 1
            self.seconds[function.name] += time.perf_counter() - started
            self._end()
        return Result(value, {name: out.value for name, out in outs.items()})

    async def drain(self, seconds: float) -> None:
        """Wait for what is running, at most so long."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            log.warning("%d invocations did not end within %g s", self._running, seconds)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def encode(self, binding_type: str, value: Any) -> Datum | None:
        """A returned or set value as the worker would send it to the host."""
        datum: Datum | None = self._registry.get(binding_type).encode(value, expected_type=None)
        return datum

    def _arguments(
        self, function: Function, data: Datum, metadata: Mapping[str, Datum] | None, context: Context
    ) -> dict[str, Any]:
        trigger = self._registry.get(function.trigger.type)
        arguments = {function.trigger.name: trigger.decode(data, trigger_metadata=metadata or {})}
        for binding in function.inputs:
            arguments[binding.name] = self._registry.get(binding.type).decode(
                Datum(self.client_binding, "string"), trigger_metadata={}
            )
        if function.wants_context:
            arguments["context"] = context
        return arguments

    async def _call(self, function: Function, arguments: dict[str, Any]) -> Any:
        limit = None if self._timeout == float("inf") else self._timeout
        async with asyncio.timeout(limit):
            if function.is_async:
                return await function.call(**arguments)
            if function.trigger.type == "orchestrationTrigger":
                return function.call(**arguments)
            run = contextvars.copy_context().run
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: run(function.call, **arguments)
            )

    def _begin(self) -> None:
        self._running += 1
        self._idle.clear()

    def _end(self) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()
