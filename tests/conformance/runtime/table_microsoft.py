"""The table of cases in Microsoft's worker library, all in one process; run by Python 3.13 as a script.

In: JSON lines `{"app": directory, "data": [kind, value], "metadata": {…}, "inputs": {name: [kind, value]}}`; out: one
JSON line for each, `{"refused": reason}` or `{"status", "value", "outputs", "seen", "error"}`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.conformance.runtime.worker import BindingData, Message, Protos, StatusResult, described, plain, typed


def made(kind: str, value: Any) -> Message:
    """TypedData from JSON, collections too."""
    if kind == "collection_string":
        return Message(collection_string=Message(string=value))
    return typed(kind, dict(value) if kind == "http" else value)


def said(data: Any) -> Any:
    """TypedData with its kind, as JSON."""
    kind = data.WhichOneof("data") if data is not None else None
    value = plain(data)
    return None if kind is None else [kind, value]


async def main() -> None:
    from azure_functions_runtime import handle_event

    for line in sys.stdin:
        order = json.loads(line)
        print("» " + json.dumps(await outcome(handle_event, order)), flush=True)


async def outcome(library: Any, order: dict[str, Any]) -> dict[str, Any]:
    app = order["app"]
    sys.path.insert(0, app)
    sys.modules.pop("function_app", None)
    importlib.invalidate_caches()
    library._functions._functions.clear()
    library._metadata_result = None
    try:
        init = Message(capabilities={}, function_app_directory=app)
        properties = {"host": "127.0.0.1", "protos": Protos()}
        request = Message(request=Message(worker_init_request=init), properties=properties)
        started = await library.worker_init_request(request)
        if started.result.status != StatusResult.Success:
            return {"refused": started.result.exception.message}
        return await called(library, order)
    finally:
        sys.path.remove(app)


async def called(library: Any, order: dict[str, Any]) -> dict[str, Any]:
    (function,) = (await library.functions_metadata_request(None)).function_metadata_results
    request = Message(
        invocation_id="00000000-0000-0000-0000-000000000001",
        function_id=function.function_id,
        input_data=[BindingData(name, made(*data)) for name, data in [("x", order["data"]), *order["inputs"].items()]],
        trigger_metadata={name: described(value) for name, value in order["metadata"].items()},
        trace_context=Message(trace_parent="", trace_state="", attributes={}),
        retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
    )
    answer = await library.invocation_request(Message(request=Message(invocation_request=request)))
    seen = sys.modules["function_app"].seen
    if answer.result.status != StatusResult.Success:
        return {"status": "Failure", "error": answer.result.exception.message, "seen": seen}
    outputs = {output.name: said(output.data) for output in answer.output_data}
    return {"status": "Success", "value": said(answer.return_value), "outputs": outputs, "seen": seen}


if __name__ == "__main__":
    asyncio.run(main())
