"""Rules: which of a topic's messages a subscription gets, and what is changed in them.

Source: "Topic filters and actions".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from localazure.servicebus import operators, sql
from localazure.servicebus.sql import Change, Properties
from localazure.servicebus.values import plain


@dataclass(frozen=True)
class SqlFilter:
    """`parameters` have their @ in front."""

    expression: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, properties: Properties) -> bool:
        """Raises EvaluationError."""
        return self.compiled(properties) is True

    @cached_property
    def compiled(self) -> sql.Expression:
        return sql.predicate(self.expression, _plain(self.parameters))


@dataclass(frozen=True)
class TrueFilter(SqlFilter):
    """What a subscription has that is made without rules."""

    expression: str = "1=1"


@dataclass(frozen=True)
class FalseFilter(SqlFilter):
    expression: str = "1=0"


@dataclass(frozen=True)
class CorrelationFilter:
    """Every named property must be equal. `system` has names such as Label, `properties` the application's own."""

    system: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, properties: Properties) -> bool:
        return all(operators.same(properties.get(name), value) for name, value in self.compiled.items())

    @cached_property
    def compiled(self) -> Mapping[str, Any]:
        wanted = {sql.key(name, "sys"): value for name, value in self.system.items() if value is not None}
        wanted |= {sql.key(name): plain(value) for name, value in self.properties.items()}
        if not wanted:
            raise ValueError("a correlation filter names at least one property")
        return wanted


@dataclass(frozen=True)
class SqlAction:
    expression: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def compiled(self) -> list[Change]:
        return sql.statements(self.expression, _plain(self.parameters))

    def changes(self, properties: Properties) -> dict[str, Any]:
        """Property (`user.Size`, `sys.Label`) → its new value, or `REMOVED`. Raises EvaluationError."""
        found: dict[str, Any] = {}
        seen = dict(properties)
        for change in self.compiled:
            value = REMOVED if change.value is None else change.value(seen)
            found[change.property] = value
            if value is REMOVED:
                seen.pop(change.property.lower(), None)
            else:
                seen[change.property.lower()] = value
        return found


def _plain(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: plain(value) for name, value in parameters.items()}


class _Removed:
    """The value of a property that an action removes."""


REMOVED = _Removed()
Filter = SqlFilter | CorrelationFilter


@dataclass(frozen=True)
class Rule:
    """`created` is in seconds since the epoch."""

    name: str
    filter: Filter = field(default_factory=TrueFilter)
    action: SqlAction | None = None
    created: float = 0.0

    def check(self) -> None:
        """Raises ValueError for what cannot be read or is not supported, naming it."""
        _ = self.filter.compiled
        if self.action is not None:
            _ = self.action.compiled


DEFAULT = "$Default"
"""The name of the rule that a subscription is made with if it is given none."""
