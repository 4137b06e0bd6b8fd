"""What the broker remembers of an entity that it has: its options, its rules, when it was made and last changed.

Descriptions are kept in the state as JSON, so that what the administration client made is there after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from localazure.servicebus import authorization
from localazure.servicebus.filters import CorrelationFilter, FalseFilter, Filter, Rule, SqlAction, SqlFilter, TrueFilter
from localazure.servicebus.options import Kind, Options, options, told
from localazure.servicebus.values import from_json, to_json


@dataclass(frozen=True)
class Description:
    """`path` is `q`, `t` or `t/Subscriptions/s`; only subscriptions have rules. Times are in seconds since the epoch.

    `declared`: the entities file names it.
    """

    kind: Kind
    path: str
    options: Options
    created: float
    updated: float
    rules: tuple[Rule, ...] = ()
    declared: bool = False

    @property
    def name(self) -> str:
        """The last part of the path: what the entity is called where it is."""
        return self.path.rpartition("/Subscriptions/")[2] if self.kind == "subscription" else self.path

    def same(self, other: Description) -> bool:
        """Whether both say the same but for the times."""
        return dump(replace(self, declared=True)) == dump(replace(other, declared=True))


def dump(described: Description) -> str:
    """As JSON; the times are columns of their own. The time of a rule is left out where the file declares it."""
    rules = [_rule_out(rule, not described.declared) for rule in described.rules]
    document: dict[str, Any] = {"options": told(described.kind, described.options), "rules": rules}
    if described.options.authorization:
        document["authorization"] = authorization.to_json(described.options.authorization)
    return json.dumps(document)


def load(
    kind: Kind, path: str, document: str, created: float, updated: float, declared: bool
) -> Description:  # fmt: skip
    found = json.loads(document)
    rules = tuple(_rule_in(rule) for rule in found["rules"])
    keys = authorization.from_json(found.get("authorization", ()))
    known = replace(options(kind, path, found["options"]), authorization=keys)
    return Description(kind, path, known, created, updated, rules, bool(declared))


def _rule_out(rule: Rule, timed: bool) -> dict[str, Any]:
    out: dict[str, Any] = {"name": rule.name, "filter": type(rule.filter).__name__}
    if isinstance(rule.filter, CorrelationFilter):
        out |= {"system": dict(rule.filter.system), "properties": _values_out(rule.filter.properties)}
    else:
        out |= {"expression": rule.filter.expression, "parameters": _values_out(rule.filter.parameters)}
    if rule.action is not None:
        out["action"] = [rule.action.expression, _values_out(rule.action.parameters)]
    return out | ({"created": rule.created} if timed else {})


def _rule_in(told: dict[str, Any]) -> Rule:
    made: Filter
    if told["filter"] == "CorrelationFilter":
        made = CorrelationFilter(told["system"], _values_in(told["properties"]))
    else:
        kinds: dict[str, type[SqlFilter]] = {"TrueFilter": TrueFilter, "FalseFilter": FalseFilter}
        made = kinds.get(told["filter"], SqlFilter)(told["expression"], _values_in(told["parameters"]))
    action = SqlAction(told["action"][0], _values_in(told["action"][1])) if "action" in told else None
    return Rule(told["name"], made, action, told.get("created", 0.0))


def _values_out(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_json(value) for name, value in values.items()}


def _values_in(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: from_json(value) for name, value in values.items()}
