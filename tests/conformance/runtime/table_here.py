"""The table of cases in this project's own worker, all in one process: lines as those of `table_microsoft`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from azure.functions.meta import Datum

from localazure.functions import indexing
from localazure.functions.engine import Invocation, Result
from localazure.functions.errors import HostError
from localazure.functions.worker import AppWorker


def datum(kind: str, value: Any) -> Datum:
    if kind == "collection_string":
        return Datum(SimpleNamespace(string=value), kind)
    if kind != "http":
        return Datum(value, kind)
    fields: dict[str, Any] = {name: Datum(value[name], "string") for name in ("method", "url")}
    for name in ("headers", "params", "query"):
        fields[name] = {key: Datum(text, "string") for key, text in value[name].items()}
    return Datum({**fields, "body": Datum(value["body"].encode(), "bytes")}, "http")


def described(value: Any) -> Datum:
    return Datum(value, "string") if isinstance(value, str) else Datum(json.dumps(value), "json")


def said(data: Datum | None) -> Any:
    if data is None or data.type is None:
        return None
    if data.type == "http":
        headers = {name.lower(): text.value for name, text in data.value["headers"].items()}
        status = int(data.value["status_code"].value)
        return ["http", {"status": status, "headers": headers, "body": data.value["body"].value.decode()}]
    return [data.type, data.value.decode() if isinstance(data.value, bytes) else data.value]


async def outcome(order: dict[str, Any]) -> dict[str, Any]:
    sys.modules.pop("function_app", None)
    try:
        functions = indexing.load(Path(order["app"]))
    except HostError as exc:
        return {"refused": str(exc)}
    worker = AppWorker(functions, float("inf"))
    client = order["inputs"].pop("client", ("string", ""))
    invocation = Invocation(
        functions[0].name,
        datum(*order["data"]),
        "00000000-0000-0000-0000-000000000001",
        {name: described(value) for name, value in order["metadata"].items()},
        client_binding=client[1],
        inputs={name: datum(*data) for name, data in order["inputs"].items()},
    )
    result, error = Result(), ""
    try:
        result = await worker.call(invocation)
    except Exception as exc:
        error = f"{type(exc).__name__}: {exc}"
    await worker.stop()
    seen = sys.modules["function_app"].seen
    if error:
        return {"status": "Failure", "error": error, "seen": seen}
    outputs = {name: said(data) for name, data in result.outputs.items()}
    return {"status": "Success", "value": said(result.value), "outputs": outputs, "seen": seen}


async def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        print("» " + json.dumps(await outcome(order)), flush=True)
        sys.path.remove(order["app"])


if __name__ == "__main__":
    for name in ("APPLICATIONINSIGHTS_CONNECTION_STRING", "APPINSIGHTS_INSTRUMENTATIONKEY"):
        os.environ.pop(name, None)
    asyncio.run(main())
