"""What the broker remembers of an entity that it has: its options, its rules, when it was made and last changed.

Descriptions are kept in the state as JSON, so that what the administration client made is there after a restart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from localazure.servicebus.filters import CorrelationFilter, FalseFilter, Filter, Rule, SqlAction, SqlFilter, TrueFilter
from localazure.servicebus.options import Kind, Options, options, told


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
    return json.dumps({"options": told(described.kind, described.options), "rules": rules})


def load(
    kind: Kind, path: str, document: str, created: float, updated: float, declared: bool
) -> Description:  # fmt: skip
    found = json.loads(document)
    rules = tuple(_rule_in(rule) for rule in found["rules"])
    return Description(kind, path, options(kind, path, found["options"]), created, updated, rules, bool(declared))


def _rule_out(rule: Rule, timed: bool) -> dict[str, Any]:
    out: dict[str, Any] = {"name": rule.name, "filter": type(rule.filter).__name__}
    if isinstance(rule.filter, CorrelationFilter):
        out |= {"system": dict(rule.filter.system), "properties": dict(rule.filter.properties)}
    else:
        out |= {"expression": rule.filter.expression, "parameters": dict(rule.filter.parameters)}
    if rule.action is not None:
        out["action"] = [rule.action.expression, dict(rule.action.parameters)]
    return out | ({"created": rule.created} if timed else {})


def _rule_in(told: dict[str, Any]) -> Rule:
    made: Filter
    if told["filter"] == "CorrelationFilter":
        made = CorrelationFilter(told["system"], told["properties"])
    else:
        kinds: dict[str, type[SqlFilter]] = {"TrueFilter": TrueFilter, "FalseFilter": FalseFilter}
        made = kinds.get(told["filter"], SqlFilter)(told["expression"], told["parameters"])
    action = SqlAction(told["action"][0], told["action"][1]) if "action" in told else None
    return Rule(told["name"], made, action, told.get("created", 0.0))
