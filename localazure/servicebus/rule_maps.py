"""Rules in `$management`: a map in the request, described lists in the answer.

Source: "AMQP request/response-based operations in Service Bus", rule operations. The descriptors of filters have one
digit less than those of actions and of the description.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localazure.servicebus.amqp.types import Described, Int32, Timestamp, Ulong
from localazure.servicebus.errors import NotAllowed
from localazure.servicebus.filters import CorrelationFilter, FalseFilter, Filter, Rule, SqlAction, SqlFilter, TrueFilter
from localazure.servicebus.values import from_amqp, to_amqp

_SQL, _TRUE, _FALSE, _CORRELATION = (Ulong(0x1370000006 + number) for number in range(4))
_RULE, _NO_ACTION, _ACTION = (Ulong(0x13700000004 + number) for number in range(3))
_LEVEL = Int32(20)
"""The compatibility level of the language of rules."""
_SYSTEM = {
    "correlation-id": "CorrelationId", "message-id": "MessageId", "to": "To", "reply-to": "ReplyTo", "label": "Label",
    "session-id": "SessionId", "reply-to-session-id": "ReplyToSessionId", "content-type": "ContentType",
}  # fmt: skip
"""In the order of the answer's list."""
_CONSTANT: Mapping[str, type[SqlFilter]] = {"1=1": TrueFilter, "1=0": FalseFilter}


def read(name: str, description: Any, now: float) -> Rule:
    """Raises NotAllowed for a description that cannot be read or is not supported."""
    try:
        made = Rule(name, _filter(description), _action(description.get("sql-rule-action")), now)
        made.check()
    except (ValueError, AttributeError, KeyError, TypeError) as exc:
        raise NotAllowed(f"the rule '{name}' cannot be read: {exc}") from exc
    return made


def _filter(description: Mapping[str, Any]) -> Filter:
    sql, correlation = description.get("sql-filter"), description.get("correlation-filter")
    if sql is not None:
        expression = str(sql["expression"])
        return _CONSTANT.get(expression.replace(" ", ""), SqlFilter)(expression)
    if correlation is None:
        raise NotAllowed("a rule needs a sql-filter or a correlation-filter")
    system = {ours: str(correlation[theirs]) for theirs, ours in _SYSTEM.items() if correlation.get(theirs) is not None}
    own = {str(key): from_amqp(value) for key, value in (correlation.get("properties") or {}).items()}
    return CorrelationFilter(system, own)


def _action(told: Mapping[str, Any] | None) -> SqlAction | None:
    return SqlAction(str(told["expression"])) if told and told.get("expression") else None


def told(rule: Rule, created: float) -> Described:
    """A rule as it is listed; `created` is for one that does not know its own time."""
    moment = Timestamp(int((rule.created or created) * 1000))
    return Described(_RULE, [_told_filter(rule.filter), _told_action(rule.action), rule.name, moment])


def _told_filter(given: Filter) -> Described:
    if isinstance(given, CorrelationFilter):
        own = {key: to_amqp(value) for key, value in given.properties.items()}
        return Described(_CORRELATION, [*(given.system.get(name) for name in _SYSTEM.values()), own])
    if isinstance(given, TrueFilter | FalseFilter):
        return Described(_TRUE if isinstance(given, TrueFilter) else _FALSE, [])
    return Described(_SQL, [given.expression, _LEVEL])


def _told_action(action: SqlAction | None) -> Described:
    return Described(_NO_ACTION, []) if action is None else Described(_ACTION, [action.expression, _LEVEL])
