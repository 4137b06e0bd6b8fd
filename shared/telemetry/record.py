"""What is reported: a span that has ended, a line of the log, or what was measured. No SDK is known here.

Properties are named by `Property` and by a service's own log fields; bodies, headers and query strings have no place
to go to. That is how personal data stays out: what is not a field cannot be sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Property = Literal[
    "order_id",
    "event_id",
    "event_type",
    "charge",
    "delivery_count",
    "queue_ms",
    "feed_ms",
    "throttled",
    "_MS.links",
]
"""What a span may say beside its name: ids, numbers and names of ours."""
Value = str | int | float | bool | None


@dataclass(slots=True)
class SpanRecord:
    """Times in seconds since the epoch. `kind` request: work asked for from outside; dependency: a call of ours."""

    kind: Literal["request", "dependency"]
    role: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    started: float
    ended: float
    success: bool
    result: str
    type: str = ""
    target: str = ""
    data: str = ""
    source: str = ""
    url: str = ""
    properties: dict[str, Value] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.ended - self.started


@dataclass(slots=True)
class LogRecord:
    """`level` as Application Insights counts: 0 verbose to 4 critical. `error`: the type of the exception."""

    role: str
    message: str
    level: int
    trace_id: str
    parent_id: str
    time: float
    properties: dict[str, Value]
    error: str = ""
    frames: tuple[tuple[str, str, int], ...] = ()
    """Method, file and line, the innermost first."""


@dataclass(slots=True)
class MetricRecord:
    """What was measured at one moment: so many values, their sum, the least and the greatest."""

    role: str
    name: str
    time: float
    count: int
    total: float
    least: float
    greatest: float
    properties: dict[str, Value] = field(default_factory=dict)


Record = SpanRecord | LogRecord
"""What belongs to a trace."""
