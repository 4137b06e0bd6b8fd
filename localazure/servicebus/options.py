"""How queues, topics and subscriptions behave: one table of properties, told alike in JSON, in XML and in the state.

Source: "Create queue", "Create topic", "Create subscription" of the Service Bus REST API; the schema of Microsoft's
emulator; `management/_models.py` of azure-servicebus 7.15.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from localazure.servicebus.authorization import AuthorizationRule
from localazure.servicebus.durations import FOREVER, duration, seconds

Kind = Literal["queue", "topic", "subscription"]
Value = str | bool | int


@dataclass(frozen=True)
class Options:
    """Durations are in seconds, sizes in megabytes. What a kind of entity has no use for keeps its default."""

    lock: float = 60.0
    most_deliveries: int = 10
    ttl: float = FOREVER
    dead_letter_expired: bool = False
    dead_letter_filter_errors: bool = True
    sessions: bool = False
    duplicates: bool = False
    history: float = 600.0
    forward_to: str | None = None
    forward_dead_letters_to: str | None = None
    status: str = "Active"
    size: int = 1024
    idle: float = FOREVER
    metadata: str | None = None
    batched: bool = True
    ordered: bool = True
    partitioned: bool = False
    express: bool = False
    authorization: tuple[AuthorizationRule, ...] = ()

    @property
    def duplicate_window(self) -> float:
        """0: duplicates are not looked for."""
        return self.history if self.duplicates else 0.0

    @property
    def sendable(self) -> bool:
        return self.status in ("Active", "ReceiveDisabled")

    @property
    def receivable(self) -> bool:
        return self.status in ("Active", "SendDisabled")


class _Property(NamedTuple):
    field: str
    type: Literal["duration", "bool", "int", "text", "entity"]
    kinds: str
    """Which kinds of entity have it: q, t, s."""
    settled: bool = False
    """Whether it is fixed at creation."""
    least: float = 0
    most: float = float("inf")


PROPERTIES: Mapping[str, _Property] = {
    "LockDuration": _Property("lock", "duration", "qs", least=1, most=300),
    "MaxSizeInMegabytes": _Property("size", "int", "qt", least=1, most=5120),
    "RequiresDuplicateDetection": _Property("duplicates", "bool", "qt", settled=True),
    "RequiresSession": _Property("sessions", "bool", "qs", settled=True),
    "DefaultMessageTimeToLive": _Property("ttl", "duration", "qts", least=1),
    "DeadLetteringOnMessageExpiration": _Property("dead_letter_expired", "bool", "qs"),
    "DeadLetteringOnFilterEvaluationExceptions": _Property("dead_letter_filter_errors", "bool", "s"),
    "DuplicateDetectionHistoryTimeWindow": _Property("history", "duration", "qt", least=20, most=7 * 86_400),
    "MaxDeliveryCount": _Property("most_deliveries", "int", "qs", least=1, most=2000),
    "EnableBatchedOperations": _Property("batched", "bool", "qts"),
    "Status": _Property("status", "text", "qts"),
    "ForwardTo": _Property("forward_to", "entity", "qs"),
    "ForwardDeadLetteredMessagesTo": _Property("forward_dead_letters_to", "entity", "qs"),
    "UserMetadata": _Property("metadata", "text", "qts"),
    "AutoDeleteOnIdle": _Property("idle", "duration", "qts", least=300),
    "SupportOrdering": _Property("ordered", "bool", "qt"),
    "EnablePartitioning": _Property("partitioned", "bool", "qt", settled=True),
    "EnableExpress": _Property("express", "bool", "qt"),
}
"""In the order in which the service writes them."""

_STATUSES = {
    "q": ("Active", "Disabled", "SendDisabled", "ReceiveDisabled"),
    "t": ("Active", "Disabled", "SendDisabled"),
    "s": ("Active", "Disabled", "ReceiveDisabled"),
}
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "EnableSubscriptionPartitioning": (False,),
    "FilteringMessagesBeforePublishing": (False,),
    "IsAnonymousAccessible": (False,),
    "AuthorizationRules": ("",),
    "MaxMessageSizeInKilobytes": (256,),
}
"""What is not supported, and the values that ask for nothing."""


def options(kind: Kind, name: str, told: Mapping[str, Any]) -> Options:
    """Raises ValueError, naming what is not supported or what is out of its range."""
    return _checked(kind, name, replace(Options(), **_values(kind, name, told)))


def changed(kind: Kind, name: str, old: Options, told: Mapping[str, Any]) -> Options:
    """What an update makes of `old`: `told` is the whole description. Raises ValueError as `options` does."""
    new = options(kind, name, told)
    for title, known in PROPERTIES.items():
        if known.settled and getattr(new, known.field) != getattr(old, known.field):
            raise ValueError(f"{name}: {title} cannot be changed after creation")
    return new


def told(kind: Kind, given: Options) -> dict[str, Value]:
    """The properties as they are written; those that have no value are left out."""
    found: dict[str, Value] = {}
    for title, known in PROPERTIES.items():
        value = getattr(given, known.field)
        if kind[0] in known.kinds and value is not None:
            found[title] = duration(value) if known.type == "duration" else value
    return found


def _values(kind: Kind, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for title, raw in given.items():
        known = PROPERTIES.get(title)
        if known is not None and kind[0] in known.kinds:
            if raw is not None:
                values[known.field] = _value(name, title, known, raw)
        elif title in _NEUTRAL:
            if raw is not None and _plain(raw) not in _NEUTRAL[title]:
                raise ValueError(f"{name}: {title} is not supported by the local server")
        else:
            raise ValueError(f"{name}: a {kind} has no property {title}, or the local server does not support it")
    return values


def _value(name: str, title: str, known: _Property, raw: Any) -> Any:
    try:
        value = _typed(known.type, raw)
    except (ValueError, TypeError) as exc:
        raise ValueError(f"{name}: {title}: {exc}") from exc
    if known.type in ("duration", "int") and not known.least <= value <= known.most:
        raise ValueError(f"{name}: {title} is out of its range: {raw}")
    return value


def _typed(kind: str, raw: Any) -> Any:
    if kind == "duration":
        return seconds(str(raw))
    if kind == "int":
        return int(raw)
    if kind == "bool":
        value = _plain(raw)
        if not isinstance(value, bool):
            raise ValueError(f"{raw!r} is neither true nor false")
        return value
    if kind == "entity":
        return _entity(str(raw))
    return str(raw)


def _entity(address: str) -> str | None:
    """A full address or a name → the entity's path; `None` for an empty one."""
    path = address.partition("://")[2].partition("/")[2] if "://" in address else address
    return path.strip("/") or None


def _plain(raw: Any) -> Any:
    text = str(raw).strip().lower()
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() else text


def _checked(kind: Kind, name: str, made: Options) -> Options:
    if made.status not in _STATUSES[kind[0]]:
        raise ValueError(f"{name}: a {kind} has no status {made.status!r}")
    return made
