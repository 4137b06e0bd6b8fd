"""Which row of which table an envelope becomes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from localazure.insights.envelopes import LEVELS, Envelope, milliseconds

Row = dict[str, Any]

_TAGS = {
    "operation_Name": "ai.operation.name",
    "operation_Id": "ai.operation.id",
    "operation_ParentId": "ai.operation.parentId",
    "operation_SyntheticSource": "ai.operation.syntheticSource",
    "session_Id": "ai.session.id",
    "user_Id": "ai.user.id",
    "user_AuthenticatedId": "ai.user.authUserId",
    "user_AccountId": "ai.user.accountId",
    "application_Version": "ai.application.ver",
    "client_Type": "ai.device.type",
    "client_Model": "ai.device.model",
    "client_OS": "ai.device.osVersion",
    "cloud_RoleName": "ai.cloud.role",
    "cloud_RoleInstance": "ai.cloud.roleInstance",
    "sdkVersion": "ai.internal.sdkVersion",
}
_BUCKETS = (
    (250, "<250ms"),
    (500, "250ms-500ms"),
    (1_000, "500ms-1sec"),
    (3_000, "1sec-3sec"),
    (7_000, "3sec-7sec"),
    (15_000, "7sec-15sec"),
    (30_000, "15sec-30sec"),
    (60_000, "30sec-1min"),
    (120_000, "1min-2min"),
    (300_000, "2min-5min"),
)


def rows(envelope: Envelope) -> Iterator[tuple[str, Row]]:
    """Table and row of each item in an envelope: one, but for a metric that holds several."""
    table, of_kind = _KINDS[envelope.kind]
    for own in of_kind(envelope.data):
        yield table, _shared(envelope) | own


def _shared(envelope: Envelope) -> Row:
    row: Row = {column: envelope.tags.get(tag, "") for column, tag in _TAGS.items()}
    return row | {
        "timestamp": envelope.time.replace(tzinfo=None).isoformat(),
        "customDimensions": {name: _text(value) for name, value in (envelope.data.get("properties") or {}).items()},
        "customMeasurements": envelope.data.get("measurements") or None,
        "client_IP": "0.0.0.0",  # noqa: S104  # the service stores no address unless it is told to
        "appId": envelope.key,
        "iKey": envelope.key,
        "itemId": str(uuid.uuid4()),
        "itemCount": max(1, round(1 / envelope.share)),
    }


def _text(value: Any) -> str:
    """A custom dimension is a text, whatever was sent."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _call(item_type: str, data: Mapping[str, Any]) -> Row:
    duration = milliseconds(data["duration"])
    bucket = next((name for limit, name in _BUCKETS if duration < limit), ">=5min")
    success = "True" if data.get("success", True) in {True, None} else "False"
    return {
        "itemType": item_type,
        "id": data.get("id") or "",
        "name": data.get("name") or "",
        "success": success,
        "duration": duration,
        "performanceBucket": bucket,
    }


def _request(data: Mapping[str, Any]) -> Iterator[Row]:
    own = {"resultCode": data["responseCode"], "source": data.get("source") or "", "url": data.get("url") or ""}
    yield _call("request", data) | own


def _dependency(data: Mapping[str, Any]) -> Iterator[Row]:
    own = {name: data.get(name) or "" for name in ("resultCode", "target", "type", "data")}
    yield _call("dependency", data) | own


def _message(data: Mapping[str, Any]) -> Iterator[Row]:
    yield {"itemType": "trace", "message": data["message"], "severityLevel": _level(data)}


def _exception(data: Mapping[str, Any]) -> Iterator[Row]:
    """The outermost exception comes first, what caused it after it."""
    outer, inner = data["exceptions"][0], data["exceptions"][-1]
    row: Row = {"itemType": "exception", "severityLevel": _level(data), "details": data["exceptions"]}
    for prefix, one in (("", outer), ("outer", outer), ("innermost", inner)):
        frame: Mapping[str, Any] = next(iter(one.get("parsedStack") or ()), {})
        own = {"type": one["typeName"], "message": one["message"]}
        own |= {name: frame.get(name) or "" for name in ("method", "assembly")}
        row |= {prefix + name.capitalize() if prefix else name: value for name, value in own.items()}
    named = f"{row['type']} at {row['method']}" if row["method"] else row["type"]
    yield row | {"problemId": data.get("problemId") or named}


def _metric(data: Mapping[str, Any]) -> Iterator[Row]:
    for point in data["metrics"]:
        value = point["value"]
        yield {
            "itemType": "customMetric",
            "name": point["name"],
            "value": value,
            "valueSum": value,
            "valueCount": 1 if point.get("count") is None else point["count"],
            "valueMin": value if point.get("min") is None else point["min"],
            "valueMax": value if point.get("max") is None else point["max"],
            "valueStdDev": point.get("stdDev") or 0,
        }


def _event(data: Mapping[str, Any]) -> Iterator[Row]:
    yield {"itemType": "customEvent", "name": data["name"]}


def _level(data: Mapping[str, Any]) -> int | None:
    level = data.get("severityLevel")
    return None if level is None else LEVELS[level]


_KINDS = {
    "RequestData": ("requests", _request),
    "RemoteDependencyData": ("dependencies", _dependency),
    "MessageData": ("traces", _message),
    "ExceptionData": ("exceptions", _exception),
    "MetricData": ("customMetrics", _metric),
    "EventData": ("customEvents", _event),
}
