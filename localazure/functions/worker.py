"""What the Python worker does: arguments decoded by its own converters, a context, a time limit, an encoded answer."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from localazure.functions.engine import Invocation
from localazure.functions.indexing import Function

THREADS = 32
_ENCODED = {"httpTrigger": "http", "activityTrigger": "activityTrigger"}
"""Trigger → the binding type whose converter encodes the return value."""
_TEXT = frozenset({"orchestrationTrigger", "entityTrigger"})


class Context(func.Context):
    """What a function's `context` parameter is."""

    def __init__(self, function: Function, invocation: Invocation) -> None:
        self._function = function
        self._invocation_id = invocation.id
        self._trace = TraceContext(invocation.traceparent)
        self._retry = invocation.retry
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


class _Out(func.Out[Any]):
    def __init__(self) -> None:
        self.value: Any = None

    def set(self, val: Any) -> None:
        self.value = val

    def get(self) -> Any:
        return self.value


class AppWorker:
    """Runs the app's functions in this process: the asynchronous ones on its event loop, the others in threads."""

    def __init__(self, functions: Iterable[Function], timeout: float) -> None:
        self._functions = {function.name: function for function in functions}
        self._limit = None if timeout == float("inf") else timeout
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="function")
        self._registry: Any = func.get_binding_registry()  # type: ignore[no-untyped-call]  # untyped in the package

    async def call(self, invocation: Invocation) -> Datum | None:
        """The function's return value. Raises what the function raises, and TimeoutError past the time limit."""
        function = self._functions[invocation.function]
        arguments = self._arguments(function, invocation)
        async with asyncio.timeout(self._limit):
            value = await self._run(function, arguments)
        return self._encode(function.trigger.type, value)

    async def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _arguments(self, function: Function, invocation: Invocation) -> dict[str, Any]:
        trigger = self._registry.get(function.trigger.type)
        arguments = {function.trigger.name: trigger.decode(invocation.data, trigger_metadata=invocation.metadata)}
        for binding in function.inputs:
            arguments[binding.name] = self._registry.get(binding.type).decode(
                Datum(invocation.client_binding, "string"), trigger_metadata={}
            )
        if function.wants_context:
            arguments["context"] = Context(function, invocation)
        return arguments | {binding.name: _Out() for binding in function.outputs if binding.name != "$return"}

    async def _run(self, function: Function, arguments: dict[str, Any]) -> Any:
        if function.is_async:
            return await function.call(**arguments)
        if function.trigger.type == "orchestrationTrigger":
            return function.call(**arguments)
        run = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: run(function.call, **arguments))

    def _encode(self, trigger: str, value: Any) -> Datum | None:
        if trigger in _TEXT:
            return Datum(str(value), "string")
        if trigger not in _ENCODED:
            return None
        datum: Datum | None = self._registry.get(_ENCODED[trigger]).encode(value, expected_type=None)
        return datum
