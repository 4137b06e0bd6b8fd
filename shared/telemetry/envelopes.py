"""Records as the envelopes of Application Insights.

Only what a query asks for is in them, and each of it once: what is paid for is the columns that a row fills
(decision 85). Which instance and which operation it was stand in the request; its calls and lines name it as their
parent. Source: the schemas `Envelope`, `RequestData`, `RemoteDependencyData`, `MessageData` and `ExceptionData` of
Application Insights.
"""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from functools import cache
from typing import Any

from shared.telemetry.record import LogRecord, MetricRecord, Record, SpanRecord, Value

Envelope = dict[str, Any]

MAX_VALUE = 1024
"""Characters of a property: ours are ids, names and reasons."""


def envelope_of(record: Record, key: str, share: float) -> Envelope:
    """`key` is the instrumentation key, `share` the share of such records that is sent: 0.1 stands for ten."""
    kind, data = _log(record) if isinstance(record, LogRecord) else _span(record)
    tags = {"ai.cloud.role": record.role, "ai.operation.id": record.trace_id}
    if record.parent_id:
        tags["ai.operation.parentId"] = record.parent_id
    if isinstance(record, SpanRecord) and record.kind == "request":
        tags |= {"ai.operation.name": record.name, "ai.cloud.roleInstance": _instance()}
    envelope: Envelope = {
        "name": f"Microsoft.ApplicationInsights.{kind}",
        "time": _time(record.time if isinstance(record, LogRecord) else record.started),
        "iKey": key,
        "tags": tags,
        "data": {"baseType": f"{kind}Data", "baseData": {"ver": 2, **data}},
    }
    return envelope if share == 1 else {**envelope, "sampleRate": share * 100}


def metric_of(record: MetricRecord, key: str) -> Envelope:
    """A metric is sent whatever is sampled, and belongs to no trace."""
    point = {"name": record.name, "value": record.total, "count": record.count}
    return {
        "name": "Microsoft.ApplicationInsights.Metric",
        "time": _time(record.time),
        "iKey": key,
        "tags": {"ai.cloud.role": record.role, "ai.cloud.roleInstance": _instance()},
        "data": {
            "baseType": "MetricData",
            "baseData": {
                "ver": 2,
                "metrics": [{**point, "min": record.least, "max": record.greatest}],
                **_properties(record.properties),
            },
        },
    }


def _span(record: SpanRecord) -> tuple[str, dict[str, Any]]:
    data: dict[str, Any] = {
        "id": record.span_id,
        "name": record.name,
        "duration": _duration(record.seconds),
        "success": record.success,
        **_properties(_brief(record.properties)),
    }
    if record.kind == "request":
        also = {"source": record.source, "url": record.url}
        return "Request", data | {"responseCode": record.result} | {name: text for name, text in also.items() if text}
    also = {"type": record.type, "target": record.target, "data": record.data}
    return "RemoteDependency", data | {"resultCode": record.result} | {
        name: text for name, text in also.items() if text
    }


def _log(record: LogRecord) -> tuple[str, dict[str, Any]]:
    properties = _properties(record.properties)
    if not record.error:
        return "Message", {"message": record.message, "severityLevel": record.level, **properties}
    frames = [
        {"level": place, "method": method, "fileName": file, "line": line}
        for place, (method, file, line) in enumerate(record.frames)
    ]
    # An exception's own text may hold what a caller sent: its type and place are what is told
    one = {"typeName": record.error, "message": record.message, "hasFullStack": True, "parsedStack": frames}
    return "Exception", {"exceptions": [one], "severityLevel": record.level, **properties}


def _properties(given: dict[str, Value]) -> dict[str, dict[str, str]]:
    """`{properties}`, where there are any. An event's subject is left out where `order_id` says it."""
    properties = {name: str(value)[:MAX_VALUE] for name, value in given.items() if value not in {None, ""}}
    if properties.get("event_subject") == properties.get("order_id"):
        properties.pop("event_subject", None)
    return {"properties": properties} if properties else {}


def _brief(given: dict[str, Value]) -> dict[str, Value]:
    """A span's, of which an order has dozens: the id of an event about `order_id` does without its middle.

    `order.placed.v1:ord_a:1` is `order.placed.v1::1`; a line of the log has it whole.
    """
    order_id, event_id = given.get("order_id"), given.get("event_id")
    if not order_id or not isinstance(event_id, str):
        return given
    return {**given, "event_id": event_id.replace(f":{order_id}:", "::", 1)}


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _duration(seconds: float) -> str:
    """`d.hh:mm:ss.ffffff`"""
    minutes, rest = divmod(max(0.0, seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours // 24}.{hours % 24:02d}:{minutes:02d}:{rest:09.6f}"


@cache
def _instance() -> str:
    return os.environ.get("WEBSITE_INSTANCE_ID", "")[:16] or platform.node()
