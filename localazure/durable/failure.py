"""What an orchestrator and a history are told of an activity that failed: the .NET exception that Azure makes of it.

The worker reports a Python exception by its type, its words and its stack; the host wraps that in an exception of
its own, and the extension writes the whole as JSON. Code that shows or compares such a text meets kilobytes of it.
Source: recorded failures of host 4.1037, Python worker 4.34 and Durable extension 3.19; `marshall_exception_trace` of
the worker.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from localazure import newtonsoft

_HOST = "/azure-functions-host"
_WORKER = f"{_HOST}/workers/python/azure_functions_worker"
_UNDER = "                  "
_SYNCHRONOUS = (
    (f"{_WORKER}/dispatcher.py", 671, "_handle__invocation_request",
     f"call_result = await self._loop.run_in_executor(\n{_UNDER}{'^' * 33}"),
    ("/usr/lib/python3.11/concurrent/futures/thread.py", 58, "run",
     f"result = self.fn(*self.args, **self.kwargs)\n{_UNDER[:13]}{'^' * 34}"),
    (f"{_WORKER}/dispatcher.py", 1001, "_run_sync_func",
     f"return ExtensionManager.get_sync_invocation_wrapper(context,\n{_UNDER[:11]}{'^' * 53}"),
    (f"{_WORKER}/extension.py", 211, "_raw_invocation_wrapper",
     f"result = function(**args)\n{_UNDER[:13]}{'^' * 16}"),
)  # fmt: skip
_ASYNCHRONOUS = (
    (f"{_WORKER}/dispatcher.py", 669, "_handle__invocation_request",
     "await self._run_async_func(fi_context, fi.func, args)"),
    (f"{_WORKER}/dispatcher.py", 1007, "_run_async_func",
     f"return await ExtensionManager.get_async_invocation_wrapper(\n{_UNDER[:11]}{'^' * 52}"),
    (f"{_WORKER}/extension.py", 143, "get_async_invocation_wrapper",
     f"result = await function(**args)\n{_UNDER[:13]}{'^' * 22}"),
)  # fmt: skip
"""The worker's own frames around a function."""
_SCRIPT = "Microsoft.Azure.WebJobs.Script.Description"
_EXECUTORS = "Microsoft.Azure.WebJobs.Host.Executors"
_EXECUTOR = "/_/src/Microsoft.Azure.WebJobs.Host/Executors/FunctionExecutor.cs"
_INVOKED = (
    f"{_SCRIPT}.WorkerFunctionInvoker.InvokeCore(Object[] parameters, FunctionInvocationContext context) in "
    f"{_HOST}/src/WebJobs.Script/Description/Workers/WorkerFunctionInvoker.cs:line 101",
    f"{_SCRIPT}.FunctionInvokerBase.Invoke(Object[] parameters) in "
    f"{_HOST}/src/WebJobs.Script/Description/FunctionInvokerBase.cs:line 82",
    f"{_SCRIPT}.FunctionGenerator.Coerce[T](Task`1 src) in "
    f"{_HOST}/src/WebJobs.Script/Description/FunctionGenerator.cs:line 225",
    f"{_EXECUTORS}.FunctionInvoker`2.InvokeAsync(Object instance, Object[] arguments)",
    f"{_EXECUTORS}.FunctionExecutor.InvokeWithTimeoutAsync(IFunctionInvoker invoker, ParameterHelper parameterHelper, "
    "CancellationTokenSource timeoutTokenSource, CancellationTokenSource functionCancellationTokenSource, Boolean "
    f"throwOnTimeout, TimeSpan timerInterval, IFunctionInstance instance) in {_EXECUTOR}:line 590",
    f"{_EXECUTORS}.FunctionExecutor.ExecuteWithWatchersAsync(IFunctionInstanceEx instance, ParameterHelper "
    "parameterHelper, ILogger logger, CancellationTokenSource functionCancellationTokenSource) in "
    f"{_EXECUTOR}:line 536",
    f"{_EXECUTORS}.FunctionExecutor.ExecuteWithLoggingAsync(IFunctionInstanceEx instance, FunctionStartedMessage "
    "message, FunctionInstanceLogEntry instanceLogEntry, ParameterHelper parameterHelper, ILogger logger, "
    f"CancellationToken cancellationToken) in {_EXECUTOR}:line 315",
)
"""The host's own frames around a call to the worker."""
_EXTENSION = "Microsoft.Azure.WebJobs.Extensions.DurableTask"
_HRESULT = -2146233088
"""COR_E_EXCEPTION: an exception with no code of its own."""


@dataclass(frozen=True)
class Raised:
    """What a function raised, as the worker reports it."""

    message: str
    """Its type's name, and its words."""
    frames: str
    """The app's own frames, as Python prints them."""
    is_async: bool = False


class FunctionRaised(Exception):
    """An activity function raised."""

    def __init__(self, raised: Raised) -> None:
        super().__init__(raised.message)
        self.raised = raised


def raised(exc: BaseException, *, outside: str = "", is_async: bool = False) -> Raised:
    """What the worker would report; frames up to the last one in the file `outside` are not the app's."""
    frames = traceback.extract_tb(exc.__traceback__)
    within = max((place + 1 for place, frame in enumerate(frames) if frame.filename == outside), default=0)
    return Raised(f"{type(exc).__name__}: {exc}", "".join(traceback.format_list(frames[within:])), is_async)


def reason(name: str, failure: Raised) -> str:
    """Why an activity failed, in one line."""
    return f"Activity function '{name}' failed: {failure.message}"


def details(failure: Raised) -> str:
    """The exception that the extension keeps of the failure, as JSON."""
    around = _ASYNCHRONOUS if failure.is_async else _SYNCHRONOUS
    own = "".join(f'  File "{file}", line {line}, in {name}\n    {code}\n' for file, line, name, code in around)
    stack = own + failure.frames
    rpc = {
        "$type": "Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException, Microsoft.Azure.WebJobs.Script",
        "IsUserException": False,
        "RemoteStackTrace": stack,
        "RemoteMessage": failure.message,
        "RemoteTypeName": None,
        "Message": f"Result: Failure\nException: {failure.message}\nStack: {stack}",
        "Data": {"$type": "System.Collections.ListDictionaryInternal, System.Private.CoreLib"},
        "InnerException": None,
        "HelpLink": None,
        "Source": "System.Private.CoreLib",
        "HResult": _HRESULT,
        "StackTrace": "\n".join(f"   at {frame}" for frame in _INVOKED),
    }
    return newtonsoft.written(_exception("System.Exception", failure.message, rpc))


def missing(name: str) -> tuple[str, str]:
    """Reason and details of an activity that was scheduled and whose function is gone."""
    message = f"Activity function '{name}' does not exist."
    failed = _exception(f"{_EXTENSION}.FunctionFailedException", message, None)
    return f"Activity function '{name}' failed: {message}", newtonsoft.written(
        failed | {"$type": f"{failed['ClassName']}, {_EXTENSION}"}
    )


def _exception(kind: str, message: str, inner: dict[str, object] | None) -> dict[str, object]:
    return {
        "$type": f"{kind}, System.Private.CoreLib",
        "ClassName": kind,
        "Message": message,
        "Data": None,
        "InnerException": inner,
        "HelpURL": None,
        "StackTraceString": None,
        "RemoteStackTraceString": None,
        "RemoteStackIndex": 0,
        "ExceptionMethod": None,
        "HResult": _HRESULT,
        "Source": None,
        "WatsonBuckets": None,
    }
