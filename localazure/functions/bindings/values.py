"""What the host makes of the data that a worker gives for an output: one value or several, as .NET turns it into text.

Text that looks like a JSON object or array is read as one, and written again; an array is one value an element.
Source: azure-functions-host, `FunctionBinding.ReadAsEnumerable` and `BindAsyncCollectorAsync`.
"""

from __future__ import annotations

import json
from typing import Any

from azure.functions.meta import Datum

from localazure import newtonsoft
from localazure.functions.bindings.expressions import BindingError
from localazure.functions.dates import date, dates_rewritten


def elements(data: Datum) -> list[Any]:
    """The values to write. Raises BindingError for text that looks like JSON and is not."""
    value = data.value
    if data.type == "json":
        read = json.loads(value)
        return read if isinstance(read, list) else [read]
    if data.type != "string" or not _looks_like_json(value):
        return [value]
    try:
        read = newtonsoft.read(value)
    except ValueError as exc:
        raise BindingError(f"the text of an output looks like JSON, and is not: {exc}") from exc
    if isinstance(read, list):
        return [_dated(element) for element in read]
    return [_dated(read)]


def body(value: Any) -> bytes:
    """A value as bytes: JSON is indented, single values are as .NET writes them in its invariant culture."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, indent=2, ensure_ascii=False).encode()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value)).encode()
    return ("" if value is None else str(value)).encode()


def _looks_like_json(text: str) -> bool:
    bare = text.strip()
    return (bare[:1], bare[-1:]) in (("{", "}"), ("[", "]"))


def _dated(value: Any) -> Any:
    """Dates are dates once they are read: alone they become American, within an object they are written in ISO."""
    if isinstance(value, str):
        found = date(value)
        return value if found is None else found.american()
    return json.loads(dates_rewritten(json.dumps(value))) if isinstance(value, dict | list) else value
