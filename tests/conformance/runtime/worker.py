"""Microsoft's Python worker library around this app, driven over stdin and stdout; run by Python 3.13.

The library is what runs inside the Functions host's Python worker: it gets messages and answers with messages, whose
classes its caller supplies (the worker proper: those generated from FunctionRpc.proto). Here they are plain objects
with the same fields.

Each line in is `{"function": name, "inputs": {name: [kind, value]}, "metadata": {name: value}}`, each line out
`{"status": "Success" | "Failure", "value": …, "error": …}`; the first line out is the functions' metadata.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

OUT = sys.stdout


class Message:
    """Any message: the fields it was made with; the others are absent."""

    def __init__(self, **fields: Any) -> None:
        self._given = list(fields)
        self.__dict__.update(fields)

    def WhichOneof(self, _: str) -> str | None:
        return self._given[-1] if self._given else None


class BindingInfo(Message):
    """Bindings' directions and data types are numbers there."""

    undefined, out, inout = 0, 1, 2

    def __init__(self, type: str, data_type: Any, direction: Any) -> None:
        super().__init__(type=type, data_type=int(data_type or 0), direction=int(direction or 0))


class StatusResult(Message):
    Success, Failure = "Success", "Failure"


class SameSite:
    Lax, Strict, ExplicitNone = "Lax", "Strict", "ExplicitNone"


setattr(SameSite, "None", "None")


class Cookie(Message):
    """One cookie of an answer."""

    SameSite = SameSite


class Protos:
    """The messages the library makes. Those without constants need no class of their own."""

    BindingInfo = BindingInfo
    RpcHttpCookie = Cookie
    StatusResult = StatusResult

    def __getattr__(self, name: str) -> type[Message]:
        return type(name, (Message,), {})


def typed(kind: str, value: Any) -> Message:
    """TypedData from JSON."""
    if kind == "http":
        content = Message(bytes=value.pop("body", "").encode())
        return Message(http=Message(**value, body=content))
    return Message(**{kind: value.encode() if kind == "bytes" else value})


def described(value: Any) -> Message:
    """One entry of a trigger's metadata."""
    return Message(string=value) if isinstance(value, str) else Message(json=json.dumps(value))


def plain(data: Any) -> Any:
    """TypedData to JSON."""
    if data is None:
        return None
    kind = data.WhichOneof("data")
    value = getattr(data, kind)
    if kind == "http":
        headers = {name.lower(): text for name, text in value.headers.items()}
        return {"status": int(value.status_code), "headers": headers, "body": plain(value.body)}
    return value.decode() if isinstance(value, bytes) else value


async def main(app: Path) -> None:
    sys.path.insert(0, str(app))
    from azure_functions_runtime import handle_event

    protos = Protos()
    init = Message(capabilities={}, function_app_directory=str(app))
    started = await handle_event.worker_init_request(
        Message(request=Message(worker_init_request=init), properties={"host": "127.0.0.1", "protos": protos})
    )
    if started.result.status != StatusResult.Success:
        say({"error": started.result.exception.message})
        return
    indexed = (await handle_event.functions_metadata_request(None)).function_metadata_results
    ids = {function.name: function.function_id for function in indexed}
    say({"functions": {function.name: [json.loads(raw) for raw in function.raw_bindings] for function in indexed}})
    while line := await asyncio.to_thread(sys.stdin.readline):
        say(await invoke(handle_event, ids, json.loads(line)))


async def invoke(library: Any, ids: dict[str, str], order: dict[str, Any]) -> dict[str, Any]:
    inputs = [BindingData(name, typed(kind, value)) for name, (kind, value) in order["inputs"].items()]
    request = Message(
        invocation_id="1",
        function_id=ids[order["function"]],
        input_data=inputs,
        trigger_metadata={name: described(value) for name, value in order["metadata"].items()},
        trace_context=Message(trace_parent="", trace_state="", attributes={}),
        retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
    )
    answer = await library.invocation_request(Message(request=Message(invocation_request=request)))
    if answer.result.status != StatusResult.Success:
        return {"status": "Failure", "error": answer.result.exception.message}
    return {"status": "Success", "value": plain(answer.return_value)}


class BindingData(Message):
    """ParameterBinding: a name, and the data that stands for its oneof."""

    def __init__(self, name: str, data: Message) -> None:
        super().__init__(name=name, data=data)

    def WhichOneof(self, _: str) -> str:
        return "data"


def say(document: dict[str, Any]) -> None:
    OUT.write("» " + json.dumps(document) + "\n")
    OUT.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
