"""What the Python worker does: arguments decoded by its own converters, a context, a time limit, encoded answers."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from localazure.functions.annotations import RETURN
from localazure.functions.context import context_of, local
from localazure.functions.converters import decode, encode
from localazure.functions.engine import NO_RESULT, Invocation, Result
from localazure.functions.indexing import Function
from localazure.functions.limit import Limit

THREADS = 32


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
        self._limit = None if timeout == float("inf") else Limit(timeout)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="function")

    async def call(self, invocation: Invocation) -> Result:
        """What the function returned and set. Raises what it raises, and TimeoutError past the time limit."""
        function = self._functions[invocation.function]
        arguments = _arguments(function, invocation)
        call = self._run(function, arguments, invocation.id)
        value = await (call if self._limit is None else self._limit.within(call))
        return _result(function, value, arguments)

    async def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, function: Function, arguments: dict[str, Any], invocation_id: str) -> Any:
        local.invocation_id = invocation_id
        if function.is_async:
            return await function.call(**arguments)
        if function.trigger.type == "orchestrationTrigger":
            return function.call(**arguments)
        run = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, run, _in_thread, function, arguments, invocation_id
        )


def _in_thread(function: Function, arguments: dict[str, Any], invocation_id: str) -> Any:
    local.invocation_id = invocation_id
    try:
        return function.call(**arguments)
    finally:
        local.invocation_id = None


def _arguments(function: Function, invocation: Invocation) -> dict[str, Any]:
    converters, trigger = function.signature.inputs, function.trigger.name
    arguments = {trigger: decode(converters[trigger], invocation.data, invocation.metadata)}
    for binding in function.inputs:
        data = invocation.inputs.get(binding.name)
        if binding.type == "durableClient":
            data = Datum(invocation.client_binding, "string")
        arguments[binding.name] = decode(converters[binding.name], data, {})
    if function.signature.wants_context:
        arguments["context"] = context_of(function, invocation)
    for name in function.signature.outputs:
        arguments[name] = _Out()
    return arguments


def _result(function: Function, value: Any, arguments: dict[str, Any]) -> Result:
    signature = function.signature
    if value is not None and signature.returns is None:
        raise RuntimeError(f"function '{function.name}' has no {RETURN} binding, and returned a {type(value).__name__}")
    if value is None and signature.returns is None and not signature.outputs:
        return NO_RESULT
    outputs = {
        name: encode(kind, arguments[name].value)
        for name, kind in signature.outputs.items()
        if arguments[name].value is not None
    }
    return Result(None if signature.returns is None else encode(signature.returns, value), outputs)
