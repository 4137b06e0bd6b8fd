"""Answers of the extension's HTTP API: documents, texts and errors, in its form.

What an error tells of the extension's inside (its .NET type, its stack) comes along as a caller meets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from localazure import newtonsoft
from localazure.newtonsoft import JsonReaderException

_TYPE = "application/json; charset=utf-8"
_JSON = "Newtonsoft.Json"
_READER = f"{_JSON}.Serialization.JsonSerializerInternalReader"
_MEMBER = (
    "JsonReader reader, Type objectType, JsonContract contract, JsonProperty member, "
    "JsonContainerContract containerContract, JsonProperty containerMember, Object existingValue"
)
_EXTENSION = "Microsoft.Azure.WebJobs.Extensions.DurableTask"
_SOURCE = "/_/src/WebJobs.Extensions.DurableTask"
_DESERIALIZE = (
    f"{_READER}.Deserialize(JsonReader reader, Type objectType, Boolean checkAdditionalContent)",
    f"{_JSON}.JsonSerializer.DeserializeInternal(JsonReader reader, Type objectType)",
    f"{_JSON}.JsonConvert.DeserializeObject(String value, Type type, JsonSerializerSettings settings)",
    f"{_EXTENSION}.HttpApiHandler.HandleStartOrchestratorRequestAsync(HttpRequestMessage request, String functionName, "
    f"String instanceId, CancellationToken cancellationToken) in {_SOURCE}/HttpApiHandler.cs:line 965",
)
STARTING = (
    (f"{_JSON}.JsonReader.ReadForType(JsonContract contract, Boolean hasConverter)", *_DESERIALIZE),
    (
        f"{_JSON}.JsonReader.ReadAndAssert()",
        f"{_READER}.CreateObject({_MEMBER})",
        f"{_READER}.CreateValueInternal({_MEMBER})",
        *_DESERIALIZE,
    ),
)
"""Who reads the body of a start: a value by itself, a value within another."""
_LOAD = (
    f"{_EXTENSION}.MessagePayloadDataConverter.ConvertToJToken(String input) in "
    f"{_SOURCE}/MessagePayloadDataConverter.cs:line 83",
    f"{_EXTENSION}.HttpApiHandler.HandleRaiseEventRequestAsync(HttpRequestMessage request, String instanceId, "
    f"String eventName) in {_SOURCE}/HttpApiHandler.cs:line 1235",
)
RAISING = (
    (f"{_JSON}.Linq.JToken.ReadFrom(JsonReader reader, JsonLoadSettings settings)", *_LOAD),
    (
        f"{_JSON}.Linq.JContainer.ReadTokenFrom(JsonReader reader, JsonLoadSettings options)",
        f"{_JSON}.Linq.JObject.Load(JsonReader reader, JsonLoadSettings settings)",
        f"{_JSON}.Linq.JToken.ReadFrom(JsonReader reader, JsonLoadSettings settings)",
        *_LOAD,
    ),
)
"""Who reads the body of an event: a value by itself, a value within another."""
RESTARTING = (
    f"{_EXTENSION}.DurableClient.GetOrchestrationInstanceStateAsync(TaskHubClient client, String instanceId) in "
    f"{_SOURCE}/ContextImplementations/DurableClient.cs:line 821",
    f"{_EXTENSION}.DurableClient.GetOrchestrationInstanceStateAsync(String instanceId) in "
    f"{_SOURCE}/ContextImplementations/DurableClient.cs:line 808",
    f"{_EXTENSION}.DurableClient.RestartCoreAsync(String sourceInstanceId, String newInstanceId, String version) in "
    f"{_SOURCE}/ContextImplementations/DurableClient.cs:line 1298",
    f"{_EXTENSION}.DurableClient.{_EXTENSION}.IDurableOrchestrationClient.RestartAsync(String instanceId, "
    f"Boolean restartWithNewInstanceId) in {_SOURCE}/ContextImplementations/DurableClient.cs:line 1283",
    f"{_EXTENSION}.HttpApiHandler.HandleRestartInstanceRequestAsync(HttpRequestMessage request, String instanceId, "
    f"Boolean useOptions) in {_SOURCE}/HttpApiHandler.cs:line 1116",
)
"""Who looks for the instance that is to be restarted."""
SUSPENDING, RESUMING = (
    (
        f"{_EXTENSION}.DurableClient.{_EXTENSION}.IDurableOrchestrationClient.{method}Async(String instanceId, String "
        f"reason) in {_SOURCE}/ContextImplementations/DurableClient.cs:line {line}",
        f"{_EXTENSION}.HttpApiHandler.Handle{method}InstanceRequestAsync"
        "(HttpRequestMessage request, String instanceId)",
        f"{_EXTENSION}.HttpApiHandler.HandleRequestAsync(HttpRequestMessage request)",
    )
    for method, line in (("Suspend", 429), ("Resume", 450))
)
"""Who looks at the instance's state. The lines are not recorded: they are what the source and recorded ones tell."""
HANDLING = (f"{_EXTENSION}.HttpApiHandler.HandleRequestAsync(HttpRequestMessage request)",)
"""Who answers any request."""


def document(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A value as JSON; a text is a JSON string."""
    return text(newtonsoft.written(value), status, headers)


def text(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON that is written already."""
    content = body.encode("utf-8", "replace")  # half a surrogate pair, which JSON can hold, has no UTF-8
    return web.Response(body=content, status=status, headers={**(headers or {}), "Content-Type": _TYPE})


def empty(status: int) -> web.Response:
    return web.Response(status=status)


def error(message: str, status: int) -> web.Response:
    return document({"Message": message}, status)


def exception(message: str, status: int, told: str, kind: str, stack: tuple[str, ...]) -> web.Response:
    """An error that came of a .NET exception."""
    trace = "\n".join(f"   at {frame}" for frame in stack)
    body = {"Message": message, "ExceptionMessage": told, "ExceptionType": kind, "StackTrace": trace}
    return document(body, status)


def failed(told: str, stack: tuple[str, ...]) -> web.Response:
    """What the extension takes for an error of its own: the instance's state does not allow what is asked."""
    message = "Something went wrong while processing your request"
    return exception(message, 500, told, "System.InvalidOperationException", stack)


def argument(told: str) -> web.Response:
    """Something in the request that the extension, or the local task hub, does not take."""
    message = "One or more of the arguments submitted is incorrect"
    return exception(message, 400, told, "System.ArgumentException", HANDLING)


def invalid_json(exc: JsonReaderException, readers: tuple[tuple[str, ...], tuple[str, ...]]) -> web.Response:
    """A body that is not JSON; `readers` are those who read it."""
    stack = tuple(f"{_JSON}.JsonTextReader.{method}" for method in exc.methods) + readers[exc.within]
    return exception("Invalid JSON content", 400, str(exc), "Newtonsoft.Json.JsonReaderException", stack)
