"""The namespace's entities, read from the file that Microsoft's emulator reads as well."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localazure.servicebus.filters import Filter, correlation_filter, sql_filter

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_FOREVER = 10_675_199.0 * 86_400

_KNOWN = frozenset(
    """DeadLetteringOnMessageExpiration DefaultMessageTimeToLive DuplicateDetectionHistoryTimeWindow LockDuration
    MaxDeliveryCount RequiresDuplicateDetection RequiresSession ForwardTo ForwardDeadLetteredMessagesTo""".split()
)


@dataclass(frozen=True)
class QueueOptions:
    """How a queue or subscription treats its messages. Durations are in seconds."""

    lock: float = 60.0
    most_deliveries: int = 10
    ttl: float = _FOREVER
    dead_letter_expired: bool = False
    sessions: bool = False
    duplicate_window: float = 0.0
    """0: duplicates are not looked for."""


@dataclass(frozen=True)
class Topic:
    """A topic and its subscriptions: name → options and the filters of which one must fit."""

    name: str
    duplicate_window: float
    ttl: float
    subscriptions: Mapping[str, tuple[QueueOptions, tuple[Filter, ...]]]


@dataclass(frozen=True)
class Namespace:
    """Everything there is."""

    queues: Mapping[str, QueueOptions] = field(default_factory=dict)
    topics: Mapping[str, Topic] = field(default_factory=dict)


def read(path: Path) -> Namespace:
    """Raises ValueError with the place of what is wrong, or names what is not supported."""
    try:
        spaces = json.loads(path.read_text(encoding="utf-8"))["UserConfig"]["Namespaces"]
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise ValueError(f"{path} is no entities file: {exc!r}") from exc
    if len(spaces) != 1:
        raise ValueError(f"{path}: one namespace is supported, not {len(spaces)}")
    queues = {item["Name"]: _options(item["Name"], item.get("Properties", {})) for item in spaces[0].get("Queues", [])}
    topics = {item["Name"]: _topic(item) for item in spaces[0].get("Topics", [])}
    return Namespace(queues, topics)


def _topic(item: Mapping[str, Any]) -> Topic:
    properties = item.get("Properties", {})
    own = _options(item["Name"], properties)
    subscriptions = {}
    for subscription in item.get("Subscriptions", []):
        name = f"{item['Name']}/{subscription['Name']}"
        filters = tuple(_filter(name, rule) for rule in subscription.get("Rules", []))
        subscriptions[subscription["Name"]] = (_options(name, subscription.get("Properties", {})), filters)
    return Topic(item["Name"], own.duplicate_window, own.ttl, subscriptions)


def _options(name: str, properties: Mapping[str, Any]) -> QueueOptions:
    if unknown := set(properties) - _KNOWN:
        raise ValueError(f"{name}: the properties {', '.join(sorted(unknown))} are not supported by the local server")
    for forward in ("ForwardTo", "ForwardDeadLetteredMessagesTo"):
        if properties.get(forward):
            raise ValueError(f"{name}: {forward} is not supported by the local server")
    window = _seconds(properties.get("DuplicateDetectionHistoryTimeWindow", "PT10M"))
    return QueueOptions(
        lock=_seconds(properties.get("LockDuration", "PT1M")),
        most_deliveries=int(properties.get("MaxDeliveryCount", 10)),
        ttl=_seconds(properties["DefaultMessageTimeToLive"]) if "DefaultMessageTimeToLive" in properties else _FOREVER,
        dead_letter_expired=bool(properties.get("DeadLetteringOnMessageExpiration", False)),
        sessions=bool(properties.get("RequiresSession", False)),
        duplicate_window=window if properties.get("RequiresDuplicateDetection") else 0.0,
    )


def _filter(name: str, rule: Mapping[str, Any]) -> Filter:
    properties = rule.get("Properties", {})
    kind = str(properties.get("FilterType", "")).lower()
    if properties.get("Action"):
        raise ValueError(f"{name}: rule actions are not supported by the local server")
    if kind == "correlation":
        return correlation_filter(properties.get("CorrelationFilter", {}))
    if kind == "sql":
        return sql_filter(properties.get("SqlFilter", {}).get("SqlExpression", ""))
    raise ValueError(f"{name}: the filter type '{properties.get('FilterType')}' does not exist")


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None or text in ("P", "PT"):
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as PT1M")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return days * 86_400 + hours * 3600 + minutes * 60 + seconds
