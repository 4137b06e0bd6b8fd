"""Answers as the service writes them: Kusto's types and values in JSON, errors of both APIs."""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from localazure.insights.engine import Verdict
from localazure.insights.errors import QueryError, UnknownPath
from localazure.insights.queries import ROWS, Table

MAX_BODY = 64 * 1024 * 1024
"""Bytes of an answer's rows, as at the service; beyond, it is marked as partial."""

_TYPES = {
    "BOOLEAN": "bool",
    "TINYINT": "int",
    "SMALLINT": "int",
    "INTEGER": "int",
    "FLOAT": "real",
    "DOUBLE": "real",
    "UUID": "guid",
    "DATE": "datetime",
    "INTERVAL": "timespan",
    "TIME": "timespan",
    "JSON": "dynamic",
}
_FAMILIES = (
    (re.compile(r"TIMESTAMP.*"), "datetime"),
    (re.compile(r"DECIMAL\(.*"), "decimal"),
    (re.compile(r"U?(BIG|HUGE|SMALL|TINY)INT|UINTEGER"), "long"),
    (re.compile(r".*\[\d*\]|(STRUCT|MAP|UNION|LIST).*"), "dynamic"),
)


def kusto_type(stored: str) -> str:
    """The Kusto type of a DuckDB type."""
    if stored in _TYPES:
        return _TYPES[stored]
    return next((kind for pattern, kind in _FAMILIES if pattern.fullmatch(stored)), "string")


def answer(table: Table) -> bytes:
    """The body of a query's answer."""
    columns = [{"name": name, "type": kusto_type(stored)} for name, stored in table.columns]
    rows, size, partial = list[str](), 0, table.partial
    for row in _rows(table):
        size += len(row) + 1
        if size > MAX_BODY:
            partial = True
            break
        rows.append(row)
    error = f', "error": {json.dumps(_PARTIAL)}' if partial else ""
    head = f'{{"tables": [{{"name": "PrimaryResult", "columns": {json.dumps(columns)}, "rows": ['
    return f"{head}{','.join(rows)}]}}]{error}}}".encode()


def _rows(table: Table) -> Iterator[str]:
    readers = [_READERS.get(kusto_type(stored), _value) for _, stored in table.columns]
    return (json.dumps([read(value) for read, value in zip(readers, row, strict=True)]) for row in table.rows)


def _dynamic(value: Any) -> Any:
    """A text by itself; whatever else, as the JSON that it is."""
    if isinstance(value, str) and value.startswith('"'):
        return json.loads(value)
    return _value(value)


_PARTIAL = {
    "code": "PartialError",
    "message": "There were some errors when processing your query.",
    "details": [
        {
            "code": "EngineError",
            "message": f"Query result set has exceeded the limit of {ROWS} records or {MAX_BODY} bytes",
        }
    ],
}


def _value(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    if isinstance(value, timedelta):
        return timespan(value)
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=_value, ensure_ascii=False)
    if isinstance(value, Decimal | uuid.UUID):
        return str(value)
    return value.hex() if isinstance(value, bytes) else value


def _string(value: Any) -> Any:
    """Kusto has no text that is not there."""
    return "" if value is None else _value(value)


_READERS: dict[str, Callable[[Any], Any]] = {"dynamic": _dynamic, "string": _string}


def timespan(value: timedelta) -> str:
    """As Kusto writes it: `1.02:03:04.0500000`, days and fraction where there are any."""
    sign, value = ("-", -value) if value < timedelta() else ("", value)
    hours, rest = divmod(value.seconds, 3600)
    days = f"{value.days}." if value.days else ""
    fraction = f".{value.microseconds * 10:07d}" if value.microseconds else ""
    return f"{sign}{days}{hours:02d}:{rest // 60:02d}:{rest % 60:02d}{fraction}"


def verdict(given: Verdict) -> bytes:
    """The body of the ingestion's answer."""
    errors = [
        {"index": place, "statusCode": refused.status, "message": str(refused)}
        for place, refused in given.refused.items()
    ]
    return json.dumps({"itemsReceived": given.received, "itemsAccepted": given.accepted, "errors": errors}).encode()


def error(exc: QueryError) -> bytes:
    """The body of a refusal of the query API."""
    content: dict[str, Any] = {"message": exc.summary, "code": exc.code, "correlationId": str(uuid.uuid4())}
    if not isinstance(exc, UnknownPath):
        inner: dict[str, Any] = {"code": exc.inner or exc.code, "message": str(exc)}
        if exc.line is not None:
            inner |= {"line": exc.line, "pos": exc.column}
        content["innererror"] = inner
    return json.dumps({"error": content}).encode()
