"""The namespace's entities as they are declared: read from the file that Microsoft's emulator reads as well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localazure.servicebus.filters import DEFAULT, CorrelationFilter, Filter, Rule, SqlAction, SqlFilter
from localazure.servicebus.options import Options, options


@dataclass(frozen=True)
class Subscription:
    """A subscription and its rules, of which one must fit."""

    options: Options = field(default_factory=Options)
    rules: tuple[Rule, ...] = (Rule(DEFAULT),)


@dataclass(frozen=True)
class Topic:
    """A topic and its subscriptions by name."""

    options: Options = field(default_factory=Options)
    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)


@dataclass(frozen=True)
class Namespace:
    """Everything that is declared."""

    name: str = "localazure"
    queues: Mapping[str, Options] = field(default_factory=dict)
    topics: Mapping[str, Topic] = field(default_factory=dict)


def read(path: Path) -> Namespace:
    """Raises ValueError with the place of what is wrong, or names what is not supported."""
    try:
        spaces = json.loads(path.read_text(encoding="utf-8"))["UserConfig"]["Namespaces"]
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise ValueError(f"{path} is no entities file: {exc!r}") from exc
    if len(spaces) != 1:
        raise ValueError(f"{path}: one namespace is supported, not {len(spaces)}")
    space = spaces[0]
    queues = {item["Name"]: options("queue", item["Name"], _properties(item)) for item in space.get("Queues", [])}
    topics = {item["Name"]: _topic(item) for item in space.get("Topics", [])}
    return Namespace(space.get("Name", "localazure"), queues, topics)


def _topic(item: Mapping[str, Any]) -> Topic:
    subscriptions = {}
    for subscription in item.get("Subscriptions", []):
        path = f"{item['Name']}/{subscription['Name']}"
        rules = tuple(_rule(path, rule) for rule in subscription.get("Rules", []))
        made = options("subscription", path, _properties(subscription))
        subscriptions[subscription["Name"]] = Subscription(made, rules or (Rule(DEFAULT),))
    return Topic(options("topic", item["Name"], _properties(item)), subscriptions)


def _properties(item: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = item.get("Properties", {})
    return found


def _rule(path: str, item: Mapping[str, Any]) -> Rule:
    properties = _properties(item)
    action = (properties.get("Action") or {}).get("SqlExpression")
    rule = Rule(item["Name"], _filter(path, properties), SqlAction(action) if action else None)
    try:
        rule.check()
    except ValueError as exc:
        raise ValueError(f"{path}: {exc}") from exc
    return rule


def _filter(path: str, properties: Mapping[str, Any]) -> Filter:
    kind = str(properties.get("FilterType", "")).lower()
    if kind == "correlation":
        wanted = dict(properties.get("CorrelationFilter", {}))
        own = wanted.pop("Properties", {})
        return CorrelationFilter(wanted, own)
    if kind == "sql":
        return SqlFilter((properties.get("SqlFilter") or {}).get("SqlExpression", ""))
    raise ValueError(f"{path}: the filter type '{properties.get('FilterType')}' does not exist")
